"""A cloud finds its place on a surface, whatever it shows of it, and says when it does not."""

import numpy as np
from scipy.spatial.transform import Rotation
from toy_heads import toy_head

from rigface.fit.rigid import RigidTarget
from rigface.geometry.mesh import Mesh, vertex_normals
from rigface.geometry.similarity import Similarity


def shape() -> Mesh:
    """Nothing about it is round."""
    head = toy_head(4)
    return head.with_vertices(head.vertices * [0.8, 1.25, 1.0])


def seen(mesh: Mesh, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points of its front and directions that face them."""
    normals = vertex_normals(mesh.vertices, mesh.faces)
    front = mesh.vertices[:, 2] > 0.02
    return mesh.vertices[front] + 0.0002 * rng.standard_normal((front.sum(), 3)), normals[front]


def test_the_pose_is_found(rng):
    mesh = shape()
    points, toward = seen(mesh, rng)
    motion = Similarity(1.0, Rotation.from_rotvec([0.1, -0.08, 0.05]).as_matrix(),
                        np.array([0.004, -0.003, 0.005]))  # fmt: skip
    back = motion.inverse()
    fit = RigidTarget(mesh).lay(back.apply(points), back.rotate(toward), Similarity.identity())
    error = fit.surface_from_cloud.apply(back.apply(points)) - points
    assert np.linalg.norm(error, axis=1).max() < 5e-4
    assert fit.share > 0.95 and fit.median < 4e-4
    assert fit.surface_from_cloud.scale == 1.0


def test_strays_do_not_pull(rng):
    mesh = shape()
    points, toward = seen(mesh, rng)
    stray = points[::6] + 0.012 * toward[::6]
    fit = RigidTarget(mesh).lay(
        np.concatenate([points, stray]),
        np.concatenate([toward, toward[::6]]),
        Similarity(1.0, np.eye(3), np.array([0.002, 0.0, -0.002])),
    )
    moved = fit.surface_from_cloud.apply(points)
    assert np.linalg.norm(moved - points, axis=1).max() < 1e-3


def test_elsewhere_nothing_is_found(rng):
    mesh = shape()
    points, toward = seen(mesh, rng)
    far = Similarity(1.0, np.eye(3), np.array([0.0, 0.0, 1.0]))
    fit = RigidTarget(mesh).lay(points, toward, far)
    assert fit.share == 0.0 and np.isnan(fit.median)
    assert RigidTarget(mesh).lay(points, -toward, Similarity.identity()).share == 0.0
