"""ICT-FaceKit: both layouts, axes, sides and parts."""

import numpy as np
import pytest
from scan_files import got

from rigface.datasets.ict import NPZ_NAME, load_ict, outside_surface
from rigface.datasets.ict_parts import (
    ARKIT_NAMES,
    LANDMARKS_68,
    OUTSIDE,
    PARTS,
    VERTEX_COUNT,
    ict_names,
)
from rigface.errors import InputError

CENTRES = {"left": np.array([3.0, 4.0, 8.0]), "right": np.array([-3.0, 4.0, 8.0])}
UV = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]


@pytest.fixture(scope="module")
def shapes() -> dict[str, np.ndarray]:
    """Vertices in centimetres: noise, with two exact balls where the eyes are."""
    rng = np.random.default_rng(3)
    neutral = rng.normal(size=(VERTEX_COUNT, 3)).round(4)
    for side, centre in CENTRES.items():
        part = PARTS[f"sclera_{side}"]
        direction = rng.normal(size=(len(part), 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        neutral[part.start : part.stop] = centre + 1.5 * direction
    names = ("identity000", "identity001", "browInnerUp_L", "browInnerUp_R", "eyeBlink_L")
    return {"generic_neutral_mesh": neutral} | {
        name: neutral + rng.normal(size=neutral.shape) for name in names
    }


@pytest.fixture(scope="module")
def quads() -> list[list[int]]:
    """A quad and a triangle in every part, and one quad across two parts."""
    faces = []
    for part in PARTS.values():
        a = part.start
        faces += [[a, a + 1, a + 2, a + 3], [a + 4, a + 5, a + 6]]
    return [*faces, [9407, 9408, 9409, 9410], [11246, 11247, 11248, 11249]]


@pytest.fixture(scope="module")
def repository(tmp_path_factory, shapes, quads):
    """The layout of the original repository."""
    folder = tmp_path_factory.mktemp("ICT-FaceKit")
    (folder / "FaceXModel").mkdir()
    tail = [f"vt {u} {v}" for u, v in UV] + ["usemtl M_Face"]
    tail += ["f " + " ".join(f"{v + 1}/{i + 1}" for i, v in enumerate(q)) for q in quads]
    for name, vertices in shapes.items():
        lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in vertices.tolist()]
        (folder / "FaceXModel" / f"{name}.obj").write_text("\n".join(lines + tail) + "\n")
    return folder


@pytest.fixture(scope="module")
def npz(tmp_path_factory, shapes, quads):
    path = tmp_path_factory.mktemp("npz") / NPZ_NAME
    neutral = shapes["generic_neutral_mesh"]
    padded = np.array([[*q, -1][:4] for q in quads], np.int32)
    identity = [name for name in shapes if name.startswith("identity")]
    others = [name for name in shapes if name not in (*identity, "generic_neutral_mesh")]
    np.savez(
        path,
        neutral=neutral.astype(np.float32),
        uv=np.array(UV, np.float32),
        quads=padded,
        quads_uv=np.where(padded < 0, -1, np.arange(4)).astype(np.int32),
        identity_names=identity,
        identity_deltas=np.array([shapes[n] - neutral for n in identity], np.float32),
        expression_names=others,
        expression_deltas=np.array([shapes[n] - neutral for n in others], np.float32),
    )
    return path


def test_repository_and_npz_are_the_same_model(repository, npz):
    models = [load_ict(path) for path in (repository, repository / "FaceXModel", npz, npz.parent)]
    for model in models[1:]:
        assert model.identity_names == ("identity000", "identity001")
        assert set(model.expression_names) == set(models[0].expression_names)
        np.testing.assert_array_equal(model.faces, models[0].faces)
        np.testing.assert_array_equal(model.uv_faces, models[0].uv_faces)
        np.testing.assert_allclose(model.mean, models[0].mean, atol=1e-8)
        np.testing.assert_allclose(model.identity, models[0].identity, atol=1e-8)


def test_unit_origin_and_coefficients(repository, shapes):
    model = load_ict(repository)
    np.testing.assert_allclose(model.origin, [0, 0.04, 0.08], atol=1e-12)
    weights = np.array([2.0, -1.0])
    expression = np.zeros(len(model.expression_names))
    expression[model.expression_names.index("eyeBlink_L")] = 0.5
    vertices = model.vertices(weights, expression)
    assert vertices.dtype == np.float64
    neutral = shapes["generic_neutral_mesh"]
    expected = neutral + 2 * (shapes["identity000"] - neutral)
    expected = expected - (shapes["identity001"] - neutral)
    expected = expected + 0.5 * (shapes["eyeBlink_L"] - neutral)
    np.testing.assert_allclose(vertices + model.origin, expected / 100, atol=1e-7)


def test_quads_and_triangles(repository, quads):
    model = load_ict(repository)
    assert len(model.faces) == sum(len(quad) - 2 for quad in quads)
    assert model.faces[:3].tolist() == [[0, 1, 2], [0, 2, 3], [4, 5, 6]]
    assert model.uv_faces[:3].tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]


def test_outside_surface_has_only_the_outside(repository):
    model = load_ict(repository)
    mesh, kept = outside_surface(model, model.mean)
    allowed = {v for name in OUTSIDE for v in PARTS[name]}
    assert set(kept.tolist()) <= allowed
    # Two triangles of a quad and one triangle in each part, two across face and head.
    assert len(mesh.faces) == 3 * len(OUTSIDE) + 2
    np.testing.assert_array_equal(mesh.vertices, model.mean[kept])
    mask = model.part_faces(*OUTSIDE)
    np.testing.assert_array_equal(kept[mesh.faces], model.faces[mask])
    np.testing.assert_array_equal(got(mesh.uv)[got(mesh.uv_faces)], model.uv[model.uv_faces[mask]])


