"""Output that is whole or absent: write aside, then rename.

A run that fails, or that is killed while it computes, leaves nothing under the final name.
"""

import errno
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rigface.errors import OutputError

LAST = "result.json"
"""Moved last where a folder is updated file by file: while it is there, the folder is whole."""

_MARK = ".partial-"
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A path to write to; it becomes `path` when the block ends well, and vanishes if it does not.

    Missing parent folders are made. Raises OutputError where nothing can be written.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder; a file was to be written there. Name a file.")
    partial = _partial(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        if _concerns(error, path.parent):
            raise _refused(path, error) from error
        raise
    finally:
        _unlink(partial)


def check_writable(folder: str | Path) -> None:
    """Fail before the work starts: try to write where `folder` is or will be.

    Raises OutputError if the folder, or the nearest parent that exists, takes no files.
    """
    folder = Path(folder)
    existing = folder.absolute()
    while not os.path.lexists(existing) and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise OutputError(
            f"{folder} cannot be the output folder: {existing} is a file. Name another folder."
        )
    probe = existing / f".rigface{_MARK}{os.getpid()}"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise _refused(folder, error) from error


@contextmanager
def atomic_output(folder: str | Path) -> Iterator[Path]:
    """A folder to write results into; it becomes `folder` when the block ends well.

    A new folder appears by one rename. Into a folder that exists, files are moved one by one over
    those of the same name, `result.json` last and its old version removed first; other files in it
    stay. When the block raises, what was written is removed and `folder` stays as it was.

    Raises OutputError before the block runs if `folder` cannot be written.
    """
    folder = Path(folder).absolute()
    check_writable(folder)
    made = [parent for parent in folder.parents if not parent.exists()]
    # Inside a folder that exists: it may be a mount point, and files move within one disk only.
    partial = _partial(folder / "rigface" if folder.is_dir() else folder)
    _remove_abandoned(partial)
    done = False
    try:
        partial.mkdir(parents=True)
        yield partial
        _publish(partial, folder)
        done = True
    except OSError as error:
        if _concerns(error, folder, partial):
            raise _refused(folder, error) from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if not done:
            _remove_empty(made)


def _publish(partial: Path, folder: Path) -> None:
    if not folder.exists():
        os.rename(partial, folder)
        return
    (folder / LAST).unlink(missing_ok=True)
    files = sorted(path.relative_to(partial) for path in partial.rglob("*") if not path.is_dir())
    for name in sorted(files, key=lambda name: name == Path(LAST)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(partial / name, folder / name)


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}{_MARK}{os.getpid()}")


def _remove_abandoned(partial: Path) -> None:
    """What killed runs for the same folder left behind."""
    pattern = glob.escape(partial.name.rpartition("-")[0]) + "-*"
    for path in partial.parent.glob(pattern) if partial.parent.is_dir() else ():
        owner = path.name.rpartition("-")[2]
        if owner.isdigit() and not _is_running(int(owner)):
            shutil.rmtree(path, ignore_errors=True)


def _is_running(process: int) -> bool:
    if os.name == "nt":  # there, signal 0 is no question
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # someone else's, or not to be told: leave it alone
    return True


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # its folder is gone or no folder


def _concerns(error: OSError, *places: Path) -> bool:
    """Whether the output failed, and not something that the caller's own block read."""
    about = str(error.filename or "")
    return error.errno in _NO_SPACE or any(about.startswith(str(place)) for place in places)


def _refused(path: Path, error: OSError) -> OutputError:
    why = error.strerror or str(error)
    return OutputError(
        f"{path} cannot be written: {why}. Choose another place with -o, or free it."
    )
