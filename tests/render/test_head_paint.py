"""The painted head: colours sit on the anatomy they belong to."""

import numpy as np
import pytest
import torch

from rigface.render.head_paint import IRIS_RADIUS, HeadPaint, Palette
from rigface.rig.template_io import load_template


@pytest.fixture(scope="module")
def template():
    return load_template()


def colours(paint: HeadPaint, face: np.ndarray) -> torch.Tensor:
    middle = torch.full((len(face), 3), 1 / 3, dtype=torch.float64)
    return paint.at(torch.from_numpy(np.asarray(face)), middle)


def faces_within(template, region: str) -> np.ndarray:
    return np.flatnonzero(template.regions[region][template.mesh.faces].all(axis=1))


def test_each_part_has_its_colour(template):
    palette = Palette()
    paint = HeadPaint.of_template(template, palette, mottle=0.0)
    for name, expected in {
        "teeth.upper": palette.teeth,
        "teeth.lower": palette.teeth,
        "tongue": palette.tongue,
    }.items():
        run = template.parts[name].faces
        found = colours(paint, np.arange(run.start, run.stop))
        assert torch.allclose(found, torch.tensor(expected).double())
    cheeks = colours(paint, faces_within(template, "cheeks"))
    assert torch.allclose(cheeks, torch.tensor(palette.skin).double())
    inside = colours(paint, faces_within(template, "mouth_cavity"))
    assert torch.allclose(inside, torch.tensor(palette.mouth).double())


def test_lips_are_red_inside_their_border_only(template):
    paint = HeadPaint.of_template(template, mottle=0.0)
    found = colours(paint, np.arange(template.parts["skin"].faces.stop))
    red = (found - torch.tensor(Palette().lips).double()).abs().max(dim=1).values < 0.02
    touched = np.unique(template.mesh.faces[np.flatnonzero(red.numpy())])
    assert red.sum() > 100
    assert template.regions["lips"][touched].mean() > 0.99
    ring = template.loops["lip.upper"][1:-1]
    assert np.isin(ring, touched).all()


def test_iris_and_pupil_are_discs_about_the_gaze(template):
    palette = Palette()
    paint = HeadPaint.of_template(template, palette)
    for side in "LR":
        run = template.parts[f"eyeball.{side}"].faces
        found = colours(paint, np.arange(run.start, run.stop))
        middle = template.mesh.vertices[template.mesh.faces[run]].mean(axis=1)
        ball = template.eyeballs[side]
        away = np.linalg.norm(np.cross(middle - ball.centre, ball.gaze), axis=1)
        front = (middle - ball.centre) @ ball.gaze > 0
        white = torch.isclose(found[:, 0], torch.tensor(palette.sclera[0]).double()).numpy()
        assert not white[front & (away < IRIS_RADIUS - 1e-3)].any()
        assert white[(away > IRIS_RADIUS + 1e-3) | ~front].all()


def test_brows_are_dark_symmetric_and_over_the_eyes(template):
    paint = HeadPaint.of_template(template, mottle=0.0)
    skin = template.parts["skin"]
    at = torch.from_numpy(template.mesh.vertices[skin.vertices])
    cover = paint._brow_cover(at)
    mirrored = cover[torch.from_numpy(template.mirror[skin.vertices])]
    torch.testing.assert_close(cover, mirrored, atol=1e-6, rtol=0)
    hair = at[cover > 0.5]
    assert len(hair) > 10
    assert (hair[:, 1] > 0.008).all() and (hair[:, 1] < 0.04).all() and (hair[:, 2] > 0).all()


def test_tones_go_from_light_to_dark():
    skins = np.array([Palette.of_tone(tone).skin for tone in np.linspace(0, 1, 5)])
    assert (np.diff(skins, axis=0) < 0).all()
