"""A whole head in one call."""

import numpy as np
import torch

from rigface.cameras import orbiting
from rigface.render.head import head_openness, render_head
from rigface.render.head_paint import Palette
from rigface.rig.template_io import load_template


def test_a_head_in_front_of_a_background():
    template = load_template()
    vertices = torch.from_numpy(template.mesh.vertices)
    camera = orbiting((0.0, -0.03, 0.0), 0.0, 0.0, 0.7, 420.0, (96, 112))
    openness = head_openness(template, vertices)
    assert (openness[template.parts["eyeball.L"].vertices] > 0.5).all()
    picture = render_head(
        template, vertices, camera, Palette(), background=(0.0, 0.0, 1.0), openness=openness
    )
    assert picture.shape == (112, 96, 3)
    assert picture[0, 0].tolist() == [0, 0, 255]
    red, green, blue = picture[56, 48].astype(int)
    assert red > green > blue > 20, "skin in the middle"
    # even light from both sides would make it symmetric; the key lamp is on the subject's right
    face = picture[40:80, 25:71].astype(float).sum(axis=(0, 2))
    assert face[:23].sum() > face[23:].sum()
    again = render_head(template, vertices, camera, Palette(), background=(0.0, 0.0, 1.0))
    np.testing.assert_array_equal(picture, again)
