import numpy as np
import pytest
import torch
import trimesh

from rigface.geometry.surface import Surface


def noisy_ball(seed: int = 0, subdivisions: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    ball = trimesh.creation.icosphere(subdivisions=subdivisions)
    noise = np.random.default_rng(seed).normal(size=ball.vertices.shape) * 0.02
    return torch.from_numpy(ball.vertices + noise), torch.from_numpy(np.array(ball.faces))


def oracle(points: torch.Tensor, vertices: torch.Tensor, faces: torch.Tensor) -> np.ndarray:
    igl = pytest.importorskip("igl")
    square, _, _ = igl.point_mesh_squared_distance(
        points.numpy(), vertices.numpy(), faces.numpy().astype(np.int64)
    )
    return np.sqrt(square)


def test_closest_points_agree_with_libigl(rng):
    vertices, faces = noisy_ball()
    points = torch.from_numpy(rng.normal(size=(500, 3)))
    found = Surface(vertices, faces).closest(points)
    assert found.distance.dtype == torch.float64
    assert np.abs(found.distance.numpy() - oracle(points, vertices, faces)).max() < 1e-6
    rebuilt = torch.einsum("nc,ncd->nd", found.bary, vertices[faces[found.face]])
    assert (rebuilt - found.point).abs().max() < 1e-5
    assert found.bary.min() > -1e-6
    assert (found.bary.sum(-1) - 1).abs().max() < 1e-6


def test_refit_follows_moved_vertices(rng):
    vertices, faces = noisy_ball()
    surface = Surface(vertices, faces)
    points = torch.from_numpy(rng.normal(size=(200, 3)))
    moved = vertices * torch.tensor([1.5, 0.7, 1.0]) + 0.3
    found = surface.refit(moved).closest(points)
    assert np.abs(found.distance.numpy() - oracle(points, moved, faces)).max() < 1e-6


def test_nothing_is_found_outside_the_radius():
    vertices, faces = noisy_ball()
    points = torch.tensor([[1.05, 0, 0], [3.0, 0, 0]], dtype=torch.float64)
    surface = Surface(vertices, faces)
    found = surface.closest(points, radius=0.5)
    assert surface.missed(found).tolist() == [False, True]
    assert torch.isinf(found.distance[1])


def test_rays_hit_the_near_side_and_pass_beside():
    vertices, faces = noisy_ball()
    origins = torch.tensor([[3.0, 0, 0], [3.0, 2, 0]], dtype=torch.float64)
    directions = torch.tensor([[-1.0, 0, 0], [-1.0, 0, 0]], dtype=torch.float64)
    face, distance = Surface(vertices, faces).ray(origins, directions)
    assert abs(float(distance[0]) - 2) < 0.1
    assert vertices[faces[face[0]]][:, 0].min() > 0.9
    assert face[1] == -1
    assert torch.isinf(distance[1])


def test_escape_share_of_a_ball():
    vertices, faces = noisy_ball(subdivisions=4)
    outside = torch.tensor([[0.0, 0, 1.2], [0, 0, 0]], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(4000, 3, generator=generator, dtype=torch.float64)
    directions /= directions.norm(dim=-1, keepdim=True)
    share = Surface(vertices, faces).escape_share(outside, directions, 10.0)
    # A ball of radius 1 covers the cap of half-angle asin(1 / 1.2) as seen from 1.2 away.
    expected = 1 - (1 - np.sqrt(1 - 1 / 1.2**2)) / 2
    assert abs(float(share[0]) - expected) < 0.03
    assert share[1] == 0
