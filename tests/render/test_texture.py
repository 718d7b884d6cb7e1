"""Photos to texture: heads drawn with known colours come back."""

import io
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from PIL import Image

from rigface.cameras import Camera, orbiting
from rigface.errors import InputError
from rigface.geometry.mesh import vertex_normals
from rigface.io.color import linear_from_srgb
from rigface.render.albedo import Albedo, VertexColours
from rigface.render.head_paint import HeadPaint, Palette
from rigface.render.iris import iris_colour
from rigface.render.lighting import Lighting, harmonic_basis
from rigface.render.shade import render
from rigface.render.texture import FaceTexture, TextureView, encode, unwrap
from rigface.render.uv_layout import fill_gutters, uv_layout
from rigface.rig.template_io import load_template

SIZE = 512
EVEN = Lighting.of(1.0)
GREEN = (0.0, 0.9, 0.0)
PAINT = HeadPaint.of_template(load_template())


def photo(
    albedo: Albedo = PAINT, yaw: float = 0.0, light: Lighting = EVEN, side: int = 640
) -> TextureView:
    template = load_template()
    camera = orbiting((0.0, -0.02, 0.0), yaw, 0.0, 0.8, 1.9 * side, (side, side))
    vertices, faces = (
        torch.from_numpy(template.mesh.vertices),
        torch.from_numpy(template.mesh.faces),
    )
    picture = render(vertices, faces, camera, albedo, light, GREEN, samples=1)
    return TextureView(picture, camera, template.mesh.vertices)


def linear(texture: FaceTexture) -> np.ndarray:
    return linear_from_srgb(texture.image / 255.0)


def truth(albedo: Albedo = PAINT) -> np.ndarray:
    layout = uv_layout(load_template(), SIZE)
    return layout.picture(albedo.at(layout.face, layout.bary).double()).numpy()


@lru_cache
def in_region(name: str) -> np.ndarray:
    """Texels whose face lies in a region of the template."""
    template, layout = load_template(), uv_layout(load_template(), SIZE)
    inside = template.regions[name][template.mesh.faces].all(axis=1)
    return layout.picture(torch.from_numpy(inside)[layout.face, None].float())[..., 0].numpy() > 0


@lru_cache
def from_left() -> FaceTexture:
    """The painted head seen from 40 degrees to its left."""
    return unwrap(load_template(), [photo(yaw=0.7)], SIZE)


@lru_cache
def waves() -> VertexColours:
    """Smooth colours, as different on both sides as a face's light, without any symmetry."""
    template = load_template()
    x, y, z = template.mesh.vertices.T / 0.03
    parts = [np.sin(x + y), np.sin(y - 0.7 * x + z), np.cos(1.3 * x)]
    colours = 0.45 + 0.08 * np.stack(parts, axis=1)
    return VertexColours(torch.from_numpy(colours), torch.from_numpy(template.mesh.faces))


def test_layout_covers_each_island_and_names_its_points():
    template, layout = load_template(), uv_layout(load_template(), SIZE)
    assert template.mesh.uv is not None and template.mesh.uv_faces is not None
    corners = template.mesh.uv[template.mesh.uv_faces[layout.face.numpy()]]
    uv = np.einsum("nc,ncd->nd", layout.bary.numpy(), corners)
    column, row = layout.texel.numpy() % SIZE, layout.texel.numpy() // SIZE
    np.testing.assert_allclose(uv[:, 0] * SIZE, column + 0.5, atol=1e-3)
    np.testing.assert_allclose((1 - uv[:, 1]) * SIZE, row + 0.5, atol=1e-3)
    run = template.parts["skin"].faces
    assert run.start <= int(layout.face.min()) and int(layout.face.max()) < run.stop
    a, b, c = (template.mesh.uv[template.mesh.uv_faces[run][:, i]] for i in range(3))
    (ux, uy), (wx, wy) = (b - a).T, (c - a).T
    area = 0.5 * np.abs(ux * wy - uy * wx).sum()
    assert len(layout.texel) == pytest.approx(area * SIZE**2, rel=0.01)
    assert uv_layout(template, SIZE) is layout, "drawn once"


