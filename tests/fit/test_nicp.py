"""NICP finds rigid motion, a smooth bend, landmarks and borders; and says what is bad."""

import numpy as np
import pytest
from toy_heads import toy_head

from rigface.errors import InputError
from rigface.fit.nicp import NicpSettings, NicpStep, nicp
from rigface.geometry.mesh import Mesh, vertex_normals
from rigface.geometry.rotations import rotation_from_vector
from rigface.metrics.closest import closest_on_mesh

STIFF = NicpSettings(steps=(NicpStep(1.0, landmarks=100.0, iterations=40),), still=1e-8)


def bent(points: np.ndarray) -> np.ndarray:
    """A smooth deformation of up to 7 mm."""
    x, y, z = points.T
    shift = np.stack([0.05 * y * z / 0.1, 0.04 * x * x / 0.1, 0.07 * z + 0.03 * y], axis=1)
    return points + shift


def rotation(*vector: float) -> np.ndarray:
    import torch

    return rotation_from_vector(torch.tensor(vector, dtype=torch.float64)).numpy()


def distance(source: np.ndarray, target: Mesh) -> np.ndarray:
    return closest_on_mesh(source, target.vertices, target.faces).distance


def test_rigid_motion_leaves_nothing_although_stiff():
    head = toy_head(3)
    shape = bent(head.vertices) * [0.8, 1.25, 1.0]
    moved = shape @ rotation(0.2, -0.3, 0.1).T + [0.003, -0.002, 0.004]
    ids = np.array([10, 200, 400, 600, 630])
    found = nicp(shape, head.faces, moved, head.faces, landmarks=(ids, moved[ids]), settings=STIFF)
    np.testing.assert_allclose(found.vertices, moved, atol=2e-6)
    again = np.einsum("nij,nj->ni", found.affines[:, :, :3], shape) + found.affines[:, :, 3]
    np.testing.assert_allclose(again, found.vertices, atol=1e-12)
    assert found.matched == 1.0


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_a_smooth_bend_is_found_in_any_unit(unit):
    source, fine = toy_head(3), toy_head(4)
    goal = Mesh(unit * bent(fine.vertices), fine.faces)
    found = nicp(unit * source.vertices, source.faces, goal.vertices, goal.faces)
    assert distance(unit * source.vertices, goal).mean() > 1.2e-3 * unit
    assert distance(found.vertices, goal).mean() < 5e-5 * unit
    apart = np.linalg.norm(found.vertices - unit * bent(source.vertices), axis=1)
    before = np.linalg.norm(unit * (source.vertices - bent(source.vertices)), axis=1)
    assert apart.mean() < 0.7 * before.mean()


def test_landmarks_decide_what_closeness_leaves_open():
    ball = toy_head(3)
    turned = ball.vertices @ rotation(0.0, 0.5, 0.0).T
    ids = np.arange(0, len(ball.vertices), 40)
    steps = tuple(NicpStep(a, landmarks=3.0, iterations=8) for a in (1.0, 0.3, 0.1))
    settings = NicpSettings(steps=steps)
    free = nicp(ball.vertices, ball.faces, turned, ball.faces, settings=settings)
    held = nicp(
        ball.vertices, ball.faces, turned, ball.faces,
        landmarks=(ids, turned[ids]), settings=settings,
    )  # fmt: skip
    error = np.linalg.norm(held.vertices - turned, axis=1)
    assert error[ids].max() < 5e-4
    assert error.mean() < 0.2 * np.linalg.norm(free.vertices - turned, axis=1).mean()


def test_where_the_target_ends_its_border_does_not_pull():
    head = toy_head(3)
    front = head.faces[head.vertices[head.faces][:, :, 2].mean(axis=1) > 0.02]
    steps = (NicpStep(0.02, iterations=10),)
    kept = nicp(head.vertices, head.faces, head.vertices, front, settings=NicpSettings(steps))
    drawn = nicp(
        head.vertices, head.faces, head.vertices, front,
        settings=NicpSettings(steps, borders=False, angle=180.0),
    )  # fmt: skip
    back = head.vertices[:, 2] < 0.0
    stays, strays = (
        np.linalg.norm(each.vertices - head.vertices, axis=1)[back].mean() for each in (kept, drawn)
    )
    assert stays < 1e-4 < strays


def test_normals_keep_two_sides_apart():
    head = toy_head(3)
    inside_out = head.faces[:, ::-1].copy()
    with pytest.raises(InputError, match="no vertex of the template finds a partner"):
        nicp(head.vertices, head.faces, head.vertices, inside_out)


def test_a_cloud_is_a_target_too():
    source, fine = toy_head(3), toy_head(5)
    points = bent(fine.vertices)
    normals = vertex_normals(points, fine.faces)
    found = nicp(source.vertices, source.faces, points, target_normals=normals)
    assert distance(found.vertices, Mesh(points, fine.faces)).mean() < 3e-4


def test_what_cannot_work_is_said():
    head = toy_head(1)
    good = (head.vertices, head.faces)
    broken = head.vertices.copy()
    broken[3, 1] = np.nan
    with pytest.raises(InputError, match="1 of the 42 vertices of the target are not finite"):
        nicp(*good, broken, head.faces)
    with pytest.raises(InputError, match="1 of the 42 vertices of the template are not finite"):
        nicp(broken, head.faces, *good)
    with pytest.raises(InputError, match="the target is empty"):
        nicp(*good, np.zeros((0, 3)))
    with pytest.raises(InputError, match="no vertex of the template finds a partner"):
        nicp(*good, head.vertices + 5.0, head.faces)
    with pytest.raises(InputError, match="landmark vertices run from 2 to 42"):
        nicp(*good, *good, landmarks=(np.array([2, 42]), np.zeros((2, 3))))
    with pytest.raises(InputError, match="came with 1 places"):
        nicp(*good, *good, landmarks=(np.array([2, 4]), np.zeros((1, 3))))
    with pytest.raises(InputError, match="name vertices 0 to 41"):
        nicp(head.vertices[:40], head.faces, *good)
