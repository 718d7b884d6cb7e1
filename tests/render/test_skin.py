"""Fine detail and highlights of skin."""

import numpy as np
import torch

from rigface.cameras import looking_at
from rigface.render.albedo import VertexColours
from rigface.render.gloss import Gloss
from rigface.render.lighting import Lighting
from rigface.render.shade import render
from rigface.render.skin_detail import FRECKLES, MM, MOLES, Detailed, SkinDetail

CARD = 0.1 * torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], dtype=torch.float64)
CARD_FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])
GREY = VertexColours(torch.full((4, 3), 0.3, dtype=torch.float64), CARD_FACES)
LAMP = Lighting.of(0.1, [((0.0, 0.0, 1.0), 0.5)])


def places(rng, count=20_000):
    return torch.from_numpy(rng.uniform(-0.1, 0.1, (count, 3)))


def test_detail_is_a_function_of_the_place_alone(rng):
    points, detail = places(rng), SkinDetail()
    factor = detail.at(points)
    torch.testing.assert_close(detail.at(points[5:9]), factor[5:9])
    assert 0.8 < factor.mean() < 1.0
    assert 0.03 < factor[:, 1].std() < 0.15
    assert factor.min() > 0
    assert not torch.equal(SkinDetail(seed=1).at(points), factor)


def test_a_spot_stays_inside_its_cell(rng):
    for spots in (FRECKLES, MOLES):
        cover = spots.cover(places(rng))
        assert 1e-4 < (cover > 0).double().mean() < 0.5 * spots.share
        assert cover.max() <= spots.depth[1]
        cell = torch.from_numpy(rng.integers(-20, 20, (3000, 3))).double()
        border = torch.from_numpy(rng.uniform(size=(3000, 3)))
        border[:, 0] = 0.0  # a side of the cell
        assert (spots.cover((cell + border) * spots.cell) < 1e-9).all()


def test_eyes_are_spared(rng):
    ball = torch.tensor([[0.05, 0.0, 0.0, 0.01]])
    albedo = Detailed(GREY, SkinDetail(), CARD, CARD_FACES, ball)
    bary = torch.from_numpy(rng.dirichlet(np.ones(3), 4000))
    face = torch.from_numpy(rng.integers(2, size=4000))
    place = torch.einsum("nc,ncd->nd", bary, CARD[CARD_FACES[face]])
    colour = albedo.at(face, bary)
    inside = (place - ball[0, :3]).norm(dim=-1) < 0.01
    torch.testing.assert_close(colour[inside], torch.full_like(colour[inside], 0.3))
    away = (place - ball[0, :3]).norm(dim=-1) > 0.01 + MM
    torch.testing.assert_close(colour[away], 0.3 * SkinDetail().at(place[away]))


def test_a_highlight_is_where_the_mirror_would_show_the_lamp():
    def picture(x: float, gloss: Gloss | None) -> np.ndarray:
        camera = looking_at((0.0, 0.0, 0.0), (x, 0.0, 0.3), 60.0, (32, 32))
        return render(CARD, CARD_FACES, camera, GREY, LAMP, samples=1, gloss=gloss).astype(float)

    added = picture(0.0, Gloss()) - picture(0.0, None)
    assert added[16, 16].min() > 10  # the lamp is behind the camera
    assert added[16, 16, 0] > added[2, 2, 0] > 0
    aside = picture(0.3, Gloss()) - picture(0.3, None)
    assert aside[16, 16].max() < 0.2 * added[16, 16].min()


def test_the_lobe_keeps_its_energy_and_needs_a_lamp():
    normals = torch.tensor([[0.0, 0.0, 1.0]])
    straight = Gloss().on(normals, normals, LAMP)
    torch.testing.assert_close(straight, torch.full((1, 3), 0.5 * 0.028 * 32 / 8))
    assert (Gloss().on(normals, normals, Lighting.of(0.5)) == 0).all()
    assert (Gloss().on(-normals, normals, LAMP) == 0).all()
    assert (Gloss().on(normals, normals, LAMP, torch.zeros(1)) == 0).all()


def test_tinted_light_scales_every_channel():
    normals = torch.nn.functional.normalize(
        torch.tensor([[0.1, 0.2, 1.0], [0.0, 1.0, 0.1]]), dim=-1
    )
    gains = torch.tensor([2.0, 1.0, 0.5])
    torch.testing.assert_close(LAMP.tinted([2.0, 1.0, 0.5]).on(normals), gains * LAMP.on(normals))
