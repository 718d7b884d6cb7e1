"""A command as a process of its own: its memory, its imports, its end."""

import ctypes
import gc
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import NoReturn, TypeVar

T = TypeVar("T")

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Of glibc's malloc.h."""


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


def beside(work: Callable[[], T]) -> Future[T]:
    """Start `work` in a thread of its own; what it raises comes out of `result()`.

    Nobody waits for it but who asks for the result: a command that fails meanwhile says so at once.
    """
    pool = ThreadPoolExecutor(1)
    future = pool.submit(work)
    pool.shutdown(wait=False)  # takes nothing else; what it has begun goes on
    return future


def reuse_freed_memory() -> None:
    """Tell glibc to keep large blocks that are freed for the next one of that size.

    By itself it hands each back to the system, which clears every page of the next one again:
    nearly half of all page faults of `rigface photo`.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            libc = ctypes.CDLL(None)
            libc.mallopt(_M_MMAP_MAX, 0)
            libc.mallopt(_M_TRIM_THRESHOLD, 1 << 30)


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
