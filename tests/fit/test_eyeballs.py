"""Eyeballs from the points between the lids, and skin that stays off them."""

import numpy as np
import pytest

from rigface.fit.eyeballs import GAP, Ball, clearance, lift_off, place_eyeballs
from rigface.geometry.similarity import Similarity
from rigface.rig.template_io import load_template


def skin() -> np.ndarray:
    template = load_template()
    return template.mesh.vertices[template.parts["skin"].vertices]


def seen(ball: Ball, side: str, count: int = 60) -> np.ndarray:
    """Points on a ball in front of its lids' middle, spread over half the opening."""
    template = load_template()
    outline = np.concatenate(
        [skin()[template.loops[f"lid.{row}.{side}"]] for row in ("upper", "lower")]
    )
    rng = np.random.default_rng(0)
    spread = np.ptp(outline, axis=0)[:2] / 5
    aim = outline.mean(axis=0)
    aims = aim + np.column_stack([rng.uniform(-1, 1, (count, 2)) * spread, np.zeros(count)])
    ray = aims - ball.centre
    return ball.centre + ball.radius * ray / np.linalg.norm(ray, axis=1, keepdims=True)


def template_ball(side: str) -> Ball:
    eyeball = load_template().eyeballs[side]
    return Ball(eyeball.centre, eyeball.radius)


def test_without_points_a_ball_stays_with_its_lids():
    balls = place_eyeballs(load_template(), skin(), np.zeros((0, 3)), {})
    for side, ball in balls.items():
        np.testing.assert_allclose(ball.centre, template_ball(side).centre, atol=1e-9)
        assert ball.radius == pytest.approx(template_ball(side).radius)


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize("depth", [-0.002, 0.0005])
def test_the_front_of_a_ball_is_where_points_show_it(side, depth):
    true = template_ball(side)
    true = Ball(true.centre + [0.0, 0.0, depth], true.radius)
    points = seen(true, side)
    found = place_eyeballs(load_template(), skin(), points, {})
    distance = np.linalg.norm(points - found[side].centre, axis=1) - found[side].radius
    before = np.linalg.norm(points - template_ball(side).centre, axis=1) - true.radius
    assert np.abs(distance).mean() < 1e-4 < 0.3 * np.abs(before).mean()
    other = "R" if side == "L" else "L"
    np.testing.assert_allclose(found[other].centre, template_ball(other).centre, atol=1e-9)


def test_outliers_in_the_opening_do_not_move_a_ball_far():
    true = template_ball("L")
    points = seen(true, "L")
    points[:12] += [0.0, 0.0, 0.004]
    found = place_eyeballs(load_template(), skin(), points, {})["L"]
    distance = np.linalg.norm(points[12:] - found.centre, axis=1) - found.radius
    assert np.abs(distance).mean() < 2e-4


def test_balls_move_with_the_frame():
    turn = Similarity(1.1, np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([1.0, 2, 3]))
    points = seen(template_ball("L"), "L")
    here = place_eyeballs(load_template(), skin(), points, {})["L"].moved(turn)
    np.testing.assert_allclose(here.centre, turn.apply(template_ball("L").centre), atol=3e-4)
    assert here.radius == pytest.approx(1.1 * template_ball("L").radius, rel=0.01)


def test_hidden_skin_is_lifted_off_and_seen_skin_is_left():
    template, rest = load_template(), skin()
    ball = template_ball("L")
    big = {"L": Ball(ball.centre, 1.1 * ball.radius)}
    lifted = lift_off(template, rest, big)
    outer = template.regions["outer"][: len(rest)]
    np.testing.assert_array_equal(lifted[outer], rest[outer])
    socket = template.regions["socket.L"][: len(rest)] & ~outer
    distance = np.linalg.norm(lifted[socket] - ball.centre, axis=1)
    assert (distance >= big["L"].radius + GAP - 1e-9).all()


def test_barriers_are_on_the_lids_of_their_side():
    template = load_template()
    left, right = clearance(template, {side: template_ball(side) for side in "LR"})
    assert (skin()[left.index, 0] > 0).all() and (skin()[right.index, 0] < 0).all()
    assert left.energy(skin()) == pytest.approx(right.energy(skin()), rel=1e-3, abs=1e-2)
