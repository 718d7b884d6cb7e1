"""How many cores a step uses: one for its many small products, all for its few large ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from threadpoolctl import threadpool_limits

_outside: ContextVar[int] = ContextVar("threads_outside", default=0)


@contextmanager
def one_thread() -> Iterator[None]:
    """A fit is thousands of small products: splitting each over all cores costs more than it
    saves, much more on a busy machine. The Gauss-Newton clusters bring their own two threads.
    """
    before = torch.get_num_threads()
    token = _outside.set(before)
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
        _outside.reset(token)


@contextmanager
def as_before() -> Iterator[None]:
    """Inside `one_thread`: the threads that torch had outside, for one large factorisation."""
    outside, inside = _outside.get(), torch.get_num_threads()
    if outside <= inside:
        yield
        return
    torch.set_num_threads(outside)
    try:
        yield
    finally:
        torch.set_num_threads(inside)
