"""Thinned meshes stay close, whole and made of original vertices."""

import numpy as np
import pytest
import torch
from rig_assets import make_rig

from rigface.geometry.mesh import Mesh, boundary_edges, face_normals, sample_surface
from rigface.geometry.surface import Surface
from rigface.report.collapse import collapse_edges
from rigface.report.decimate import cluster_vertices, decimate, thin_points


@pytest.fixture(scope="module")
def head() -> Mesh:
    """A tube with a nose, 29,000 faces, a wide rim at each end."""
    rig = make_rig(rings=94)
    ring = rig.faces.min(axis=1) // 188
    return Mesh(rig.vertices[: 94 * 188], rig.faces[(ring > 7) & (ring < 85)])


def distance_mm(head: Mesh, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    surface = Surface(torch.from_numpy(vertices).float(), torch.from_numpy(faces))
    points, _ = sample_surface(head.vertices, head.faces, 3_000, seed=2)
    return 1e3 * surface.closest(torch.from_numpy(points).float()).distance.numpy()


def test_small_meshes_are_left_alone(head: Mesh) -> None:
    everything = np.ones(len(head.vertices), dtype=bool)
    kept, faces = decimate(head.vertices, head.faces, everything, len(head.faces))
    assert np.array_equal(kept, np.arange(len(head.vertices))) and faces is head.faces


def test_collapse_reaches_the_number_and_stays_close(head: Mesh) -> None:
    everything = np.ones(len(head.vertices), dtype=bool)
    kept, faces = decimate(head.vertices, head.faces, everything, 4_000)
    assert 3_900 < len(faces) <= 4_000
    assert len(kept) == len(np.unique(kept)) == faces.max() + 1
    error = distance_mm(head, head.vertices[kept], faces)
    assert error.mean() < 0.12 and error.max() < 0.6  # without costs: 0.15 and 1.4


def test_collapse_keeps_one_consistent_sheet(head: Mesh) -> None:
    ones = np.ones(len(head.vertices))
    kept, faces = collapse_edges(head.vertices, head.faces, ones, 4_000)
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed)  # no edge twice in one direction
    euler = len(kept) - len(np.unique(np.sort(directed, axis=1), axis=0)) + len(faces)
    assert euler == 0  # a tube
    assert len(boundary_edges(faces)) > 0
    middle = head.vertices[kept][faces].mean(axis=1) + [0, 0.02, 0.04]
    outward = np.einsum("fi,fi->f", face_normals(head.vertices[kept], faces), middle)
    assert (outward > 0).mean() > 0.995


def test_surroundings_go_first(head: Mesh) -> None:
    face = head.vertices[:, 2] > 0.0
    kept, _ = decimate(head.vertices, head.faces, face, 6_000)
    assert face[kept].sum() / face.sum() > 1.5 * (~face[kept]).sum() / (~face).sum()


def test_same_input_same_result(head: Mesh) -> None:
    everything = np.ones(len(head.vertices), dtype=bool)
    first = decimate(head.vertices, head.faces, everything, 5_000)
    second = decimate(head.vertices, head.faces, everything, 5_000)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_triangle_soup_ends_too(rng: np.random.Generator) -> None:
    """Nothing can be collapsed where no faces meet."""
    vertices = rng.normal(size=(3_000, 3))
    faces = np.arange(3_000).reshape(-1, 3)
    kept, thinned = decimate(vertices, faces, np.ones(3_000, dtype=bool), 200)
    assert len(thinned) <= 200 and (len(thinned) == 0 or thinned.max() < len(kept))


def test_clusters_are_about_as_many_as_asked(head: Mesh) -> None:
    kept, faces = cluster_vertices(head.vertices, head.faces, 3_000)
    assert 1_500 < len(faces) < 6_000
    assert distance_mm(head, head.vertices[kept], faces).mean() < 2.0


def test_points_are_thinned_with_the_important_ones_first() -> None:
    important = np.zeros(10_000, dtype=bool)
    important[:1_000] = True
    kept = thin_points(important, 2_000)
    assert len(np.unique(kept)) == 2_000 and important[kept].sum() == 1_000
    assert np.array_equal(thin_points(important, 10_000), np.arange(10_000))
    mostly = ~important
    assert mostly[thin_points(mostly, 2_000)].sum() == 1_000
