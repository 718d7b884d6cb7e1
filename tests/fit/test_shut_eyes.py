"""Shut eyes are told from open ones, and registered with the lids together."""

from functools import lru_cache

import numpy as np
import pytest
import torch
from synthetic_fits import random_head

from rigface.evidence.scan import Scan
from rigface.fit.eyeballs import Ball, in_opening
from rigface.fit.free_form import FreeForm, register_free_form, register_patch
from rigface.fit.lids import BLINKS, closed_rest
from rigface.fit.matching import Matcher, MatchRule, SkinTopology
from rigface.fit.registration import local_stiffness
from rigface.fit.shut_eyes import EyePatch, bulge, shut_eyes
from rigface.fit.stages import Wavelengths
from rigface.fit.target import ScanTarget, prepare_target
from rigface.geometry.intersections import self_intersections
from rigface.geometry.mesh import Mesh, submesh
from rigface.geometry.similarity import Similarity
from rigface.rig.subdivision import subdivide
from rigface.rig.template_io import load_template
from rigface.terms.robust import GemanMcClure

MM = 1e-3
IDENTITY = Similarity(1.0, np.eye(3), np.zeros(3))


def head(seed: int, left: float, right: float) -> np.ndarray:
    """All parts of a random head with its eyes shut so far."""
    template = load_template()
    blink = closed_rest(template, {BLINKS["L"]: left, BLINKS["R"]: right})
    return random_head(seed) + blink - template.mesh.vertices


@lru_cache(maxsize=8)
def scanned(seed: int, left: float, right: float, noise: float = 0.0) -> ScanTarget:
    """Outer skin and the eyeballs between the lids, one level finer than the template."""
    template, vertices = load_template(), head(seed, left, right)
    parts = [template.parts[name] for name in ("skin", "eyeball.L", "eyeball.R")]
    faces = np.concatenate([template.mesh.faces[part.faces] for part in parts])
    operator, fine = subdivide(faces, 1, len(vertices))
    points = operator @ vertices
    outer = operator @ template.regions["outer"].astype(float) > 0.999
    seen = outer[fine].all(axis=1)
    skin = vertices[template.parts["skin"].vertices]
    for side in "LR":
        ball = vertices[template.parts[f"eyeball.{side}"].vertices]
        sphere = Ball(ball.mean(axis=0), template.eyeballs[side].radius)
        on_ball = operator @ np.isin(np.arange(len(vertices)), _run(f"eyeball.{side}")) > 0.999
        mine = np.flatnonzero(on_ball[fine].all(axis=1))
        seen[mine] = in_opening(template, skin, side, sphere, points[fine[mine]].mean(axis=1))
    shown, _ = submesh(Mesh(points, fine), np.flatnonzero(seen))
    shaken = noise * np.random.default_rng(seed).standard_normal(shown.vertices.shape)
    return prepare_target(Scan(shown.vertices + shaken, shown.faces), IDENTITY, template, 8000)


def _run(part: str) -> np.ndarray:
    run = load_template().parts[part].vertices
    return np.arange(run.start, run.stop)


@lru_cache(maxsize=8)
def registered(seed: int, left: float, right: float, noise: float = 0.0) -> np.ndarray:
    """Skin on the scan, from a start and with a template whose eyes are wide open."""
    template = load_template()
    skin = template.parts["skin"].vertices
    matcher = Matcher(SkinTopology.of_template(template), scanned(seed, left, right, noise))
    rule = MatchRule(10 * MM, 0.5, 1 * MM, GemanMcClure(12.0), slide=0.05, reverse=0.3)
    waves = (Wavelengths(0.06, 0.15), Wavelengths(0.03, 0.12), Wavelengths(0.02, 0.1))
    schedule = FreeForm(rule, waves, 8 * MM)
    start, stiffness = head(seed, 0.0, 0.0)[skin], local_stiffness(template, 0.1)
    return register_free_form(template.mesh.vertices[skin], start, matcher, schedule, stiffness)


def judged(
    seed: int, left: float, right: float, noise: float = 0.0
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Skin and verdict after a registration that left both eyes open."""
    template = load_template()
    matcher = Matcher(SkinTopology.of_template(template), scanned(seed, left, right, noise))
    closed = dict.fromkeys(BLINKS.values(), 0.0)
    skin = registered(seed, left, right, noise)
    return shut_eyes(template, skin, closed, matcher, local_stiffness(template, 0.1))


@pytest.mark.parametrize("seed", [0, 3])
def test_only_the_shut_eye_is_called_shut(seed: int) -> None:
    assert judged(seed, 1.0, 0.0)[1] == ("L",)
    assert judged(seed, 0.0, 1.0)[1] == ("R",)


def test_open_and_half_shut_eyes_stay_as_they_are() -> None:
    skin, sides = judged(0, 0.5, 0.25)
    assert sides == ()
    np.testing.assert_array_equal(skin, registered(0, 0.5, 0.25))


def test_noise_does_not_open_an_eye() -> None:
    assert judged(0, 1.0, 0.0, 0.3 * MM)[1] == ("L",)


def test_shut_lids_come_to_lie_on_the_scan_and_together() -> None:
    template, target = load_template(), scanned(0, 1.0, 0.0)
    skin, _ = judged(0, 1.0, 0.0)
    true = head(0, 1.0, 0.0)
    upper, lower = (template.loops[f"lid.{row}.L"] for row in ("upper", "lower"))
    missed = np.linalg.norm(skin[upper] - true[upper], axis=1).mean()
    open_ones = registered(0, 1.0, 0.0)[upper] - true[upper]
    assert missed < min(1 * MM, 0.4 * np.linalg.norm(open_ones, axis=1).mean())
    apart = np.linalg.norm(skin[upper][:, None] - skin[lower], axis=-1).min(axis=1)
    assert apart.max() < 1.5 * MM
    lids = np.flatnonzero(template.regions["eyes"][: len(skin)] & (skin[:, 0] > 0))
    assert target.surface is not None
    near = target.surface.closest(torch.from_numpy(np.ascontiguousarray(skin[lids])))
    assert float(near.distance.median()) < 0.25 * MM
    near_eye = template.regions["outer"] & template.regions["eyes"]
    faces = template.mesh.faces[near_eye[template.mesh.faces].all(axis=1)]
    assert len(self_intersections(skin, np.ascontiguousarray(faces))) == 0


def test_a_shut_lid_bulges_and_an_open_eye_does_not() -> None:
    template = load_template()
    skin, points = registered(0, 1.0, 0.0), scanned(0, 1.0, 0.0).points
    assert bulge(template, skin, "L", points) > 0.5 * MM
    assert not bulge(template, skin, "R", points) > 0.3 * MM
    assert np.isnan(bulge(template, skin, "L", points[points[:, 0] < 0]))


def test_a_patch_moves_only_its_free_vertices() -> None:
    template = load_template()
    skin = head(0, 0.0, 0.0)[template.parts["skin"].vertices]
    matcher = Matcher(SkinTopology.of_template(template), scanned(0, 1.0, 0.0))
    patch = EyePatch.around(template, skin, "L", matcher)
    start = skin[patch.vertices]
    schedule = FreeForm(MatchRule(5 * MM, 0.5, 1 * MM), (Wavelengths(0.03, 0.12),), 5 * MM)
    stiffness = np.ones(len(start))
    found = register_patch(start, start, patch.free, patch.matcher, schedule, stiffness)
    np.testing.assert_array_equal(found[~patch.free], start[~patch.free])
    assert np.linalg.norm(found - start, axis=1)[patch.free].max() > 0.1 * MM
