"""Eyeballs, teeth and tongue follow the skin and nothing crosses."""

import numpy as np
import pytest
from synthetic_fits import random_head

from rigface.fit.parts import assemble_head, contact_counts, posed
from rigface.rig.template_io import load_template

CLEAN = {"lid_eyeball": 0, "lip_teeth": 0}


def assembled(vertices: np.ndarray, scale: float = 1.0):
    template = load_template()
    skin = vertices[template.parts["skin"].vertices]
    return assemble_head(template, skin, np.tile(scale * np.eye(3), (len(skin), 1, 1)))


@pytest.fixture(scope="module")
def own():
    return assembled(load_template().mesh.vertices)


def test_the_template_keeps_its_own_parts(own):
    skin, rest = load_template().parts["skin"].vertices, load_template().mesh.vertices
    np.testing.assert_array_equal(own.vertices[skin], rest[skin])
    # an eyeball may take one step back for the clearance of its lids
    np.testing.assert_allclose(own.vertices, rest, atol=4.1e-4)
    assert contact_counts(load_template(), own) == CLEAN


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_crosses_on_random_heads(seed):
    vertices, template = random_head(seed), load_template()
    head = assembled(vertices)
    assert contact_counts(template, head) == CLEAN
    for side in "LR":
        run = template.parts[f"eyeball.{side}"].vertices
        # eyes may retreat, but not out of their sockets
        gap = head.vertices[run].mean(axis=0) - vertices[run].mean(axis=0)
        assert np.linalg.norm(gap) < 6e-3


def test_a_larger_head_has_larger_parts(own):
    vertices = 1.2 * load_template().mesh.vertices + np.array([0.1, 0.2, 0.3])
    head = assembled(vertices, 1.2)
    for name, moved in head.moved.items():
        assert moved.scale == pytest.approx(1.2 * own.moved[name].scale)
        run = load_template().parts[name].vertices
        np.testing.assert_allclose(head.vertices[run], vertices[run], atol=1e-3)
    open_jaw = posed(head, ("jawOpen",)) - head.vertices
    expected = posed(own, ("jawOpen",)) - own.vertices
    np.testing.assert_allclose(open_jaw, 1.2 * expected, atol=1e-9)


def test_lids_that_are_closed_already_keep_the_rest_of_the_way():
    template = load_template()
    skin = template.mesh.vertices[template.parts["skin"].vertices].copy()
    index, offset = template.expressions.of("eyeBlinkLeft")
    on_skin = index < len(skin)
    skin[index[on_skin]] += 0.5 * offset[on_skin]
    linear = np.tile(np.eye(3), (len(skin), 1, 1))
    head = assemble_head(template, skin, linear, {"eyeBlinkLeft": 0.5})
    _, kept = head.expressions.of("eyeBlinkLeft")
    ratio = np.linalg.norm(kept[on_skin], axis=1).sum() / np.linalg.norm(offset, axis=1).sum()
    assert 0.4 < ratio < 0.6
