"""A head among cameras that are known."""

import numpy as np
import pytest
import torch

from rigface.cameras import Camera
from rigface.cameras.camera import orbiting
from rigface.errors import InputError
from rigface.fit.known_views import KnownViews
from rigface.fit.photo import identity_model
from rigface.fit.views import DetectorModes, View
from rigface.geometry.similarity import Similarity
from rigface.terms.image_points import ImagePoints

SIZE = (640, 480)
WORLD = Similarity(3.0, np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]), np.array([0.5, -2.0, 1.0]))
"""world_from_model of the head that the tests place."""


def around() -> list[Camera]:
    """cam_from_model."""
    return [orbiting((0.0, -0.03, 0.03), yaw, 0.1, 0.6, 900.0, SIZE) for yaw in (-0.5, 0.1, 0.6)]


def in_world(camera: Camera) -> Camera:
    """cam_from_world of a cam_from_model: a camera's frame may be scaled."""
    rotation = camera.rotation @ torch.from_numpy(WORLD.rotation.T)
    shift = WORLD.scale * camera.translation - rotation @ torch.from_numpy(WORLD.translation)
    return camera.moved(rotation, shift)


def known(starts: list[Camera] | None = None) -> KnownViews:
    views = [View(camera) for camera in (starts or around())]
    cameras = [in_world(camera) for camera in around()]
    return KnownViews(identity_model(), views, cameras, False, DetectorModes(2, 0.3))


def points(count: int = 30) -> ImagePoints:
    rng = np.random.default_rng(3)
    faces = identity_model().faces.numpy()
    corners, bary = faces[rng.integers(0, len(faces), count)], rng.dirichlet(np.ones(3), count)
    return ImagePoints(corners, bary, rng.uniform(100, 400, (count, 2)), np.ones(count))


def test_views_that_agree_start_at_the_truth() -> None:
    found = known().world_from_model(known().table.zeros())
    np.testing.assert_allclose(found.matrix(), WORLD.matrix(), atol=1e-6)


def test_distances_of_the_starts_matter_little() -> None:
    """Another focal length puts the head elsewhere on its rays."""
    wrong = [
        camera.moved(camera.rotation, camera.translation * factor)
        for camera, factor in zip(around(), (1.3, 1.2, 1.25), strict=True)
    ]
    found = known(wrong).world_from_model(known(wrong).table.zeros())
    assert np.linalg.norm(found.translation - WORLD.translation) < 0.05 * WORLD.scale


@pytest.mark.parametrize("view", [0, 2])
def test_the_derivative_agrees_with_finite_differences(view: int) -> None:
    model, marks = known(), points()
    table = model.table
    generator = torch.Generator().manual_seed(4)
    x = 0.1 * table.column("sigma") * torch.randn(table.size, generator=generator).double()
    run = table.slices["expression"]
    x[run] = 0.3 * torch.rand(run.stop - run.start, generator=generator).double()
    _, jacobian = model.project(x, view, marks)
    h = 1e-6
    for name, run in table.slices.items():
        step = torch.zeros_like(x)
        step[run] = torch.randn(run.stop - run.start, generator=generator).double()
        ahead, behind = (model.project(x + s * h * step, view, marks)[0] for s in (1, -1))
        numeric = (ahead - behind) / (2 * h)
        torch.testing.assert_close(
            jacobian @ step, numeric, rtol=1e-5, atol=1e-4, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_all_views_move_with_the_head() -> None:
    model, marks = known(), points()
    x = model.table.zeros()
    x[model.table.slices["rotation"]] = 0.1
    for view, camera in enumerate(around()):
        moved = model.pixels(x, view, marks)
        place = model.model.places(model.head(x, view), marks.corners, marks.bary)
        still = camera.project(place)[0]
        assert float((moved - still).abs().max()) > 5


def test_cameras_of_other_photos_are_refused() -> None:
    behind = [
        camera.moved(camera.rotation, camera.translation * torch.tensor([1.0, 1.0, -1.0]))
        for camera in around()
    ]
    with pytest.raises(InputError, match="does not match the photos"):
        known(behind)
