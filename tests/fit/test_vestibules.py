"""Vestibules of the nose that become as deep as a scan shows them."""

import numpy as np
import pytest

from rigface.fit.matching import SkinTopology
from rigface.fit.vestibules import deepen_vestibules
from rigface.rig.template_io import load_template


def skin() -> np.ndarray:
    template = load_template()
    return template.mesh.vertices[template.parts["skin"].vertices]


def cups() -> np.ndarray:
    topology = SkinTopology.of_template(load_template())
    return topology.faces[topology.cups[topology.faces].all(axis=1)]


def tube(side: float, depth: float, count: int = 80) -> np.ndarray:
    """Points on the walls and at the bottom of a tube above the vestibule of one side."""
    ids = np.unique(cups())
    mine = skin()[ids][side * skin()[ids][:, 0] > 0]
    rng = np.random.default_rng(1)
    angle, height = rng.uniform(0, 2 * np.pi, count), rng.uniform(0, depth, count)
    ring = 0.003 * np.column_stack([np.cos(angle), 0 * angle, np.sin(angle)])
    return mine.mean(axis=0) + ring + height[:, None] * np.array([0.0, 1.0, 0.0])


def deepened(points: np.ndarray) -> np.ndarray:
    faces = SkinTopology.of_template(load_template()).faces
    return deepen_vestibules(skin(), faces, cups(), points)


@pytest.mark.parametrize("depth", [0.006, 0.010])
def test_a_cup_reaches_the_bottom_of_its_tube(depth):
    points = tube(1.0, depth)
    moved = deepened(points)
    ids = np.unique(cups())
    left = ids[skin()[ids][:, 0] > 0]
    top = moved[left][:, 1].max() - skin()[left][:, 1].mean()
    assert top == pytest.approx(depth, abs=0.003)
    others = np.setdiff1d(np.arange(len(moved)), left)
    np.testing.assert_array_equal(moved[others], skin()[others])


def test_both_sides_are_stretched_on_their_own():
    moved = deepened(np.concatenate([tube(1.0, 0.010), tube(-1.0, 0.006)]))
    ids = np.unique(cups())
    rise = (moved - skin())[ids]
    left = skin()[ids][:, 0] > 0
    assert np.linalg.norm(rise[left], axis=1).max() > np.linalg.norm(rise[~left], axis=1).max() > 0


def test_few_points_change_nothing_and_shallow_ones_little():
    np.testing.assert_array_equal(deepened(tube(1.0, 0.010, count=4)), skin())
    shallow = deepened(tube(1.0, 0.001)) - skin()
    assert np.linalg.norm(shallow, axis=1).max() < 0.003
