import numpy as np
import pytest
from toy_heads import toy_head, toy_outer

from rigface.geometry.mesh import boundary_edges, unique_edges
from rigface.metrics.outer import label_surface, outer_surface
from rigface.rig.subdivision import split_faces, subdivide
from rigface.rig.template_io import load_template


def test_rim_is_the_border_of_the_skin():
    head = toy_head(3)
    outer = toy_outer(head, floor=-0.05)
    edges = np.stack([outer.faces, np.roll(outer.faces, -1, axis=1)], axis=-1)[outer.rim]
    expected = {tuple(edge) for edge in boundary_edges(outer.faces).tolist()}
    assert {tuple(edge) for edge in edges.tolist()} == expected
    assert len(edges) > 20


def test_places_on_the_rim_are_not_on_the_skin():
    faces = np.array([[0, 1, 2], [2, 1, 3], [3, 1, 4]])
    outer = label_surface(faces, np.zeros((0, 3), dtype=np.int64))
    face = np.array([0, 0, 0, 0, 1, 1, 1])
    bary = np.array(
        [
            [0.3, 0.3, 0.4],  # inside
            [0.5, 0.5, 0.0],  # on the open edge 0-1
            [0.0, 0.5, 0.5],  # on the inner edge 1-2
            [1.0, 0.0, 0.0],  # the corner 0
            [0.5, 0.0, 0.5],  # on the open edge 2-3
            [0.0, 0.5, 0.5],  # on the inner edge 1-3
            [0.0, 1.0, 0.0],  # the corner 1, which other faces have on their border
        ]
    )
    expected = [True, False, True, False, False, True, False]
    assert outer.on_skin(face, bary).tolist() == expected


@pytest.fixture(scope="module")
def template():
    loaded = load_template()
    if "outer" not in loaded.regions:
        pytest.skip("the shipped template has no regions")
    return loaded


def test_outer_surface_of_the_template(template):
    outer = outer_surface(template)
    outside = template.regions["outer"]
    assert outside[outer.skin_faces].all()
    assert not template.regions["inner"][outer.skin_faces].all(axis=1).any()
    eyes = np.concatenate(
        [np.unique(template.mesh.faces[template.parts[f"eyeball.{s}"].faces]) for s in "LR"]
    )
    assert set(np.unique(outer.faces[~outer.skin])) == set(eyes)
    assert template.regions["face"][outer.face_faces].any(axis=1).mean() > 0.99
    assert 0.3 < len(outer.face_faces) / len(outer.skin_faces) < 0.9
    named = {outer.regions[index] for index in np.unique(outer.region)}
    assert {"nose", "lips", "eyes", "cheeks", "jaw", "forehead", "brows"} <= named


@pytest.mark.parametrize("levels", [1, 2])
def test_outer_surface_at_a_level_of_detail_is_the_same_one_refined(template, levels):
    coarse, fine = outer_surface(template), outer_surface(template, levels)
    skin = template.parts["skin"]
    vertices, faces = template.mesh.vertices[skin.vertices], template.mesh.faces[skin.faces]
    for _ in range(levels):
        edges = unique_edges(faces)
        faces = split_faces(faces, len(vertices))
        vertices = np.concatenate([vertices, vertices[edges].mean(axis=1)])
    vertices = np.concatenate([vertices, template.mesh.vertices[skin.vertices.stop :]])
    balls = template.mesh.vertices[coarse.faces[~coarse.skin]]
    assert np.array_equal(vertices[fine.faces[~fine.skin]], balls)
    children = vertices[fine.skin_faces].mean(axis=1).reshape(-1, 4**levels, 3)
    parents = template.mesh.vertices[coarse.skin_faces].mean(axis=1)
    assert np.allclose(children.mean(axis=1), parents)
    assert np.array_equal(fine.region[fine.skin][:: 4**levels], coarse.region[coarse.skin])


def test_face_numbers_are_those_of_the_level_of_detail(template):
    skin = template.parts["skin"]
    _, faces = subdivide(template.mesh.faces[skin.faces], 1, skin.vertices.stop)
    fine = outer_surface(template, 1).skin_faces
    assert set(map(tuple, fine.tolist())) <= set(map(tuple, faces.tolist()))
