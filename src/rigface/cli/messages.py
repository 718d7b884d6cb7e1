"""What the user reads when something goes wrong: one block on stderr, no traceback."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rigface.errors import InputError, MissingExtraError, OutputError, RigfaceError, UsageError

EXIT_GOOD = 0
EXIT_UNEXPECTED = 1
EXIT_QUALITY_GATE = 4
EXIT_INTERRUPTED = 130

_TITLES = {
    UsageError: "wrong usage",
    InputError: "unusable input",
    OutputError: "cannot write the output",
    MissingExtraError: "not installed",
}


def report_error(error: RigfaceError, as_json: bool = False) -> int:
    """Print an expected error and return its exit code."""
    titles = [title for kind, title in _TITLES.items() if isinstance(error, kind)]
    title = titles[0] if titles else "error"
    return _report(title, str(error), error.exit_code, as_json)


def report_unexpected(error: Exception, as_json: bool = False) -> int:
    """Print an error that is a bug of ours and return its exit code."""
    message = (
        f"{type(error).__name__}: {error}\n"
        "This is a bug in rigface, not in your input. Run the same command with RIGFACE_DEBUG=1 "
        "in the environment to see where it happened, and report that text."
    )
    return _report("internal error", message, EXIT_UNEXPECTED, as_json)


def conclude(
    out: Path,
    describe: Callable[[dict[str, Any]], list[str]],
    as_json: bool = False,
    quiet: bool = False,
) -> int:
    """The end of a fit: result.json, or what it says in a few lines and where to look; the exit
    code. `describe` gives the lines that belong to one kind of evidence."""
    text = (out / "result.json").read_text(encoding="utf-8")
    summary = json.loads(text)
    if as_json:
        sys.stdout.write(text)
    elif not quiet:
        lines = [*describe(summary), *(f"warning: {text}" for text in summary["warnings"])]
        written = (("face.glb", "rigged head"), ("report.html", "open this to look"))
        lines += [f"{out / name}  {what}" for name, what in written if (out / name).is_file()]
        print("\n".join(lines))
    if summary["ok"]:
        return EXIT_GOOD
    reason = summary.get("reason") or "see the warnings in result.json"
    print(f"rigface: the fit failed its own quality gate\n  {reason}", file=sys.stderr)
    return EXIT_QUALITY_GATE


def _report(title: str, message: str, exit_code: int, as_json: bool) -> int:
    indented = message.replace("\n", "\n  ")
    print(f"rigface: {title}\n  {indented}", file=sys.stderr)
    if as_json:
        print(json.dumps({"ok": False, "error": title, "message": message, "exit_code": exit_code}))
    return exit_code
