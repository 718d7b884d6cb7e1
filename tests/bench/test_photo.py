"""The photo bench with a recipe of cardboard: pictures, scores, rows and limits."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from rigface.bench import photo_data
from rigface.bench.photo import LINEAR, OURS, Scope, failures, told_apart
from rigface.bench.photo_data import HEADS, SCORED_REGIONS, PhotoHead, photo_head
from rigface.bench.photo_fits import (
    Attempt,
    HeadScores,
    attempt,
    gather,
    predicted,
    score,
)
from rigface.bench.photo_paint import LatticeColours, PaintedHead, lattice, painted
from rigface.bench.photo_pictures import LENSES, LIGHTS, SHOTS, YAWS, Shot, take
from rigface.bench.photo_rows import (
    condition_grid,
    head_grid,
    headline_rows,
    portrait_row,
    region_grid,
)
from rigface.bench.registration_data import BenchScan
from rigface.errors import InputError
from rigface.evidence.face import FaceObservation
from rigface.evidence.scan import Scan
from rigface.geometry.mesh import Mesh
from rigface.geometry.similarity import Similarity
from rigface.metrics.closest import closest_on_mesh
from rigface.metrics.now import now_mask
from rigface.metrics.outer import outer_surface
from rigface.render.head_paint import HeadPaint
from rigface.rig.template_io import load_template

SHOT = Shot(0, 85, "studio", True)


@dataclass(frozen=True)
class Cardboard:
    """What the recipe hands back, as far as the bench reads it."""

    neutral: np.ndarray
    ok: bool = True
    reason: str | None = None
    reprojection_percent: float = 1.5
    seconds: dict[str, float] = field(default_factory=lambda: {"fit": 1.0})
    template = load_template()


@pytest.fixture(scope="module")
def picture(painted_template):
    return take(painted_template, SHOT, (320, 320))


def seen() -> FaceObservation:
    """A face that nobody looks at."""
    nowhere = np.full((478, 2), np.nan)
    size = np.full(478, np.inf)
    no = np.zeros(478, bool)
    return FaceObservation(nowhere, nowhere[:, 0], size, no, 1.0, "nobody", (320, 320))


def other_face(mode: int = 0) -> np.ndarray:
    template = load_template()
    return template.mesh.vertices + template.shape_modes[mode]


def test_there_are_thirteen_heads_and_every_condition_is_balanced():
    assert len(HEADS) == 13
    assert len(SHOTS) == len(set(SHOTS)) == len(LIGHTS) * len(YAWS) * len(LENSES) == 30
    for shots in ([s for s in SHOTS if s.yaw == yaw] for yaw in YAWS):
        assert sum(shot.told for shot in shots) == 3


def test_a_picture_is_the_same_in_any_company(painted_template, picture):
    again = take(painted_template, SHOT, (320, 320))
    assert np.array_equal(again.photo.pixels, picture.photo.pixels)
    assert picture.photo.focal_px == pytest.approx(85 / 43.27 * 320 * 2**0.5)
    untold = take(painted_template, Shot(0, 85, "studio", False), (320, 320))
    assert untold.photo.focal_px is None


def test_the_head_is_where_the_camera_says(picture):
    middle = picture.camera.project(torch.tensor([[0.0, -0.03, 0.03]], dtype=torch.float64))[0]
    assert np.abs(middle.numpy() - 160).max() < 25
    near, far = map(camera_distance, LENSES)
    assert far / near == pytest.approx(85 / 35, rel=0.2)


def camera_distance(lens: int) -> float:
    template = load_template()
    vertices = torch.from_numpy(template.mesh.vertices)
    faces = torch.from_numpy(template.mesh.faces)
    paint = HeadPaint.of_template(template)
    plain = PaintedHead("template", vertices, faces, paint, torch.ones(len(vertices)))
    return take(plain, Shot(0, lens, "studio", True), (64, 64)).camera.position.norm().item()


def test_a_detector_finds_the_face(picture):
    pytest.importorskip("mediapipe")
    from rigface.perception import load_detector

    faces = load_detector("mediapipe").detect(picture.photo)
    assert len(faces) == 1
    template = load_template()
    marks = template.landmarks.positions(template.mesh.vertices, template.mesh.faces)
    where = picture.camera.project(torch.from_numpy(marks))[0].numpy()
    corners = [36, 39, 42, 45, 48, 54]
    error = np.linalg.norm(faces[0].ibug68()[corners] - where[corners], axis=1)
    assert np.median(error) < 0.06 * faces[0].interocular


def test_colours_of_a_lattice_are_blended_linearly(rng):
    n = 5
    places = lattice(n)
    corner = rng.uniform(size=(2, 3, 3))
    colours = np.einsum("pc,fcd->fpd", places, corner)  # linear: blending must be exact
    albedo = LatticeColours(torch.from_numpy(colours), n)
    bary = rng.dirichlet(np.ones(3), size=500)
    bary[:21] = places
    face = rng.integers(2, size=500)
    found = albedo.at(torch.from_numpy(face), torch.from_numpy(bary)).numpy()
    np.testing.assert_allclose(found, np.einsum("nc,ncd->nd", bary, corner[face]), atol=1e-12)
    kinked = torch.from_numpy(rng.uniform(size=(2, len(places), 3)))
    at_places = LatticeColours(kinked, n).at(
        torch.ones(len(places), dtype=torch.long), torch.from_numpy(places)
    )
    np.testing.assert_allclose(at_places.numpy(), kinked[1].numpy(), atol=1e-12)


def test_the_head_itself_has_no_error(head):
    perfect = score(head, predicted(load_template(), 1.07 * head.template))
    assert perfect.now.median < 1e-3
    assert perfect.now.scan_from_prediction.scale == pytest.approx(1 / 1.07, abs=1e-6)
    assert perfect.metric.median > 0.3
    assert set(perfect.regions) == set(SCORED_REGIONS)
    assert max(perfect.regions.values()) < 1e-3


def test_a_wrong_nose_is_seen_in_its_region(head):
    template = load_template()
    vertices = head.template.copy()
    tip = template.landmarks.positions(vertices, template.mesh.faces)[30]
    near = np.exp(-((np.linalg.norm(vertices - tip, axis=1) / 0.012) ** 2))
    vertices[:, 2] += 0.006 * near
    regions = score(head, predicted(template, vertices)).regions
    assert regions["nose"] == max(regions.values()) > 0.2
    assert regions["eyes and forehead"] < 0.05


def test_failures_are_counted_with_their_reason(head, picture):
    def refuse(photo, face, model):
        raise InputError("too dark")

    def gate(photo, face, model):
        return Cardboard(other_face(), ok=False, reason="blurred")

    template = load_template()
    face = seen()
    tries = [
        attempt(head, picture, None, "asm"),
        attempt(head, picture, face, "asm", refuse),
        attempt(head, picture, face, "asm", gate),
    ]
    assert [one.reason for one in tries] == ["no face found", "too dark", "blurred"]
    scores = scores_of(head, tries)
    rows = {row.what: row for row in headline_rows([scores], OURS)}
    assert rows["pictures without a result"].value == 3
    assert not rows["pictures without a result"].ok
    assert not rows["NoW median, mean over heads"].ok
    assert "3 of 3" in failures([scores])[0] and "no face found" in failures([scores])[0]
    assert np.isnan(gather("x", tries, template).spread())


def scores_of(head: PhotoHead, tries: list[Attempt]) -> HeadScores:
    template = load_template()
    unfitted = {
        name: score(head, predicted(template, other_face(mode)))
        for name, mode in (("template", 0), ("ICT mean", 1))
    }
    return HeadScores(head.name, unfitted, {OURS: gather(head.name, tries, template)})


def test_rows_of_a_good_recipe_keep_their_limits(head, picture):
    def good(photo, face, model):
        assert model == "asm"
        return Cardboard(head.template)

    tries = [attempt(head, picture, seen(), "asm", good) for _ in range(2)]
    scores = scores_of(head, tries)
    rows = {row.what: row for row in headline_rows([scores], OURS)}
    assert all(row.ok for row in rows.values())
    limited = {what: row.limit for what, row in rows.items() if row.limit is not None}
    assert limited == {
        "NoW median, mean over heads": 1.1,
        "below the ICT mean face by": 15.0,
        "heads below both mean faces": 1,
        "pictures without a result": 0,
        "spread of the neutral face over pictures": 1.0,
    }
    assert rows["below the ICT mean face by"].better == "higher"
    assert rows["spread of the neutral face over pictures"].value < 1e-6
    assert rows["fit stage, median"].value == 1.0
    grids = [head_grid([scores]), region_grid([scores]), condition_grid([scores], OURS)]
    for grid in grids:
        assert all(len(line) == len(grid.header) for line in grid.rows)
    assert len(grids[0].rows) == 1
    assert len(grids[1].rows) == 3


def test_portraits_have_a_limit():
    assert portrait_row("a.png", 2.4).ok
    assert not portrait_row("a.png", 2.6).ok
    assert not portrait_row("a.png", float("nan")).ok


def test_the_whole_benchmark_is_the_default():
    scope = Scope()
    assert scope.heads == HEADS
    assert scope.shots == SHOTS
    assert scope.command


def test_a_baseline_without_a_model_of_its_own_has_no_figure(head, picture):
    ours = Attempt(SHOT, None, head.template)
    copied = Attempt(SHOT, None, head.template.copy())
    own = Attempt(SHOT, None, other_face())
    failed = Attempt(SHOT, None, reason="too dark")
    kept = told_apart({OURS: ours, LINEAR: copied})
    assert kept[OURS] is ours
    assert kept[LINEAR].neutral is None and "no such model" in str(kept[LINEAR].reason)
    assert told_apart({OURS: ours, LINEAR: own})[LINEAR] is own
    assert told_apart({OURS: ours, LINEAR: failed})[LINEAR] is failed
    assert told_apart({OURS: failed, LINEAR: failed})[LINEAR] is failed


@pytest.fixture
def turned(monkeypatch, tmp_path) -> PhotoHead:
    """The template as a mask in millimetres, turned away, with a registration that is exact."""
    template, outer = load_template(), outer_surface(load_template())
    turn, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    scan_from_model = Similarity(1000.0, turn * np.sign(np.linalg.det(turn)), np.full(3, 70.0))
    vertices = template.mesh.vertices
    face = template.regions["face"]
    balls = outer.faces[~outer.skin]
    kept = np.concatenate([outer.faces[face[outer.faces].all(axis=1)], balls])
    scan = Scan(scan_from_model.apply(vertices), kept)
    nose = scan_from_model.apply(np.array([0.0, -0.04, 0.05]))
    case = BenchScan("SIMPOP_01", scan, 0.001, nose, "", Mesh(scan.vertices * 0.001, kept))
    calls = []

    class Result:
        vertices_in_scan = scan.vertices

    Result.scan_from_model = scan_from_model  # type: ignore[attr-defined]
    monkeypatch.setattr(photo_data, "_case", lambda name, data: case)
    monkeypatch.setattr(photo_data, "fit_scan", lambda scan: calls.append(1) or Result)
    first = photo_head("SIMPOP_01", tmp_path, tmp_path / "cache")
    again = photo_head("SIMPOP_01", tmp_path, tmp_path / "cache")
    assert len(calls) == 1
    np.testing.assert_array_equal(first.truth.points, again.truth.points)
    return again


def test_a_scan_is_turned_to_the_front_in_its_true_size(turned):
    template = load_template()
    np.testing.assert_allclose(turned.mesh.vertices, template.mesh.vertices, atol=1e-6)
    marks = template.landmarks.positions(template.mesh.vertices, template.mesh.faces)
    np.testing.assert_allclose(turned.truth.landmarks[17:], marks[17:], atol=1e-5)
    centre, radius = now_mask(turned.truth.landmarks)
    assert np.linalg.norm(turned.truth.points - centre, axis=1).max() <= radius
    nose = turned.points_of("nose")
    assert len(nose) > 300
    assert np.abs(nose[:, 0]).max() < 0.03
    assert sum(len(turned.points_of(name)) for name in SCORED_REGIONS) < len(turned.truth.points)


def test_brows_lips_irises_and_a_head_behind_the_mask_are_painted(turned, tmp_path):
    head = painted(turned, tmp_path)
    assert len(head.faces) > len(turned.mesh.faces)  # the lent head
    marks = turned.truth.landmarks
    places = np.stack([marks[30], marks[[51, 57]].mean(0), marks[19] - (0, 0.001, 0)])
    eyes = turned.template[load_template().parts["eyeball.L"].vertices]
    lids = marks[42:48].mean(axis=0)
    gaze = eyes[np.argmin(np.linalg.norm(eyes - lids, axis=1))]
    places = np.vstack([places, gaze])
    found = closest_on_mesh(places, turned.mesh.vertices, turned.mesh.faces)
    colours = head.albedo.at(torch.from_numpy(found.face), torch.from_numpy(found.bary)).numpy()
    skin, lips, brow, eye = colours
    assert lips[0] / lips[1] > 1.3 * skin[0] / skin[1]
    assert brow.max() < 0.5 * skin.max()
    assert eye.max() < 0.5 * skin.max()
    back = torch.tensor([len(head.faces) - 1])
    assert torch.isfinite(head.albedo.at(back, torch.full((1, 3), 1 / 3))).all()
