"""From a centimetre too low and a size too large the right place wins."""

import numpy as np
from depth_frames import shot

from rigface.fit.alignment import Alignment
from rigface.fit.depth import SENSOR
from rigface.fit.depth_cloud import find_person
from rigface.fit.depth_size import beside, settle_size
from rigface.fit.models import build_models
from rigface.fit.target import FACE_CENTRE, ScanTarget, seen_target
from rigface.rig.template_io import load_template


def test_size_and_height_are_settled():
    view, template = shot(), load_template()
    cloud = find_person(view.frame).cloud()
    models = build_models(template, "asm", 2, False)

    def target_at(found: Alignment) -> ScanTarget:
        inside = cloud.moved(found.scan_from_model.inverse())
        return seen_target(inside.points, inside.toward, inside.sigma, 800)

    low = beside(view.cam_from_model, 1.2, -0.012)
    found = settle_size(Alignment(low, 1.0), target_at, models, template, SENSOR)
    up = view.cam_from_model.rotation[:, 1]
    height = up @ (found.scan_from_model.apply(FACE_CENTRE) - low.apply(FACE_CENTRE))
    assert height > 0.005
    assert found.scan_from_model.scale < 1.1
    assert found.score == 1.0


def test_beside():
    view = shot()
    moved = beside(view.cam_from_model, 0.9, 0.01)
    shift = moved.apply(FACE_CENTRE) - view.cam_from_model.apply(FACE_CENTRE)
    np.testing.assert_allclose(shift, 0.01 * view.cam_from_model.rotation[:, 1], atol=1e-12)
    assert moved.scale == 0.9
