"""Importing mediapipe quietly, soon, and also where OpenCV's system libraries are missing.

mediapipe imports cv2 and matplotlib for its drawing functions alone. opencv-contrib-python needs
libGL.so.1 and libglib-2.0, which slim Linux images lack, and pyplot takes as long as the rest of
mediapipe. So during that one import others stand in for them, which load them when something is
drawn.
"""

import importlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from rigface.errors import MissingExtraError

MISSING = (
    'finding faces needs mediapipe. Install it with: pip install "rigface[photo]" (Python 3.11 or '
    '3.12; elsewhere "rigface[litert]" with a face_landmarker.task), or give the points yourself: '
    "--landmarks FILE with 68 or 478 of them."
)

_ONLY_FOR_DRAWING = ("matplotlib.pyplot", "matplotlib", "cv2")


def import_mediapipe() -> Any:
    """The mediapipe package with its legacy solutions.

    Raises MissingExtraError if it is not installed, cannot be loaded, or has no solutions.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")  # read once, when the library is loaded
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quiet_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _drawing_comes_later():
                mediapipe = importlib.import_module("mediapipe")
                importlib.import_module("mediapipe.python.solutions.face_mesh")
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] == "mediapipe" and error.name == "mediapipe":
                raise MissingExtraError(MISSING[0].upper() + MISSING[1:]) from error
            raise MissingExtraError(_broken(error)) from error
        except ImportError as error:
            raise MissingExtraError(_broken(error)) from error
    return mediapipe


def _broken(error: ImportError) -> str:
    return (
        f"mediapipe is installed but cannot be loaded ({str(error)[:120]}). Version 0.10.21 with "
        f'its legacy solutions is needed: pip install "rigface[photo]". Without it {MISSING}'
    )


class _Later(ModuleType):
    """A module that is imported when somebody asks it for something.

    It has no `__file__` and the like: another thread may look through all modules meanwhile, as
    `inspect` does, and asking would find nothing but this one again.
    """

    def __getattr__(self, name: str) -> Any:
        module = None if name.startswith("__") else importlib.import_module(self.__name__)
        if module is None or module is self:
            raise AttributeError(f"{self.__name__} is not loaded yet and has no {name!r}")
        return getattr(module, name)


@contextmanager
def _drawing_comes_later() -> Iterator[None]:
    """For as long as the block runs, whoever imports cv2 or pyplot gets them when they are used."""
    pyplot, matplotlib, cv2 = (_Later(name) for name in _ONLY_FOR_DRAWING)
    vars(matplotlib)["pyplot"] = pyplot
    ours = {m.__name__: m for m in (pyplot, matplotlib, cv2) if m.__name__ not in sys.modules}
    sys.modules.update(ours)
    try:
        yield
    finally:
        for name, module in ours.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Drop what native code writes to file descriptor 2 meanwhile; show it if the block raises.

    absl and TensorFlow Lite greet on stderr whenever a graph is made, and no setting stops all.
    """
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # there is no stderr, as under pythonw
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
