"""Pinhole cameras: known pixels, round trips, derivatives, batches, views of a head."""

import math

import pytest
import torch
from helpers import assert_derivative

from rigface.cameras import NEAR, Camera, looking_at, orbiting
from rigface.geometry.rotations import rotation_from_vector


def some_camera(*batch: int, dtype: torch.dtype = torch.float64) -> Camera:
    generator = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*batch, *shape, generator=generator, dtype=torch.float64).to(dtype)

    return Camera(
        focal=900 + 50 * normal(2),
        centre=250 + 10 * normal(2),
        size=(500, 400),
        rotation=rotation_from_vector(0.2 * normal(3)),
        translation=normal(3) * 0.05 + torch.tensor([0, 0, 0.7], dtype=dtype),
    )


def some_points(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return 0.1 * torch.randn(*shape, 3, generator=generator, dtype=torch.float64)


def test_the_principal_ray_and_the_axes_of_the_picture():
    camera = looking_at((0.0, 0.0, 0.0), (0.0, 0.0, 0.5), focal=800.0, size=(640, 480))
    points = torch.tensor([[0, 0, 0], [0.01, 0, 0], [0, 0.01, 0]], dtype=torch.float64)
    px, depth = camera.project(points)
    expected = torch.tensor([[320, 240], [336, 240], [320, 224]], dtype=torch.float64)
    # the subject's left (+x) appears on the right of the picture, up is up
    torch.testing.assert_close(px, expected)
    torch.testing.assert_close(depth, torch.full((3,), 0.5, dtype=torch.float64))


def test_positive_yaw_shows_the_left_side_and_positive_pitch_looks_down():
    camera = orbiting((0.0, 0.0, 0.0), math.radians(30), 0.0, 0.6, 800.0, (100, 100))
    assert camera.position[0] > 0.29
    camera = orbiting((0.0, 0.0, 0.0), 0.0, math.radians(30), 0.6, 800.0, (100, 100))
    assert camera.position[1] > 0.29
    assert torch.linalg.det(camera.rotation).item() == pytest.approx(1.0)


def test_looking_along_up_is_refused():
    with pytest.raises(ValueError, match="no upright view"):
        looking_at((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), 500.0, (10, 10))


def test_project_and_unproject_round_trip():
    camera, points = some_camera(2), some_points(2, 7)
    px, depth = camera.project(points)
    torch.testing.assert_close(camera.unproject(px, depth), points)
    rays = camera.rays(px)
    along = points - camera.position[:, None]
    torch.testing.assert_close(torch.nn.functional.normalize(along, dim=-1), rays)


def test_intrinsics_and_matrix_are_the_projection():
    camera, points = some_camera(), some_points(5)
    local = points @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
    image = local @ camera.intrinsics.T
    torch.testing.assert_close(image[:, :2] / image[:, 2:], camera.project(points)[0])


def test_project_jacobian_is_the_derivative():
    camera, points = some_camera(2), some_points(2, 5)
    jacobian = camera.project_jacobian(points)
    assert jacobian.shape == (2, 5, 2, 3)
    assert_derivative(
        lambda p: camera.project(p)[0],
        points,
        lambda d: torch.einsum("...ij,...j->...i", jacobian, d),
    )


def test_points_behind_the_camera_are_finite_and_told():
    camera = looking_at((0.0, 0.0, 0.0), (0.0, 0.0, 0.5), 800.0, (640, 480))
    points = torch.tensor([[0.01, 0, 0.8], [0, 0, 0.5], [0, 0, 0]], dtype=torch.float64)
    px, depth = camera.project(points)
    assert torch.isfinite(px).all()
    assert (depth < NEAR).tolist() == [True, True, False]
    jacobian = camera.project_jacobian(points)
    assert_derivative(
        lambda p: camera.project(p)[0][:1],
        points,
        lambda d: torch.einsum("...ij,...j->...i", jacobian, d)[:1],
    )


def test_a_batch_item_is_the_item_alone():
    cameras, points = some_camera(3), some_points(4)
    px, depth = cameras.project(points)
    for i in range(3):
        alone = Camera(
            cameras.focal[i],
            cameras.centre[i],
            cameras.size,
            cameras.rotation[i],
            cameras.translation[i],
        )
        torch.testing.assert_close(alone.project(points)[0], px[i])
        torch.testing.assert_close(alone.project(points)[1], depth[i])
        torch.testing.assert_close(
            alone.project_jacobian(points), cameras.project_jacobian(points)[i]
        )


def test_scaled_and_cropped_pictures_show_the_same_place():
    camera, points = some_camera(), some_points(6)
    px, _ = camera.project(points)
    torch.testing.assert_close(camera.scaled(0.25).project(points)[0], px * 0.25)
    assert camera.scaled(0.25).size == (125, 100)
    window = camera.cropped(40, -10, (64, 64))
    torch.testing.assert_close(window.project(points)[0], px - px.new_tensor([40, -10]))


def test_pixel_centres_are_at_a_half():
    camera = looking_at((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 10.0, (3, 2))
    centres = camera.pixel_centres()
    assert centres.shape == (2, 3, 2)
    assert centres[0, 0].tolist() == [0.5, 0.5] and centres[1, 2].tolist() == [2.5, 1.5]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_is_kept(dtype):
    camera = some_camera().to(dtype)
    px, depth = camera.project(some_points(3).to(dtype))
    assert px.dtype == depth.dtype == dtype
    assert camera.scaled(0.5).cropped(1, 1, (9, 9)).intrinsics.dtype == dtype
    assert camera.project_jacobian(some_points(3).to(dtype)).dtype == dtype
