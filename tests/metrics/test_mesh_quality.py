import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from toy_heads import toy_head

from rigface.metrics.mesh_quality import (
    flipped_faces,
    mesh_quality,
    part_intersections,
    sharp_creases,
    triangle_shapes,
)
from rigface.rig.template_io import load_template


def grid(size: int = 12) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.arange(size, dtype=float), np.arange(size, dtype=float))
    vertices = np.stack([x.ravel(), y.ravel(), 0.02 * (x**2 + y**2).ravel()], axis=1)
    corner = (np.arange(size - 1)[:, None] * size + np.arange(size - 1)).ravel()
    faces = [[corner, corner + 1, corner + size + 1], [corner, corner + size + 1, corner + size]]
    return vertices, np.concatenate([np.stack(face, axis=1) for face in faces])


def test_pose_and_scale_flip_nothing_and_distort_nothing():
    head = toy_head(3)
    turned = 40 * head.vertices @ Rotation.from_rotvec([2.0, 1.5, -1]).as_matrix().T + 7
    quality = mesh_quality(head.vertices, turned, head.faces)
    assert quality.flipped == quality.self_intersections == quality.folded_neighbours == 0
    assert quality.sharp_creases == 0
    stretch = (quality.edge_stretch_p01, quality.edge_stretch_p99, quality.area_stretch_p99)
    assert stretch == pytest.approx((1, 1, 1))


def test_a_vertex_pulled_over_its_neighbours_flips_the_faces_behind_it():
    vertices, faces = grid()
    moved = vertices.copy()
    pulled = 6 * 12 + 6
    moved[pulled, :2] += [1.6, 0.0]
    flipped = flipped_faces(vertices, moved, faces)
    assert 1 <= flipped.sum() <= 4
    assert (faces[flipped] == pulled).any(axis=1).all()
    quality = mesh_quality(vertices, moved, faces)
    assert quality.flipped_share == flipped.sum() / len(faces)
    assert quality.sharp_creases > 0
    assert quality.sharp_creases == sharp_creases(vertices, moved, faces)


def test_turning_a_triangle_by_89_and_91_degrees():
    vertices, faces = grid()
    for degrees, expected in ((89, False), (91, True)):
        moved = vertices.copy()
        corners = moved[faces[0]]
        axis = corners[1] - corners[0]
        turn = Rotation.from_rotvec(np.radians(degrees) * axis / np.linalg.norm(axis))
        moved[faces[0, 2]] = turn.apply(corners[2] - corners[0]) + corners[0]
        assert bool(flipped_faces(vertices, moved, faces)[0]) is expected


def test_a_collapsed_triangle_counts_as_flipped_and_one_without_rest_area_does_not():
    vertices, faces = grid()
    moved = vertices.copy()
    moved[faces[0, 2]] = moved[faces[0, 0]]
    assert flipped_faces(vertices, moved, faces)[0]
    assert not flipped_faces(moved, vertices, faces)[0]


def test_a_dent_through_the_back_is_counted():
    head = toy_head(3)
    moved = head.vertices.copy()
    back = head.vertices[:, 2].argmin()
    moved[back] = [0, 0, 0.2]
    assert mesh_quality(head.vertices, moved, head.faces).self_intersections > 0


def test_stretch_is_relative_to_the_median():
    vertices, faces = grid()
    wide = vertices * [1, 1, 1]
    wide[:, 0] = np.where(vertices[:, 0] > 9, 9 + 3 * (vertices[:, 0] - 9), vertices[:, 0])
    quality = mesh_quality(vertices, wide, faces)
    assert quality.edge_stretch_p99 == pytest.approx(3, rel=0.15)
    assert quality.edge_stretch_p01 == pytest.approx(1, rel=0.05)


def test_triangle_shapes():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0.5, np.sqrt(3) / 2, 0], [0, 1, 0], [2, 0, 0]])
    faces = np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]])
    aspect, angle = triangle_shapes(vertices, faces)
    assert aspect[:2] == pytest.approx([1, np.sqrt(2) / (2 * np.sqrt(3) * (1 - np.sqrt(0.5)))])
    assert np.isinf(aspect[2])
    assert angle == pytest.approx([60, 45, 0])


@pytest.fixture(scope="module")
def template():
    loaded = load_template()
    if "lid_rim.L" not in loaded.regions:
        pytest.skip("the shipped template has no regions")
    return loaded


def test_the_shipped_head_has_no_part_intersections(template):
    assert part_intersections(template, template.mesh.vertices) == {
        "lid_eyeball": 0,
        "lip_teeth": 0,
    }


def test_eyes_and_teeth_pushed_forward_are_noticed(template):
    for part, key in (("eyeball.L", "lid_eyeball"), ("teeth.upper", "lip_teeth")):
        moved = template.mesh.vertices.copy()
        moved[template.parts[part].vertices] += [0, 0, 0.012]
        found = part_intersections(template, moved)
        assert found[key] > 0
        assert sum(found.values()) == found[key]


def test_eight_thousand_faces_take_less_than_a_second():
    import time

    ball = trimesh.creation.icosphere(subdivisions=5)
    vertices = np.array(ball.vertices)[:, :] * [1, 1.2, 0.9]
    faces = np.array(ball.faces, dtype=np.int64)[:8400]
    mesh_quality(vertices, vertices, faces)  # compiles the kernels
    start = time.process_time()
    mesh_quality(vertices, vertices * 1.1, faces)
    assert time.process_time() - start < 1.0
