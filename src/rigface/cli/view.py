"""`rigface view DIR`: look at the report of an earlier run."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from rigface.cli.messages import EXIT_GOOD
from rigface.errors import InputError


@dataclass(frozen=True)
class ViewCommand:
    """Open the report of an earlier run in the browser and print where it lies."""

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]
    """The folder given to -o."""
    print_only: bool = False
    """Print the path and leave the browser alone."""

    json = False

    def run(self) -> int:
        report = self.folder / "report.html"
        if not report.is_file():
            raise InputError(
                f"no report.html in {self.folder}. Give the folder that `rigface scan ... -o` "
                "wrote to."
            )
        print(report.resolve())
        if not self.print_only:
            import webbrowser

            if not webbrowser.open(report.resolve().as_uri()):
                print("no browser found; open the file above yourself", file=sys.stderr)
        return EXIT_GOOD
