"""The photo bench with a recipe of cardboard: pictures, scores, rows and limits."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from rigface.bench.photo import OURS, Scope, failures
from rigface.bench.photo_data import HEADS, SCORED_REGIONS, PhotoHead
from rigface.bench.photo_fits import (
    Attempt,
    HeadScores,
    attempt,
    gather,
    predicted,
    score,
)
from rigface.bench.photo_paint import LatticeColours, PaintedHead, lattice
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
from rigface.geometry.mesh import Mesh, sample_surface
from rigface.metrics.closest import closest_on_mesh
from rigface.metrics.now import ScanFace, now_mask
from rigface.metrics.outer import outer_surface
from rigface.render.head_paint import HeadPaint
from rigface.render.openness import open_share
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
def head() -> PhotoHead:
    """The template as though it were a scan of somebody."""
    template = load_template()
    vertices, outer = template.mesh.vertices, outer_surface(template)
    mesh = Mesh(vertices, outer.faces)
    marks = template.landmarks.positions(vertices, template.mesh.faces)
    centre, radius = now_mask(marks)
    points, _ = sample_surface(vertices, outer.faces, 20_000)
    points = points[np.linalg.norm(points - centre, axis=1) < radius]
    region = outer.region[closest_on_mesh(points, vertices, outer.faces).face]
    case = BenchScan("cardboard", Scan(vertices, outer.faces), 1.0, np.zeros(3), "", mesh)
    return PhotoHead(case, mesh, vertices, ScanFace(points, marks), region)


@pytest.fixture(scope="module")
def painted_template() -> PaintedHead:
    template = load_template()
    vertices = torch.from_numpy(template.mesh.vertices)
    faces = torch.from_numpy(template.mesh.faces)
    paint = HeadPaint.of_template(template)
    return PaintedHead("template", vertices, faces, paint, open_share(vertices, faces))


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
    near, far = (float(take_distance(lens)) for lens in LENSES)
    assert far / near == pytest.approx(85 / 35, rel=0.2)


def take_distance(lens: int) -> float:
    template = load_template()
    vertices = torch.from_numpy(template.mesh.vertices)
    faces = torch.from_numpy(template.mesh.faces)
    paint = HeadPaint.of_template(template)
    plain = PaintedHead("template", vertices, faces, paint, torch.ones(len(vertices)))
    return take(plain, Shot(0, lens, "studio", True), (64, 64)).camera.position.norm()


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
