"""`rigface COMMAND ...`: choose the command, run it, turn what happens into an exit code."""

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from typing import Annotated, NoReturn

import tyro

from rigface.cli.bench import BenchCommand
from rigface.cli.depth import DepthCommand
from rigface.cli.messages import EXIT_INTERRUPTED, EXIT_UNEXPECTED, report_error, report_unexpected
from rigface.cli.photo import PhotoCommand
from rigface.cli.process import leave, reuse_freed_memory
from rigface.cli.scan import ScanCommand
from rigface.cli.train import TrainCommand
from rigface.cli.view import ViewCommand
from rigface.errors import RigfaceError, UsageError

DESCRIPTION = """\
Photos and scans of a face become a rigged, animatable 3-D head.

Exit codes: 0 good, 2 wrong usage, 3 unusable input or output, 4 the fit failed its own quality
gate (outputs are written and marked)."""

# Without a help text of its own tyro looks for one in the source of all of `typing`: slow.
Command = Annotated[
    Annotated[PhotoCommand, tyro.conf.subcommand("photo")]
    | Annotated[ScanCommand, tyro.conf.subcommand("scan")]
    | Annotated[DepthCommand, tyro.conf.subcommand("depth")]
    | Annotated[ViewCommand, tyro.conf.subcommand("view")]
    | Annotated[BenchCommand, tyro.conf.subcommand("bench")]
    | Annotated[TrainCommand, tyro.conf.subcommand("train")],
    tyro.conf.arg(help="Each has a --help of its own."),
]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; usage errors and help leave by SystemExit."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["--version"], ["-V"]):
        print(f"rigface {metadata.version('rigface')}")
        return 0
    if not arguments:
        with suppress(SystemExit):
            parse(["--help"])
        return UsageError.exit_code
    command = parse(arguments)
    debug = os.environ.get("RIGFACE_DEBUG", "") not in ("", "0")
    if not debug:  # what libraries say about themselves is no use to somebody with a scan
        warnings.simplefilter("ignore")
    try:
        return command.run()
    except KeyboardInterrupt:
        print("rigface: stopped", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, which is its right
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_UNEXPECTED
    except RigfaceError as error:
        if debug:
            traceback.print_exc()
        return report_error(error, as_json=command.json)
    except Exception as error:
        if debug:
            traceback.print_exc()
        return report_unexpected(error, as_json=command.json)


def shell() -> NoReturn:
    """The program `rigface`."""
    reuse_freed_memory()
    leave(main())


def parse(arguments: Sequence[str]) -> Command:
    """The command that the arguments describe; exits with 2 and advice where there is none."""
    return tyro.cli(
        Command,
        prog="rigface",
        description=DESCRIPTION,
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes),
    )
