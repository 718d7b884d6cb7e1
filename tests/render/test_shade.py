"""Light, colour and the finished picture."""

import numpy as np
import torch
from helpers import assert_gradient

from rigface.cameras import looking_at, orbiting
from rigface.geometry.mesh import vertex_normals
from rigface.geometry.visibility import sphere_directions
from rigface.io.color import srgb_from_linear
from rigface.render.albedo import Texture, VertexColours
from rigface.render.attributes import interpolate, smooth_normals
from rigface.render.lighting import Lighting, harmonic_basis
from rigface.render.shade import render
from rigface.rig.template_io import load_template

CARD = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], dtype=torch.float64)
CARD_FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])
FRONT = looking_at((0.0, 0.0, 0.0), (0.0, 0.0, 2.0), 32.0, (32, 32))  # the card fills it


def test_harmonics_are_orthonormal():
    directions = torch.from_numpy(sphere_directions(20_000))
    basis = harmonic_basis(directions)
    gram = 4 * np.pi * (basis.T @ basis) / len(directions)
    torch.testing.assert_close(gram, torch.eye(9, dtype=gram.dtype), atol=2e-3, rtol=0)


def test_lambert_and_ambient_light():
    light = Lighting.of(0.25, [((0.0, 0.0, 2.0), 0.5), ((1.0, 0.0, 0.0), (0.1, 0.2, 0.3))])
    normals = torch.tensor([[0.0, 0, 1], [0, 0, -1], [1, 0, 0], [0, 0.6, 0.8]])
    expected = torch.tensor([[0.75] * 3, [0.25] * 3, [0.35, 0.45, 0.55], [0.65] * 3])
    torch.testing.assert_close(light.on(normals), expected)
    dark = light.on(normals, torch.zeros(4))
    assert (dark == 0).all(), "nothing reaches a place that sees no sky"


def test_a_picture_is_lit_in_linear_light_and_written_as_srgb():
    white = VertexColours(torch.ones(4, 3, dtype=torch.float64), CARD_FACES)
    picture = render(CARD, CARD_FACES, FRONT, white, Lighting.of(0.5), samples=1)
    assert picture.shape == (32, 32, 3) and picture.dtype == np.uint8
    assert np.unique(picture).tolist() == [188], "linear 0.5 is sRGB 188"


def test_supersampling_averages_light_not_codes():
    """A white strip covers two half pixels: 0.5 in light is 188 in sRGB."""
    strip = CARD * torch.tensor([1 / 32, 1.0, 1.0])
    white = VertexColours(torch.ones(4, 3, dtype=torch.float64), CARD_FACES)
    picture = render(strip, CARD_FACES, FRONT, white, Lighting.of(1.0), (0.0, 0.0, 0.0), samples=2)
    assert picture[16, 14:18, 0].tolist() == [0, 188, 188, 0]


def test_a_texture_is_sampled_at_its_pixels_the_right_way_up():
    image = torch.rand(32, 32, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    uv = (CARD[:, :2] + 1) / 2
    picture = render(
        CARD, CARD_FACES, FRONT, Texture(image, uv, CARD_FACES), Lighting.of(1.0), samples=1
    )
    expected = np.round(255 * srgb_from_linear(image.numpy()))
    assert np.abs(picture.astype(float) - expected).max() <= 1


def test_the_background_is_one_colour_or_a_picture():
    white = VertexColours(torch.ones(4, 3, dtype=torch.float64), CARD_FACES)
    aside = CARD + torch.tensor([5.0, 0, 0])
    back = torch.rand(32, 32, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    picture = render(aside, CARD_FACES, FRONT, white, background=back, samples=2)
    expected = np.round(255 * srgb_from_linear(back.numpy()))
    assert np.abs(picture.astype(float) - expected).max() <= 1


def test_smooth_normals_are_the_meshs_and_have_a_gradient():
    mesh = load_template().mesh
    ours = smooth_normals(torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces))
    np.testing.assert_allclose(ours.numpy(), vertex_normals(mesh.vertices, mesh.faces), atol=1e-9)
    card = CARD + 0.1 * torch.rand(4, 3, generator=torch.Generator().manual_seed(0)).double()
    way = torch.rand(4, 3, generator=torch.Generator().manual_seed(1)).double()
    assert_gradient(lambda v: (smooth_normals(v, CARD_FACES) * way).sum(), card)


def test_interpolate_gives_the_point_itself():
    bary = torch.tensor([[0.2, 0.3, 0.5], [1, 0, 0]], dtype=torch.float64)
    out = interpolate(CARD, CARD_FACES, torch.tensor([1, 0]), bary)
    expected = torch.stack([0.2 * CARD[0] + 0.3 * CARD[2] + 0.5 * CARD[3], CARD[0]])
    torch.testing.assert_close(out, expected)


def test_a_camera_from_behind_sees_the_back_lit_from_its_own_side():
    white = VertexColours(torch.ones(4, 3, dtype=torch.float64), CARD_FACES)
    light = Lighting.of(0.0, [((0.0, 0.0, -1.0), 1.0)])
    camera = orbiting((0.0, 0.0, 0.0), np.pi, 0.0, 2.0, 32.0, (8, 8))
    assert (render(CARD, CARD_FACES, camera, white, light, samples=1) == 255).all()
