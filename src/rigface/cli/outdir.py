"""Is there a place for the results? Asked before any work, without leaving anything behind."""

import tempfile
from pathlib import Path

from rigface.errors import OutputError


def check_output_dir(out: Path) -> None:
    """Make sure that `out` is, or can become, a folder that we may write to; creates nothing.

    Raises:
        OutputError: it is a file, it lies below a file, or the folder is not writable.
    """
    existing = out.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise OutputError(
            f"cannot write to {out}: {existing} is a file. Give -o a folder; it is created if "
            "it does not exist."
        )
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot write to {out}: {existing}: {error.strerror or error}. Give -o a folder that "
            "you may write to."
        ) from error
