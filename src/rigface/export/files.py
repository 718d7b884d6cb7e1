"""Files that exist whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

from rigface.errors import OutputError


def write_atomic(path: Path | str, data: bytes | str) -> None:
    """Write `data` beside `path` and move it into place, so a killed run leaves no half file.

    Text is written as UTF-8 with the line ends it has.

    Raises:
        OutputError: the folder does not exist or cannot be written to.
    """
    path = Path(path)
    raw = data.encode() if isinstance(data, str) else data
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}. Give a path in a folder that exists "
            "and that you may write to."
        ) from error
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(raw)
        # mkstemp makes private files; an output is as readable as the user's umask says.
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}. Free some space or choose another "
            "path."
        ) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