def test_gutters_continue_the_islands_and_leave_them_alone():
    colour = torch.zeros(64, 48, 3)
    covered = torch.zeros(64, 48, dtype=torch.bool)
    colour[10:20, 10:20] = torch.tensor([0.8, 0.1, 0.2])
    colour[40:60, 20:40] = torch.tensor([0.1, 0.7, 0.3])
    covered[10:20, 10:20] = covered[40:60, 20:40] = True
    filled = fill_gutters(colour, covered)
    assert torch.equal(filled[covered], colour[covered])
    torch.testing.assert_close(filled[2:10, 10:20], colour[10, 10].expand(8, 10, 3))
    assert float(filled.amin()) >= 0.1 - 1e-6, "no black anywhere"


def test_a_known_texture_comes_back_where_it_is_seen():
    for albedo, limit in ((PAINT, 0.012), (waves(), 0.006)):
        texture = unwrap(load_template(), [photo(albedo)], SIZE)
        error = np.abs(linear(texture) - truth(albedo)).mean(axis=-1)
        seen = texture.seen > 0.9
        assert seen[in_region("cheeks")].mean() > 0.5
        assert error[seen].mean() < limit
        assert np.quantile(error[seen], 0.99) < 0.1


def test_the_hidden_half_is_the_mirrored_other_half():
    texture = from_left()
    mirrored = texture.mirrored > 0.9
    assert mirrored[in_region("face")].mean() > 0.1
    error = np.abs(linear(texture) - truth()).mean(axis=-1)
    assert error[mirrored].mean() < 0.015
    brow = mirrored & (truth().mean(axis=-1) < 0.1) & in_region("outer")
    assert brow.sum() > 20 and np.median(linear(texture)[brow]) < 0.12, "the far brow is there"


def test_matching_the_other_side_leaves_no_step():
    """Light from one side: the mirrored half takes over the level of its own side."""
    template = load_template()
    plain = np.full((len(template.mesh.vertices), 3), 0.5)
    plain *= 1 + 0.4 * np.tanh(template.mesh.vertices[:, :1] / 0.05)
    albedo = VertexColours(torch.from_numpy(plain), torch.from_numpy(template.mesh.faces))
    texture = unwrap(template, [photo(albedo, yaw=0.5)], SIZE)
    border = (texture.mirrored > 0.3) & (texture.seen > 0.1) & in_region("face")
    error = np.abs(linear(texture) - truth(albedo)).mean(axis=-1)
    assert border.sum() > 30
    assert error[border].mean() < 0.03


def test_no_skin_takes_the_background_or_what_lies_in_its_openings():
    for texture in (from_left(), unwrap(load_template(), [photo()], SIZE)):
        colour = linear(texture)
        islands = uv_layout(load_template(), SIZE).covered().numpy()
        assert (colour[..., 1] <= colour[..., 0] + 0.02)[islands].all(), "green is not skin"
    loud = replace(PAINT, palette=Palette(sclera=(0, 0, 1), iris=(0, 0, 1), teeth=(0, 0, 1)))
    colour = linear(unwrap(load_template(), [photo(loud)], SIZE))
    assert (colour[..., 2] <= colour[..., 0] + 0.02).all(), "neither eyes nor teeth are"


def test_a_masked_place_is_not_looked_at():
    view = photo()
    mask = np.ones(view.pixels.shape[:2], dtype=bool)
    mask[:, 320:] = False
    pixels = view.pixels.copy()
    pixels[:, 320:] = (0, 0, 255)
    texture = unwrap(load_template(), [replace(view, pixels=pixels, skin_mask=mask)], SIZE)
    error = np.abs(linear(texture) - truth()).mean(axis=-1)
    both = (texture.seen + texture.mirrored) > 0.9
    assert texture.mirrored[in_region("cheeks")].mean() > 0.2
    assert error[both].mean() < 0.02


def test_two_exposures_become_one_colour():
    skin = np.full((len(load_template().mesh.vertices), 3), [0.5, 0.35, 0.25])
    even = VertexColours(torch.from_numpy(skin), torch.from_numpy(load_template().mesh.faces))
    bright = photo(even, 0.6, Lighting.of((0.9, 0.9, 0.9)))
    dark = photo(even, -0.6, Lighting.of((0.5, 0.4, 0.45)))
    texture = unwrap(load_template(), [bright, dark], SIZE)
    colour = linear(texture)[(texture.seen > 0.5) & in_region("outer")]
    assert (colour.std(axis=0) / colour.mean(axis=0)).max() < 0.03
    low, high = dark.pixels[320, 320] / 255.0, bright.pixels[320, 320] / 255.0
    assert (colour.mean(axis=0) > linear_from_srgb(low)).all()
    assert (colour.mean(axis=0) < linear_from_srgb(high)).all()


