"""`load_scan`: every format gives the same surface, and every file of the data loads."""

import numpy as np
import pytest
from scan_files import got, obj_text, sheet, write_all

from rigface.errors import InputError
from rigface.io import load_scan


def test_every_format_gives_the_same_surface(tmp_path):
    vertices, faces = sheet()
    expected = np.sort(vertices[faces].reshape(len(faces), -1), axis=0)
    for path in write_all(tmp_path):
        scan = load_scan(str(path))
        assert scan.source == path
        if path.suffix == ".xyz":
            assert scan.is_point_cloud and scan.vertices.shape == (600, 3)
            continue
        corners = scan.vertices[got(scan.faces)].reshape(len(faces), -1)
        np.testing.assert_array_equal(np.sort(corners, axis=0), expected)


def test_obj_keeps_vertex_ids(tmp_path, rng):
    vertices, faces = sheet(20, 20)
    order = rng.permutation(len(vertices))
    path = tmp_path / "scan.OBJ"
    path.write_text(obj_text(vertices[order], np.argsort(order)[faces]))
    np.testing.assert_array_equal(load_scan(path).vertices, vertices[order])


def test_points_without_faces(tmp_path, rng):
    path = tmp_path / "scan.obj"
    points = rng.normal(size=(500, 3))
    path.write_text(obj_text(points, np.zeros((0, 3), int)))
    assert load_scan(path).is_point_cloud
    path.write_text(obj_text(points[:499], np.zeros((0, 3), int)))
    with pytest.raises(InputError, match="only 499 points"):
        load_scan(path)


def test_only_degenerate_faces_leave_a_point_cloud(tmp_path, rng):
    path = tmp_path / "scan.obj"
    path.write_text(obj_text(rng.normal(size=(500, 3)), np.zeros((2, 3), int)))
    scan = load_scan(path)
    assert scan.is_point_cloud
    assert scan.notes[-1] == "no usable face; read as a point cloud"


def test_what_is_no_file_is_refused(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.obj")  # reading it would hang
    for name in ("pipe.obj", "x" * 300 + ".obj", "a\0b.obj"):
        with pytest.raises(InputError):
            load_scan(tmp_path / name)


SCANS = {
    "scans/meshmonk/DemoFace_10K.obj": (10_000, 18_324),
    "scans/meshmonk/demoFace_fullres_from_history.obj": (25_524, 50_658),
    "scans/meshmonk/Template.obj": (7_160, 14_050),
    "scans/meshmonk/simulated_faces/SIMPOP_01.obj": (7_160, 14_050),
    "mediapipe/canonical_face_model.obj": (468, 898),
    "ict_facekit/FaceXModel/generic_neutral_mesh.obj": (26_719, 52_220),
}


@pytest.mark.parametrize("name", SCANS)
def test_real_scans(data_dir, name):
    scan = load_scan(data_dir / name)
    assert (len(scan.vertices), len(got(scan.faces))) == SCANS[name]
    duplicates = "removed 2 duplicate faces"
    assert scan.notes == ((duplicates,) if "fullres" in name else ())
