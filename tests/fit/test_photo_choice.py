"""Which photos take part."""

import math
from pathlib import Path

import numpy as np
import pytest

from rigface.errors import InputError
from rigface.evidence.face import FaceObservation, FaceQuality
from rigface.evidence.photo import Photo
from rigface.fit.photo_choice import advice, choose, unlike_expressions


def photo(name: str, shade: int) -> Photo:
    return Photo(np.full((8, 8, 3), shade, np.uint8), source=Path(name))


def a_face() -> FaceObservation:
    return FaceObservation(
        landmarks=np.zeros((478, 2)),
        z=np.zeros(478),
        sigma=np.ones(478),
        visible=np.ones(478, dtype=bool),
        presence=1.0,
        source="test",
        image_size=(8, 8),
        quality=FaceQuality(0.5, 0.5, 0.05, 0.0),
    )


def test_photos_without_a_face_and_repeated_ones_are_left_out_by_name() -> None:
    photos = [photo("a.jpg", 1), photo("b.jpg", 2), photo("c.jpg", 1), photo("d.jpg", 3)]
    face = a_face()
    chosen = choose(photos, [face, None, face, face], None)
    assert [p.source.name for p in chosen.photos if p.source] == ["a.jpg", "d.jpg"]
    assert len(chosen.faces) == 2
    assert any("b.jpg" in said and "no face" in said for said in chosen.warnings)
    assert any("c.jpg" in said and "a.jpg" in said for said in chosen.warnings)


def test_no_face_at_all_is_an_error() -> None:
    with pytest.raises(InputError, match="No face"):
        choose([photo("a.jpg", 1), photo("b.jpg", 2)], [None, None], None)


def test_expressions_are_compared() -> None:
    calm = np.zeros((3, 52))
    assert not unlike_expressions(calm)
    wild = calm.copy()
    wild[1, :8] = 0.9
    assert unlike_expressions(wild)
    assert not unlike_expressions(wild[1:2])


@pytest.mark.parametrize(
    ("yaws", "asked"),
    [
        ((0,), "30 to 50"),
        ((0, 5, -5), "30 to 50"),
        ((0, 40), "right"),
        ((0, -40), "left"),
        ((-40, 40, 35), "front"),
        ((40, 50), "front"),
        ((-40, 0, 40), None),
    ],
)
def test_advice_names_the_missing_view(yaws: tuple[float, ...], asked: str | None) -> None:
    said = advice([math.radians(yaw) for yaw in yaws])
    assert said is None if asked is None else asked in (said or "")
