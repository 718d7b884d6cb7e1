"""The views bench with a recipe of cardboard: photo sets, cache, cases, rows and limits."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rigface.bench.command import CommandTime
from rigface.bench.photo_data import PhotoHead
from rigface.bench.photo_paint import PaintedHead
from rigface.bench.photo_pictures import SIZE
from rigface.bench.views import failures, run_cases
from rigface.bench.views_cases import QUICK, VIEWS, Case, Kept, Outcome, Scope, cases, some
from rigface.bench.views_detect import packed, seen_once, unpacked
from rigface.bench.views_fits import (
    ABLATIONS,
    CALIBRATED,
    DEFAULT,
    LINEAR,
    OTHER_EXPRESSION,
    PAPER,
    Recipe,
    fit_views,
)
from rigface.bench.views_heads import HEADS, ViewsHead
from rigface.bench.views_pictures import (
    LIGHTINGS,
    ViewShot,
    empty_photo,
    in_world,
    shots,
    take_view,
    world_from_model,
)
from rigface.bench.views_rows import (
    Results,
    accuracy_rows,
    command_rows,
    comparison_rows,
    head_grid,
    recipe_grid,
    spoiled_rows,
    views_grid,
)
from rigface.bench.views_run import RUN, Runner, stranger
from rigface.errors import InputError, UsageError
from rigface.evidence.face import FaceMasks, FaceObservation, FaceQuality
from rigface.evidence.photo import Photo
from rigface.rig.template_io import load_template

HEAD = HEADS[0]
SCOPE = Scope((HEAD,), 1, (1, 2), ("fixed",), others=False, command=False)


@dataclass(frozen=True)
class Cardboard:
    """What the recipe hands back, as far as the bench reads it."""

    neutral: np.ndarray
    ok: bool = True
    reason: str | None = None
    warnings: Sequence[str] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    template = load_template()


@dataclass
class Looker:
    """Finds a face in the middle of every picture, or none."""

    face: FaceObservation | None
    looks: int = 0

    def detect(self, photo: Photo) -> list[FaceObservation]:
        self.looks += 1
        return [] if self.face is None else [self.face]


def some_face(rng: np.random.Generator) -> FaceObservation:
    points = rng.uniform(0, 600, (478, 2))
    masks = FaceMasks((-3, 0, 61, 64), rng.random((8, 8)) > 0.5, np.full((8, 8), 200, np.uint8))
    return FaceObservation(
        points,
        points[:, 0],
        np.full(478, np.inf),
        rng.random(478) > 0.5,
        0.9,
        "nobody 1.0",
        SIZE,
        FaceQuality(0.5, sharpness=0.02),
        {"jawOpen": 0.25},
        masks,
    )


@pytest.fixture
def runner(head: PhotoHead, painted_template: PaintedHead, rng, tmp_path) -> Runner:
    known = ViewsHead(head, tmp_path)
    known.__dict__["painted"] = painted_template  # the cached property, without a scan's paint

    def good(photos, faces, recipe, cameras):
        return Cardboard(1.02 * head.template, warnings=[f"{photos[-1].source.name}: odd"])

    return Runner(tmp_path, Looker(some_face(rng)), tmp_path, good, lambda name, data: known)


def result_of(rmse: float, **changes) -> Outcome:
    return replace(Outcome(rmse, 1.0, 2.0, RUN, True, face=str(rmse)), **changes)


def test_sets_of_a_draw_are_nested_and_every_draw_is_another():
    assert shots(HEAD, 3, 16)[:5] == shots(HEAD, 3, 5)
    cameras = [shots(HEAD, draw, 2)[1].camera for draw in range(3)]
    assert len({float(camera.focal[0]) for camera in cameras}) == 3
    again = ViewShot(HEAD, 0, 1).camera
    assert torch.equal(again.rotation, cameras[0].rotation)


def test_every_camera_is_in_its_range_and_holds_the_face(head):
    face = torch.from_numpy(head.template[load_template().regions["face"]])
    middle = torch.tensor([0.0, -0.03, 0.03], dtype=torch.float64)
    for shot in (shot for name in HEADS for draw in (0, 7) for shot in shots(name, draw, 16)):
        camera = shot.camera
        focal = float(camera.focal[0]) / np.hypot(*SIZE) * 43.27
        back = camera.position - middle
        distance = float(back.norm())
        assert 35 <= focal <= 85
        assert 0.36 <= distance <= 1.54
        assert 0.33 <= float(camera.focal[1]) * 0.2 / distance / SIZE[1] <= 0.68
        assert abs(np.degrees(np.arctan2(float(back[0]), float(back[2])))) < 66
        pixels = camera.project(face)[0]
        assert pixels.min() > 0
        assert (pixels < torch.tensor(SIZE)).all()


def test_a_photo_is_the_same_in_any_company_and_tells_no_focal_length(painted_template):
    shot = ViewShot(HEAD, 1, 4)
    photos = {light: take_view(painted_template, shot, light) for light in LIGHTINGS}
    assert np.array_equal(
        take_view(painted_template, shot, "glossy").pixels, photos["glossy"].pixels
    )
    assert not np.array_equal(photos["fixed"].pixels, photos["varying"].pixels)
    assert {photo.focal_px for photo in photos.values()} == {None}
    assert photos["fixed"].source == Path("view_05.png")
    # The background alone, where no head can be: the same but for exposure and noise.
    corner = (slice(0, 40), slice(0, 40))
    first, second = (photos[light].pixels[corner].astype(float) for light in ("fixed", "varying"))
    assert abs(first.mean() - second.mean()) < 1
    assert empty_photo(shot).source == shot.file


def test_known_cameras_see_the_head_where_it_stands_in_the_world(rng):
    camera, world = ViewShot(HEAD, 0, 0).camera, world_from_model(HEAD, 0)
    points = rng.uniform(-0.1, 0.1, (20, 3))
    there = in_world(camera, world).project(torch.from_numpy(world.apply(points)))
    torch.testing.assert_close(there, camera.project(torch.from_numpy(points)))
    assert np.linalg.det(world.rotation) == pytest.approx(1)


def test_a_picture_is_looked_at_once(rng, tmp_path):
    photo = Photo(rng.integers(0, 255, (20, 20, 3)).astype(np.uint8))
    face = some_face(rng)
    looker = Looker(face)
    first, second = (seen_once(looker, photo, tmp_path) for _ in range(2))
    assert looker.looks == 1
    for seen in (first, second):
        assert seen is not None
        assert packed(seen) == packed(face)
    nobody = Looker(None)
    other = replace(photo, pixels=255 - photo.pixels)
    assert [seen_once(nobody, other, tmp_path) for _ in range(2)] == [None, None]
    assert nobody.looks == 1


def test_an_observation_comes_back_as_it_was(rng):
    face = some_face(rng)
    back = unpacked(packed(face))
    for name in ("landmarks", "z", "sigma", "visible"):
        assert np.array_equal(getattr(back, name), getattr(face, name))
    assert (back.presence, back.source, back.image_size) == (0.9, "nobody 1.0", SIZE)
    assert back.blendshapes == face.blendshapes
    assert back.quality.recrop_change == 0.5
    assert np.isnan(back.quality.mirror_change)
    assert back.masks is not None
    assert face.masks is not None
    assert back.masks.box == (-3, 0, 61, 64)
    assert np.array_equal(back.masks.skin, face.masks.skin)
    bare = replace(face, masks=None, blendshapes=None)
    assert unpacked(packed(bare)).masks is None


def test_cases_are_all_different_and_the_whole_is_what_was_asked_for():
    every = list(cases(Scope()))
    assert len({case.key for case in every}) == len(every)
    assert Scope().whole
    assert some(1, ()).whole and not some(1, ("SIMPOP_01",)).whole
    fixed = {c.views for c in every if c.recipe == DEFAULT and c.light == "fixed"}
    assert fixed == {1, 2, 3, 4, 5, 8, 16} == set(VIEWS)
    assert {case.recipe for case in every} > {DEFAULT, PAPER, LINEAR, CALIBRATED, *ABLATIONS}
    assert [case.views for case in cases(QUICK)] == 2 * [1, 2, 5]
    with pytest.raises(UsageError, match="1 to 10"):
        some(11, ())
    with pytest.raises(UsageError, match="nobody"):
        some(1, ("nobody",))


def test_a_stopped_run_is_taken_up_again(runner, tmp_path):
    lines: list[str] = []
    kept = Kept.under(tmp_path)
    first = run_cases(runner, SCOPE, kept, lines.append)
    assert len(lines) == 3
    assert all(one.rmse < 0.01 for one in first.values())
    assert all(one.scale == pytest.approx(1 / 1.02, abs=1e-5) for one in first.values())

    def refuse(photos, faces, recipe, cameras):
        raise AssertionError("known fits are not repeated")

    again = run_cases(replace(runner, fit=refuse), SCOPE, kept, lines.append)
    assert again == first
    assert len(lines) == 4
    file = next(kept.folder.glob("*.json"))
    file.write_text("{", encoding="utf-8")  # cut off: fitted again
    assert run_cases(runner, SCOPE, kept, lines.append).keys() == first.keys()
    assert len(lines) == 6
    assert not list(tmp_path.rglob("*.pkl"))


def test_failures_have_their_reason(runner, tmp_path):
    def refuse(photos, faces, recipe, cameras):
        raise InputError("too dark")

    outcomes = run_cases(replace(runner, fit=refuse), SCOPE, Kept(tmp_path), lambda line: None)
    assert [one.reason for one in outcomes.values()] == 2 * ["too dark"]
    assert "no face in 2 fits" in failures(outcomes)[0]
    assert "too dark" in failures(outcomes)[0]
    rows = {row.what: row for row in accuracy_rows(Results(outcomes))}
    assert rows["fits without a face"].value == 2
    assert not rows["RMSE, 5 views, fixed light"].ok


def test_spoiled_sets_differ_in_the_last_photo_alone(runner):
    clean = runner.photos(Case(HEAD, 0, 5))
    for spoiled in ("stranger", "nobody"):
        photos = runner.photos(Case(HEAD, 0, 5, spoiled=spoiled))
        assert all(a is b for a, b in zip(clean[:4], photos[:4], strict=True))
        assert not np.array_equal(photos[4].pixels, clean[4].pixels)
        assert photos[4].source == clean[4].source
    assert all(stranger(name) != name for name in HEADS)
    outcome = runner.measure(Case(HEAD, 0, 5, spoiled="nobody"))
    assert outcome.names(Path("view_05.png"))
    assert not outcome.names(Path("view_04.png"))


def test_a_photo_without_a_face_is_the_recipes_business(runner):
    given = []

    def fit(photos, faces, recipe, cameras):
        given.append(faces)
        return Cardboard(load_template().mesh.vertices)

    case = Case(HEAD, 0, 1)
    replace(runner, fit=fit).measure(case)
    replace(runner, fit=fit, detector=Looker(None), cache=runner.cache / "other").measure(case)
    assert len(given[0]) == 1
    assert given[1] is None


def test_known_cameras_are_scored_without_scale(runner, head):
    case = Case(HEAD, 0, 2, recipe=CALIBRATED)
    for size, low, high in ((1.0, 0.0, 0.01), (1.05, 0.5, 5.0)):
        there = Cardboard(size * head.template)

        def fit(photos, faces, recipe, cameras, there=there):
            assert len(cameras) == len(photos)
            return there

        outcome = replace(runner, fit=fit).measure(case)
        assert low <= outcome.rmse < high
        assert outcome.scale == 1.0


def full(rmse_of) -> Results:
    """Outcomes of every case of two draws of one head by a rule."""
    scope = Scope((HEAD,), 2)
    return Results({case: rmse_of(case) for case in cases(scope)})


def good(case: Case) -> Outcome:
    rmse = 0.7 + 0.5 / case.views + 0.01 * case.draw
    if case.recipe != DEFAULT:
        rmse += 0.1
    if case.recipe.calibrated:
        rmse = 0.4
    named = ("view_05.png: another person",) if case.spoiled else ()
    return result_of(rmse, cpu=50.0 if case.recipe.paper else 5.0, warnings=named)


def rows_of(results: Results) -> dict[tuple[str, str], bool]:
    rows = accuracy_rows(results) + comparison_rows(results) + spoiled_rows(results)
    return {(row.what, row.on): row.ok for row in rows}


def test_rows_of_a_good_recipe_keep_their_limits():
    results = full(good)
    assert all(rows_of(results).values())
    rows = {row.what: row for row in accuracy_rows(results) + comparison_rows(results)}
    assert rows["RMSE, 5 views, fixed light"].value == pytest.approx(0.805)
    assert rows["RMSE, 5 views, fixed light"].limit == 0.90
    assert rows["RMSE, 16 views, calibrated, metric"].limit == 0.50
    assert rows["RMSE falls from 8 to 16 views by"].value == pytest.approx(0.5 / 16)
    assert rows["processor time of the paper recipe over ours"].value == pytest.approx(10)
    for grid in (views_grid(results), recipe_grid(results), head_grid(results)):
        assert grid.rows
        assert all(len(line) == len(grid.header) for line in grid.rows)
    assert "0.805 ± 0.007" in views_grid(results).rows[4]


def broken(recipe: Recipe | None = None, **changes):
    """The good recipe with some outcomes changed."""

    def rule(case: Case) -> Outcome:
        hit = case.recipe == recipe if recipe is not None else bool(case.spoiled)
        return replace(good(case), **changes) if hit else good(case)

    return rule


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        (broken(ABLATIONS[0], rmse=0.5), "no photometric term"),
        (broken(LINEAR, rmse=0.5), "linear 3DMM, 16 views"),
        (broken(PAPER, cpu=20.0), "processor time"),
        (broken(PAPER, run="yesterday"), "processor time"),
        (broken(CALIBRATED, rmse=0.6), "calibrated"),
        (broken(warnings=()), "named"),
        (broken(rmse=1.3), "RMSE above that of 4 views"),
        (broken(rmse=float("nan")), "RMSE above that of 4 views"),
    ],
)
def test_every_limit_can_be_missed(rule, what):
    assert [ok for (name, _), ok in rows_of(full(rule)).items() if what in name].count(False)


def test_a_switch_without_effect_gets_no_figure():
    def rule(case: Case) -> Outcome:
        return replace(good(case), face=f"{case.draw} {case.views}")

    rows = {row.what: row for row in comparison_rows(full(rule))}
    assert np.isnan(rows["RMSE rises by, with no contour term, 5 views"].value)


def test_only_photos_where_both_have_a_face_are_compared():
    def rule(case: Case) -> Outcome:
        lost = case.recipe == LINEAR and case.draw == 1
        return Outcome(reason="lost") if lost else good(case)

    rows = {row.what: row for row in comparison_rows(full(rule))}
    row = rows["RMSE rises by, with linear 3DMM, 5 views"]
    assert row.value == pytest.approx(0.1)
    assert row.on == "1 pairs"


def test_the_command_has_its_limits():
    assert all(row.ok for row in command_rows(CommandTime(59.0, 3.9)))
    assert not any(row.ok for row in command_rows(CommandTime(61.0, 4.1)))
    assert not any(row.ok for row in command_rows(CommandTime()))


def test_a_recipe_reaches_the_fit(monkeypatch, rng):
    from rigface.fit import photo as recipe_module

    asked = {}

    def fit_photos(photos, observations=None, config=None, progress=None, model=None, cameras=None):
        asked.update(faces=observations, config=config, model=model, cameras=cameras)
        return Cardboard(np.zeros((3, 3)))

    monkeypatch.setattr(recipe_module, "fit_photos", fit_photos)
    photos = [empty_photo(ViewShot(HEAD, 0, 0))]
    plain = recipe_module.PhotoConfig()
    fit_views(photos, [some_face(rng)], DEFAULT, None)
    assert asked["config"] == plain
    assert asked["model"] is asked["cameras"] is None
    fit_views(photos, None, OTHER_EXPRESSION, None)
    assert asked["config"] == replace(plain, shared_expression=not plain.shared_expression)
    assert asked["faces"] is None
    fit_views(photos, None, Recipe("no identity", off="identity"), None)
    assert asked["config"].settings.identity == 0
    fit_views(photos, None, CALIBRATED, [ViewShot(HEAD, 0, 0).camera])
    assert len(asked["cameras"]) == 1
    fit_views(photos, None, PAPER, None)
    assert asked["config"] == replace(plain, recipe="paper")
