"""The golden wording of what users are told. Change it here when you improve it there."""

from pathlib import Path

import numpy as np
import pytest
from scan_files import glb_bytes, gltf_parts, obj_text, ply_bytes, sheet, stl_bytes

from rigface.errors import InputError, RigfaceError
from rigface.io import check_writable, load_landmarks, load_scan

VERTICES, FACES = sheet()


def broken(vertices: np.ndarray, row: int, value: float) -> np.ndarray:
    changed = vertices.copy()
    changed[row, 1] = value
    return changed


SCANS: dict[str, tuple[str, bytes | str | None, str]] = {
    "missing": (
        "a.obj", None,
        "a.obj does not exist. Check the spelling of the path."),
    "unknown extension": (
        "a.fbx", "x",
        "a.fbx has the unknown extension '.fbx'. Known are .obj, .ply, .stl, .glb, .gltf, .xyz, "
        ".txt, .csv, .asc; convert the scan to one of them."),
    "empty": (
        "a.ply", "",
        "a.ply is empty (0 bytes). Copy or export the scan again."),
    "text in OBJ": (
        "a.obj", "Dear all,\nplease find the scan attached.\n",
        "a.obj holds no vertices: no line of it has the form 'v x y z'. Expected a Wavefront OBJ "
        "mesh; check that it is the right file."),
    "text in PLY": (
        "a.ply", "Dear all,\n",
        "a.ply is no PLY file: it does not begin with the line 'ply'. Check the extension, or "
        "export the scan again."),
    "text in GLB": (
        "a.glb", "Dear all,\n",
        "a.glb is no GLB file: it does not begin with 'glTF'. Check the extension, or export the "
        "scan again."),
    "text in STL": (
        "a.stl", "Dear all,\n",
        "a.stl is no STL file: 10 bytes are too few for a binary one, and it does not begin with "
        "'solid' as an ascii one does. Export the scan again."),
    "truncated PLY": (
        "a.ply", ply_bytes(VERTICES, FACES)[:700],
        "a.ply is cut short: its header announces 30 'vertex' rows, which need at least 690 "
        "bytes, but 463 are left. Copy or export the file again."),
    "truncated GLB": (
        "a.glb", glb_bytes(*gltf_parts(VERTICES, FACES))[:900],
        "a.glb is cut short: the header announces 1,356 bytes, the file has 900. Copy or export "
        "it again."),
    "truncated STL": (
        "a.stl", stl_bytes(VERTICES, FACES)[:1000],
        "a.stl is cut short or no STL file: its header announces 40 triangles, but the file holds "
        "18. Copy or export it again."),
    "NaN": (
        "a.ply", ply_bytes(broken(VERTICES, 7, np.nan), FACES),
        "a.ply has 1 vertices of 30 with NaN or infinite coordinates, the first is number 7 "
        "(counting from 0). Remove them in your mesh editor, or export the scan again."),
    "infinite": (
        "a.obj", obj_text(broken(VERTICES, 29, np.inf), FACES),
        "a.obj has 1 vertices of 30 with NaN or infinite coordinates, the first is number 29 "
        "(counting from 0). Remove them in your mesh editor, or export the scan again."),
    "huge coordinates": (
        "a.obj", obj_text(broken(VERTICES, 2, -1e30), FACES),
        "a.obj has coordinates up to 1e+30; no unit makes a face of that (limit 1e+12). The file "
        "is damaged: export the scan again."),
    "few points": (
        "a.obj", obj_text(VERTICES, FACES[:0]),
        "a.obj holds no usable face and only 30 points; expected a mesh, or a point cloud of at "
        "least 500 points. Export the scan with its faces or with more points."),
    "absurd header": (
        "a.ply", ply_bytes(VERTICES, FACES).replace(b"vertex 30", b"vertex 3000000000"),
        "the header of a.ply announces 3,000,000,000 vertices and 40 faces; at most 50,000,000 "
        "vertices and 100,000,000 faces are read. If the scan is really that large, decimate it "
        "first; otherwise the file is damaged: export it again."),
    "faces beyond": (
        "a.obj", obj_text(VERTICES, FACES + 3),
        "a.obj has 6 faces that name missing vertices: the first names vertex 30 (counting from "
        "0), but there are 30. The file is cut short or damaged: export the scan again."),
    "one place": (
        "a.obj", obj_text(np.ones((30, 3)), FACES),
        "a.obj has no extent: all 30 vertices lie at one place. The file is damaged: export the "
        "scan again."),
    "decimal commas": (
        "a.obj", "v 1,5 2,5 3,5\n",
        "a.obj, line 1: 'v 1,5 2,5 3,5' cannot be read as 'v x y z'; write numbers with a decimal "
        "point and no commas."),
}  # fmt: skip


def told(error: RigfaceError, folder: Path) -> str:
    return str(error).replace(f"{folder}/", "")


@pytest.mark.parametrize("case", SCANS)
def test_scans(tmp_path, case):
    name, data, message = SCANS[case]
    if data is not None:
        (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(InputError) as caught:
        load_scan(tmp_path / name)
    assert told(caught.value, tmp_path) == message
    assert caught.value.exit_code == 3


def test_messages_differ_from_case_to_case():
    messages = [message for _, _, message in SCANS.values()]
    assert len(set(messages)) == len(messages)


def test_folder(tmp_path):
    (tmp_path / "scans").mkdir()
    with pytest.raises(InputError) as caught:
        load_scan(tmp_path / "scans")
    assert told(caught.value, tmp_path) == (
        "scans is a folder. Give the scan file inside it (.obj, .ply, .stl, .glb, .gltf, .xyz, "
        ".txt, .csv, .asc)."
    )


def test_landmarks(tmp_path):
    path = tmp_path / "marks.csv"
    path.write_text("nose_tip,1,2,3\nleft elbow,4,5,6\nchin,7,8,9\n".replace("left elbow", "elbow"))
    with pytest.raises(InputError) as caught:
        load_landmarks(path)
    assert told(caught.value, tmp_path) == (
        "marks.csv names the unknown landmark 'elbow'. Known names: jaw_right, chin, jaw_left, "
        "brow_outer_right, brow_inner_right, brow_inner_left, brow_outer_left, nasion, nose_tip, "
        "nostril_right, subnasale, nostril_left, eye_outer_right, eye_inner_right, "
        "eye_inner_left, eye_outer_left, mouth_right, lip_upper, mouth_left, lip_lower, ibug.0 to "
        "ibug.67 (left and right are the subject's)."
    )


def test_output(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RigfaceError) as caught:
        check_writable(tmp_path / "file" / "out")
    assert caught.value.exit_code == 3
    assert told(caught.value, tmp_path) == (
        "file/out cannot be the output folder: file is a file. Name another folder."
    )
