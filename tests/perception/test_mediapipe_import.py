"""What stands in for modules while mediapipe is imported."""

import inspect
import sys

import pytest

from rigface.perception import mediapipe_import


def test_who_looks_through_all_modules_meanwhile_is_not_harmed(monkeypatch: pytest.MonkeyPatch):
    """Another thread defines kernels, and inspect asks every module for its file."""
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    with mediapipe_import._drawing_comes_later():
        stand_in = sys.modules["cv2"]
        assert not hasattr(stand_in, "__file__")
        inspect.getmodule(test_who_looks_through_all_modules_meanwhile_is_not_harmed.__code__)
        with pytest.raises(AttributeError, match="cv2 is not loaded yet"):
            stand_in.imread  # noqa: B018
    assert "cv2" not in sys.modules