def test_parts_tile_the_vertices():
    stops = [part.stop for part in PARTS.values()]
    assert [part.start for part in PARTS.values()] == [0, *stops[:-1]]
    assert stops[-1] == VERTEX_COUNT


def test_arkit_names():
    assert len(ARKIT_NAMES) == len(set(ARKIT_NAMES)) == 51
    assert ict_names("eyeBlinkLeft") == ("eyeBlink_L",)
    assert ict_names("mouthRight") == ("mouthRight",)
    assert ict_names("cheekPuff") == ("cheekPuff_L", "cheekPuff_R")
    assert ict_names("jawOpen") == ("jawOpen",)


def test_arkit_matrix_of_a_part_of_the_set(repository):
    names, matrix = load_ict(repository).arkit_matrix()
    assert names == ("browInnerUp", "eyeBlinkLeft")
    assert matrix.sum(axis=1).tolist() == [2, 1]


def test_wrong_inputs(tmp_path, repository):
    with pytest.raises(InputError, match="is no ICT-FaceKit"):
        load_ict(tmp_path / "nowhere")
    (tmp_path / NPZ_NAME).write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(InputError, match="no readable ICT-FaceKit npz"):
        load_ict(tmp_path)
    folder = tmp_path / "small"
    folder.mkdir()
    square = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1\n"
    (folder / "generic_neutral_mesh.obj").write_text(square)
    with pytest.raises(InputError, match="has 3 vertices; ICT-FaceKit light has 26,719"):
        load_ict(folder)
    (folder / "identity000.obj").write_text("v 0 0 0\n")
    with pytest.raises(InputError, match="all shapes share one topology"):
        load_ict(folder)


@pytest.fixture(scope="module")
def real(data_dir):
    return load_ict(data_dir / "ict_facekit")


def test_real_npz_equals_the_original_files(real, data_dir):
    original = load_ict(data_dir / "ict_facekit" / "FaceXModel")
    np.testing.assert_array_equal(original.faces, real.faces)
    np.testing.assert_array_equal(original.uv_faces, real.uv_faces)
    np.testing.assert_allclose(original.mean, real.mean, atol=1e-7)
    np.testing.assert_allclose(original.uv, real.uv, atol=1e-6)
    for kind in ("identity", "expression"):
        names, all_names = (getattr(m, f"{kind}_names") for m in (original, real))
        field = "identity" if kind == "identity" else "expressions"
        for name in names:
            ours = getattr(original, field)[names.index(name)]
            theirs = getattr(real, field)[all_names.index(name)]
            np.testing.assert_allclose(ours, theirs, atol=1e-7)


def test_real_axes_and_sides(real):
    assert (len(real.identity), len(real.expressions)) == (100, 57)
    assert len(real.faces) == 2 * 26_384 - 548
    marks = real.mean[real.landmarks68]
    chin, nasion, nose_tip = marks[8], marks[27], marks[30]
    assert nasion[1] - chin[1] > 0.09  # +Y up, metres
    assert nose_tip[2] == marks[:, 2].max()  # +Z out of the face
    assert marks[36, 0] < 0 < marks[45, 0]  # 36 is the subject's right, at -X
    np.testing.assert_allclose(real.origin[0], 0, atol=1e-9)
    for name, shape in zip(real.expression_names, real.expressions, strict=True):
        if name.endswith(("_L", "_R")):
            moved = np.linalg.norm(shape, axis=1)
            centre = (moved @ real.mean[:, 0]) / moved.sum()
            assert (centre > 0.005) == name.endswith("_L"), name
    for name, sign in (("jawLeft", 1), ("jawRight", -1), ("mouthLeft", 1), ("mouthRight", -1)):
        shape = real.expressions[real.expression_names.index(name)]
        assert sign * shape[real.landmarks68[57], 0] > 0.002, name
    names, matrix = real.arkit_matrix()
    assert names == ARKIT_NAMES
    unused = np.array(real.expression_names)[matrix.sum(axis=0) == 0].tolist()
    assert unused == ["PupilDilate_L", "PupilDilate_R", "cheekRaiser_L", "cheekRaiser_R"]


def test_landmarks_of_the_repository_are_ours(data_dir):
    import json

    config = json.loads((data_dir / "ict_facekit/FaceXModel/vertex_indices.json").read_text())
    assert tuple(config["idx_to_landmark_verts"]) == LANDMARKS_68


def test_real_eyeballs_are_closed_and_around_the_origin(real):
    for side, sign in (("left", 1), ("right", -1)):
        faces = real.faces[real.part_faces(f"sclera_{side}")]
        edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        assert set(np.unique(edges, axis=0, return_counts=True)[1].tolist()) == {2}
        part = PARTS[f"sclera_{side}"]
        ball = real.mean[part.start : part.stop]
        rear = ball[ball[:, 2] < 0]
        radius = np.linalg.norm(rear - [sign * 0.0310, 0, 0], axis=1)
        assert np.ptp(radius) < 0.001 and abs(radius.mean() - 0.0153) < 0.0005


def test_real_outside_is_one_skin_and_two_eyes(real):
    mesh, kept = outside_surface(real, real.mean)
    assert len(kept) == 9409 + 1839 + 2 * 770
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    assert 0.3 < (high - low)[1] < 0.4
