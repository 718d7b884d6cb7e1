"""A command as a process of its own: how it imports, and how it ends."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def importing() -> Iterator[None]:
    """Around the imports of large libraries: no search for garbage.

    They make hundreds of thousands of objects that stay, and looking through all of them again and
    again is a sixth of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def leave(code: int) -> NoReturn:
    """End the process without taking the interpreter down.

    Python would free what torch and mediapipe have made object by object, which takes a second
    and more. By now every file is closed; only the streams have to be flushed.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # the reader has gone: Python's own way out copes with that
        sys.exit(code)
    os._exit(code)
