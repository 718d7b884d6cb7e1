"""How a command starts and ends as a process."""

import gc
import subprocess
import sys

from rigface.cli.process import importing


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
