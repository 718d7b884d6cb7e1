"""How a long job tells where it is: named stages with their seconds, shown or not.

A recipe receives a `Progress` and neither knows nor cares whether anyone looks:

    with progress.stage("align"):
        for step in range(steps):
            progress.update(step / steps, f"{error_mm:.2f} mm")
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Protocol, cast, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """What recipes call."""

    @property
    def seconds(self) -> dict[str, float]:
        """Wall-clock seconds of each finished stage, in the order they began.

        A stage inside another one is listed after it as "outer/inner", so the sum over the names
        without a slash is the total. A stage entered twice is listed once, with the sum.
        """
        ...

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Time what happens inside; stages may be nested."""
        ...

    def update(self, fraction: float, text: str = "") -> None:
        """How much of the current stage is done, in [0, 1], and a short remark."""
        ...


@runtime_checkable
class Stream(Protocol):
    """The little of a text stream that is needed to show progress on it."""

    def write(self, text: str, /) -> int: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool: ...


class NullProgress:
    """Keeps the times and shows nothing; the base of those that show."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._seconds: dict[str, float] = {}

    @property
    def seconds(self) -> dict[str, float]:
        return dict(self._seconds)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._open.append(name)
        path = "/".join(self._open)
        before = self._seconds.setdefault(path, 0.0)
        self._begin(path)
        start, done = time.perf_counter(), False
        try:
            yield
            done = True
        finally:
            elapsed = time.perf_counter() - start
            self._seconds[path] = before + elapsed
            self._end(path, elapsed, done)
            self._open.pop()

    def update(self, fraction: float, text: str = "") -> None:
        pass

    def close(self) -> None:
        """Leave the terminal as it was; safe to call twice."""

    def _begin(self, path: str) -> None:
        pass

    def _end(self, path: str, elapsed: float, done: bool) -> None:
        """`done` is False where the stage was left by an exception."""


class PlainProgress(NullProgress):
    """One line per finished top-level stage, for pipes and log files."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream
        self._text = ""

    def update(self, fraction: float, text: str = "") -> None:
        self._text = text

    def _end(self, path: str, elapsed: float, done: bool) -> None:
        if "/" in path or not done:
            return
        remark = f"  {self._text}" if self._text else ""
        self._stream.write(f"{path}: {elapsed:.1f} s{remark}\n")
        self._stream.flush()
        self._text = ""


class RichProgress(NullProgress):
    """A live bar per stage on a terminal."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}"),
            console=Console(file=cast(IO[str], stream)),
        )
        self._bars.start()
        self._tasks: list = []

    def update(self, fraction: float, text: str = "") -> None:
        if self._tasks:
            self._bars.update(self._tasks[-1], completed=min(max(fraction, 0.0), 1.0), text=text)

    def close(self) -> None:
        self._bars.stop()

    def _begin(self, path: str) -> None:
        depth = path.count("/")
        label = "  " * depth + path.rsplit("/", 1)[-1]
        self._tasks.append(self._bars.add_task(label, total=1.0, text=""))

    def _end(self, path: str, elapsed: float, done: bool) -> None:
        task = self._tasks.pop()
        if "/" in path:  # details disappear with their stage, the stages remain
            self._bars.remove_task(task)
            return
        if done:
            self._bars.update(task, completed=1.0)
        self._bars.stop_task(task)


def open_progress(stream: Stream, quiet: bool = False) -> NullProgress:
    """The progress that fits where it goes: bars on a terminal, lines in a pipe, or nothing."""
    if quiet:
        return NullProgress()
    return RichProgress(stream) if stream.isatty() else PlainProgress(stream)
