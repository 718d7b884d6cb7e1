"""Choosing a back-end, and what happens where it is not installed."""

import subprocess
import sys
import textwrap

import pytest

from rigface.errors import InputError, MissingExtraError, UsageError
from rigface.perception import load_detector


def test_unknown_and_incomplete_names(tmp_path):
    with pytest.raises(UsageError, match="needs the path of a face_landmarker.task"):
        load_detector("litert")
    with pytest.raises(UsageError, match="needs a file of 68 or 478 landmarks"):
        load_detector("file")
    with pytest.raises(InputError, match="does not exist"):
        load_detector(landmarks=tmp_path / "a.json")


def run(code: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_nothing_heavy_is_imported_before_a_detector_is_loaded():
    done = run("""
        import sys, rigface.perception
        print([name for name in ("mediapipe", "cv2", "ai_edge_litert", "torch")
               if name in sys.modules])
    """)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize("name", ["auto", "mediapipe"])
def test_missing_mediapipe_names_the_command(monkeypatch, name):
    for module in [m for m in sys.modules if m.partition(".")[0] == "mediapipe"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(MissingExtraError) as caught:
        load_detector(name)
    assert 'pip install "rigface[photo]"' in str(caught.value)
    assert "--landmarks FILE" in str(caught.value)
    assert caught.value.exit_code == 3


def test_runs_silently_where_opencv_cannot_be_loaded():
    """As on a slim Debian, where `import cv2` fails for want of libGL.so.1."""
    pytest.importorskip("mediapipe")
    pytest.importorskip("skimage")
    done = run("""
        import sys

        class NoLibGL:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "cv2":
                    raise ImportError("libGL.so.1: cannot open shared object file")

        sys.meta_path.insert(0, NoLibGL())
        import skimage.data
        from rigface.evidence.photo import Photo
        from rigface.perception import load_detector
        faces = load_detector("mediapipe").detect(Photo(skimage.data.astronaut()))
        assert "cv2" not in sys.modules
        try:
            import cv2
        except ImportError as error:
            print(len(faces), faces[0].trusted, error)
    """)
    assert done.stderr == ""
    assert done.stdout.strip() == "1 True libGL.so.1: cannot open shared object file"
    assert done.returncode == 0


def test_drawing_libraries_are_loaded_when_something_is_drawn():
    pytest.importorskip("mediapipe")
    pytest.importorskip("cv2")
    done = run("""
        import sys
        import numpy as np
        from rigface.perception.mediapipe_import import import_mediapipe
        solutions = import_mediapipe().solutions
        print([name for name in ("cv2", "matplotlib") if name in sys.modules])
        from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList
        points = NormalizedLandmarkList()
        points.landmark.add(x=0.5, y=0.5)
        picture = np.zeros((20, 20, 3), np.uint8)
        solutions.drawing_utils.draw_landmarks(picture, points)
        print(picture.any(), "cv2" in sys.modules, solutions.drawing_utils.plt.figure.__name__)
    """)
    assert done.stdout.splitlines() == ["[]", "True True figure"], done.stderr


def test_mediapipe_without_its_solutions_is_told(monkeypatch, tmp_path):
    """Version 1.x has none; neither does a broken installation."""
    for module in [m for m in sys.modules if m.partition(".")[0] == "mediapipe"]:
        monkeypatch.delitem(sys.modules, module)
    (tmp_path / "mediapipe").mkdir()
    (tmp_path / "mediapipe" / "__init__.py").write_text("__version__ = '1.2.2'\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError, match="cannot be loaded.*Version 0.10.21"):
        load_detector("mediapipe")
    for module in [m for m in sys.modules if m.partition(".")[0] == "mediapipe"]:
        del sys.modules[module]
