"""Stages are timed the same way whoever watches."""

import io
import time

import pytest

from rigface.progress import NullProgress, PlainProgress, Progress, RichProgress, open_progress


@pytest.fixture(params=["null", "plain", "rich"])
def progress(request):
    made = {
        "null": NullProgress,
        "plain": lambda: PlainProgress(io.StringIO()),
        "rich": lambda: RichProgress(io.StringIO()),
    }[request.param]()
    yield made
    made.close()


def test_keeps_the_protocol(progress):
    assert isinstance(progress, Progress)


def test_nested_stages_are_named_by_path_and_sum_to_the_outer_one(progress):
    with progress.stage("fit"):
        with progress.stage("coarse"):
            time.sleep(0.01)
        progress.update(0.5, "half")
        with progress.stage("fine"):
            time.sleep(0.02)
    seconds = progress.seconds
    assert list(seconds) == ["fit", "fit/coarse", "fit/fine"]
    assert seconds["fit/coarse"] >= 0.01
    assert seconds["fit"] >= seconds["fit/coarse"] + seconds["fit/fine"]


def test_stage_entered_twice_adds_up(progress):
    for _ in range(2):
        with progress.stage("refresh"):
            time.sleep(0.01)
    assert list(progress.seconds) == ["refresh"]
    assert progress.seconds["refresh"] >= 0.02


def test_failing_stage_is_timed_and_closed(progress):
    with pytest.raises(ZeroDivisionError), progress.stage("fit"):
        raise ZeroDivisionError
    with progress.stage("write"):
        pass
    assert list(progress.seconds) == ["fit", "write"]


def test_the_stream_decides_how_it_looks():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert type(open_progress(io.StringIO())) is PlainProgress
    assert type(open_progress(Terminal(), quiet=True)) is NullProgress
    live = open_progress(Terminal())
    live.close()
    assert type(live) is RichProgress
