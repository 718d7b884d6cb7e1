"""What sticks out of the skin goes back, and nothing else moves."""

import numpy as np

from rigface.fit.mouth_bag import THICK, tuck_mouth
from rigface.metrics.outer import outer_surface
from rigface.rig.template_io import load_template


def test_pierced_skin_is_mended():
    template = load_template()
    run = template.parts["skin"].vertices
    skin, outer = template.mesh.vertices[run].copy(), outer_surface(template).skin_faces
    assert tuck_mouth(template, skin, outer) is None
    bag = np.flatnonzero((template.regions["mouth_cavity"] & ~template.regions["outer"])[run])
    deepest = bag[np.abs(skin[bag, 0]).argmax()]
    side = np.sign(skin[deepest, 0])
    skin[deepest, 0] += 0.05 * side  # through the cheek
    moved = tuck_mouth(template, skin, outer)
    assert moved is not None
    assert np.flatnonzero(np.abs(moved).sum(axis=1)).tolist() == [deepest]
    assert side * moved[deepest, 0] < -THICK
    assert tuck_mouth(template, skin + moved, outer) is None
