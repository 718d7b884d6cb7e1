"""How a command starts and ends as a process."""

import gc
import subprocess
import sys
import threading

import pytest

from rigface.cli.process import beside, importing


def test_leaves_at_once_with_the_code_and_all_that_was_said():
    code = (
        "import atexit, sys; from rigface.cli.process import leave\n"
        "atexit.register(print, 'taken down'); print('said'); leave(4)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (4, "said\n", "")


def test_the_program_says_its_exit_code():
    command = [sys.executable, "-m", "rigface", "photo", "none.jpg", "-o", "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "none.jpg" in done.stderr


def test_the_search_for_garbage_goes_on_after_imports():
    assert gc.isenabled()
    with importing():
        assert not gc.isenabled()
        with importing():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_work_beside_goes_on_without_being_waited_for():
    go, seen = threading.Event(), []

    def work() -> int:
        assert go.wait(10)
        seen.append(threading.current_thread())
        return 7

    ready = beside(work)
    assert not ready.done()  # `beside` came back before it
    go.set()
    assert ready.result(10) == 7
    assert seen != [threading.main_thread()]


def test_what_work_beside_raises_reaches_who_asks():
    def work() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        beside(work).result(10)


def test_a_command_that_fails_does_not_wait_for_work_beside():
    code = (
        "import threading; from rigface.cli.process import beside, leave\n"
        "beside(threading.Event().wait); leave(3)"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert done.returncode == 3