def test_delight_flattens_light_and_keeps_the_mean():
    template = load_template()
    faces = torch.from_numpy(template.mesh.faces)
    even = VertexColours(torch.full((len(template.mesh.vertices), 3), 0.6), faces)
    harmonics = torch.zeros(9, 3)
    harmonics[:4] = torch.tensor([[2.0, 2.0, 2.2], [0.5] * 3, [0.2] * 3, [-0.7, -0.6, -0.5]])
    harmonics[7] = 0.15
    light = replace(Lighting.of(0.0), harmonics=harmonics)
    view = photo(even, light=light)
    lit, flat = (unwrap(template, [view], SIZE, delight) for delight in (False, True))
    seen = (lit.seen > 0.7) & in_region("face")
    before, after = linear(lit)[seen], linear(flat)[seen]
    assert (after.std(axis=0) < 0.35 * before.std(axis=0)).all()
    np.testing.assert_allclose(after.mean(axis=0), before.mean(axis=0), rtol=0.06)
    assert lit.lighting is None and flat.lighting is not None
    assert flat.lighting.shape == (1, 9, 3)
    # The estimate and the true light agree up to scale on the normals that are seen.
    normals = torch.from_numpy(vertex_normals(template.mesh.vertices, template.mesh.faces))
    basis = harmonic_basis(normals[(normals[:, 2] > 0.6).numpy() & template.regions["face"]])
    ratio = (basis @ torch.from_numpy(flat.lighting)) / (basis @ harmonics.double())
    assert float((ratio.std(0) / ratio.mean(0)).max()) < 0.1


def test_the_same_views_give_the_same_bytes_and_sizes_agree():
    again = unwrap(load_template(), [photo(yaw=0.7)], SIZE)
    assert (again.image == from_left().image).all() and (again.seen == from_left().seen).all()
    half = unwrap(load_template(), [photo(yaw=0.7)], SIZE // 2)
    coarse = linear(from_left()).reshape(SIZE // 2, 2, SIZE // 2, 2, 3).mean(axis=(1, 3))
    assert np.abs(linear(half) - coarse).mean() < 0.01


def test_iris_colour_is_measured_where_it_is_seen():
    green = Palette(iris=(0.08, 0.15, 0.05))
    view = photo(replace(PAINT, palette=green), side=1200)
    for side in (None, "L", "R"):
        found = iris_colour(load_template(), view, side)
        assert found is not None
        np.testing.assert_allclose(found, green.iris, atol=0.03)
    assert iris_colour(load_template(), photo(yaw=np.pi)) is None


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_encode_reads_back(kind):
    image = from_left().image
    with Image.open(io.BytesIO(encode(image, kind))) as read:
        assert read.format == kind.upper() and read.size == (SIZE, SIZE)
        assert np.abs(np.asarray(read).astype(int) - image).mean() <= (1.5 if kind == "jpeg" else 0)


def _moved(camera: Camera, by: tuple[float, float, float]) -> Camera:
    shift = torch.tensor(by, dtype=camera.translation.dtype)
    return camera.moved(camera.rotation, camera.translation + shift)


def test_views_that_cannot_be_used_say_so():
    template, view = load_template(), photo()
    wrong = [
        ([], "at least one photo"),
        ([replace(view, camera=view.camera.scaled(0.5))], "320 x 320"),
        ([replace(view, vertices=view.vertices[:10])], "got 10"),
        ([replace(view, skin_mask=np.ones((3, 4), dtype=bool))], "mask"),
        ([replace(view, camera=_moved(view.camera, (9.0, 0.0, 0.0)))], "outside the photo"),
        ([replace(view, camera=_moved(view.camera, (0.0, 0.0, -9.0)))], "behind the camera"),
        ([replace(view, skin_mask=np.zeros((640, 640), dtype=bool))], "No photo shows"),
    ]
    for views, message in wrong:
        with pytest.raises(InputError, match=message):
            unwrap(template, views, SIZE)
