"""The measure of the depth benchmark: right about a head that is known, and about itself."""

import numpy as np
from depth_frames import shot
from synthetic_fits import random_head

from rigface.bench.depth import Distances, against, hold_out
from rigface.fit.depth_cloud import find_person
from rigface.metrics.region import REGION_RADIUS
from rigface.rig.template_io import load_template


def test_a_known_head_is_as_close_as_the_noise():
    template = load_template()
    first, second = shot(), shot(0.02, seed=5)
    place = template.landmarks.names.index("ibug.30")
    head = first.cam_from_model.apply(random_head(0))
    nose = template.landmarks.positions(head, template.mesh.faces)[place]
    (held,) = hold_out([find_person(second.frame)], find_person(first.frame), nose)
    true = first.cam_from_model @ second.cam_from_model.inverse()
    middle = np.array([0.0, 0.0, 0.4])
    assert np.linalg.norm(held.pose.apply(middle) - true.apply(middle)) < 1e-3
    assert np.linalg.norm(held.pose.apply(held.cloud.points) - nose, axis=1).max() < REGION_RADIUS
    assert np.median(held.residual_mm) < 0.5
    found = against(head, template, [held], "truth")
    assert np.median(found.every) < 0.3
    bad = against(head * [1.03, 1.0, 1.0], template, [held], "wide")
    assert bad.every.mean() > found.every.mean()


def test_the_line_of_the_table():
    cells = Distances("a", [np.array([1.0, 2.0]), np.array([3.0])]).cells()
    assert cells == ("a", "2", "2.80", "2", "1.50 to 3.00")
