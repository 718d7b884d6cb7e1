"""Levels of detail: interpolating, affine, smooth, deterministic."""

import numpy as np
import pytest
import torch

from rigface.geometry.mesh import face_areas, face_normals, unique_edges
from rigface.geometry.surface import Surface
from rigface.rig.subdivision import split_faces, subdivide, subdivide_uv
from rigface.rig.template_io import load_template


@pytest.fixture(scope="module")
def skin():
    template = load_template()
    part = template.parts["skin"]
    return template.mesh.vertices[part.vertices], template.mesh.faces[part.faces]


@pytest.fixture(scope="module")
def levels(skin):
    return [subdivide(skin[1], level, len(skin[0])) for level in (1, 2)]


def test_counts(skin, levels):
    vertices, faces = skin
    for level, (operator, fine) in enumerate(levels, start=1):
        assert len(fine) == 4**level * len(faces)
        assert operator.shape == (fine.max() + 1, len(vertices))
    assert levels[0][0].shape[0] == len(vertices) + len(unique_edges(faces))


def test_coarse_vertices_stay_exactly(skin, levels):
    for operator, _ in levels:
        np.testing.assert_array_equal((operator @ skin[0])[: len(skin[0])], skin[0])


def test_planes_are_kept(skin, levels, rng):
    flat = np.concatenate([rng.normal(size=(len(skin[0]), 2)), np.full((len(skin[0]), 1), 0.7)], 1)
    for operator, _ in levels:
        np.testing.assert_allclose((operator @ flat)[:, 2], 0.7, atol=1e-12)


def test_a_level_is_close_to_the_next(skin, levels):
    coarse, fine = (operator @ skin[0] for operator, _ in levels)
    shared = len(coarse)
    # level 1 vertices are on the limit surface, and level 2 keeps them there
    gap = np.linalg.norm(fine[:shared] - coarse, axis=1)
    assert gap.max() < 1e-4
    surface = Surface(torch.tensor(fine), torch.tensor(levels[1][1]))
    middle = coarse[levels[0][1]].mean(axis=1)
    distance = surface.closest(torch.tensor(middle)).distance
    assert distance.mean() < 1e-4


def test_finer_is_smoother(skin, levels):
    def mean_bend(vertices, faces):
        normals = face_normals(vertices, faces)
        edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
        owner = np.tile(np.arange(len(faces)), 3)
        order = np.lexsort(edges.T)
        edges, owner = edges[order], owner[order]
        twin = np.flatnonzero((edges[1:] == edges[:-1]).all(axis=1))
        cosine = np.einsum("ed,ed->e", normals[owner[twin]], normals[owner[twin + 1]])
        return np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()

    bends = [mean_bend(*skin)] + [mean_bend(op @ skin[0], fine) for op, fine in levels]
    assert bends[1] < 0.6 * bends[0]
    assert bends[2] < 0.6 * bends[1]


def test_faces_keep_their_side_and_corners(skin, levels):
    vertices, faces = skin
    operator, fine = levels[0]
    assert (face_areas(operator @ vertices, fine) > 0).all()
    for corner in range(3):
        np.testing.assert_array_equal(fine[corner::4, corner], faces[:, corner])
    cosine = np.einsum(
        "fd,fd->f",
        np.repeat(face_normals(vertices, faces), 4, axis=0),
        face_normals(operator @ vertices, fine),
    )
    assert (cosine > 0).mean() > 0.99


def test_deterministic(skin, levels):
    again, faces = subdivide(skin[1], 1, len(skin[0]))
    np.testing.assert_array_equal(faces, levels[0][1])
    assert (again != levels[0][0]).nnz == 0


def test_level_zero_is_the_identity(skin):
    operator, faces = subdivide(skin[1], 0)
    np.testing.assert_array_equal(operator @ skin[0], skin[0])
    np.testing.assert_array_equal(faces, skin[1])
    with pytest.raises(ValueError, match="levels=-1"):
        subdivide(skin[1], -1)


def test_uv_midpoints_match_the_skin_faces(skin):
    template = load_template()
    uv, uv_faces = template.mesh.uv, template.mesh.uv_faces
    assert uv is not None
    assert uv_faces is not None
    uv_faces = uv_faces[template.parts["skin"].faces]
    operator, fine = subdivide_uv(uv_faces, 1, len(uv))
    corners, expected = (operator @ uv)[fine], uv[uv_faces]
    a, b, c = (expected[:, i] for i in range(3))
    np.testing.assert_allclose(corners[0::4, 1], 0.5 * (a + b), atol=1e-12)
    np.testing.assert_allclose(corners[3::4, 1], 0.5 * (b + c), atol=1e-12)
    np.testing.assert_allclose(corners[2::4, 0], 0.5 * (a + c), atol=1e-12)


def test_a_sphere_is_approached():
    """An octahedron-born sphere: the smooth operator stays closer to it than midpoints."""
    vertices = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    faces = np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    )
    for _ in range(3):
        edges = unique_edges(faces)
        faces, vertices = (
            split_faces(faces, len(vertices)),
            np.concatenate([vertices, vertices[edges].mean(axis=1)]),
        )
        vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    operator, _ = subdivide(faces, 2)
    edges = unique_edges(faces)
    off = np.abs(np.linalg.norm(operator @ vertices, axis=1) - 1).max()
    midpoint = np.abs(np.linalg.norm(vertices[edges].mean(axis=1), axis=1) - 1).max()
    assert off < 0.4 * midpoint
