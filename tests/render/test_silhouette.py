"""Contours and the derivative they carry, against areas by hand and pictures of moved heads."""

import math

import numpy as np
import pytest
import torch
from helpers import directional_difference
from scipy.spatial import ConvexHull

from rigface.cameras import Camera, looking_at, orbiting
from rigface.render.attributes import barycentrics, interpolate
from rigface.render.rasterise import rasterise
from rigface.render.silhouette import contour_samples, mask_gradient
from rigface.rig.template_io import load_template

SIZE = 256
FINE = 8
"""Squared samples per pixel of the pictures that are compared."""
MOVE = 2.0
"""Pixels by which the fastest vertex moves; at 1 and 2 the exact differences agree to 0.3 %."""


def front(size: tuple[int, int] = (200, 160)) -> Camera:
    return looking_at((0.0, 0.0, 0.0), (0.0, 0.0, 0.5), 400.0, size)


def head() -> tuple[torch.Tensor, torch.Tensor]:
    template = load_template()
    skin = template.parts["skin"]
    vertices = torch.from_numpy(template.mesh.vertices[skin.vertices])
    return vertices, torch.from_numpy(template.mesh.faces[skin.faces])


def view(yaw: float) -> Camera:
    focal = 0.6 * 3.0 * SIZE
    return orbiting((0.0, -0.03, 0.02), math.radians(yaw), 0.05, 0.6, focal, (SIZE, SIZE))


def motions(vertices: torch.Tensor) -> dict[str, torch.Tensor]:
    """Rigid, growing, and two smooth deformations."""
    template, out = load_template(), {}
    for axis, name in enumerate("xyz"):
        out[name] = torch.zeros_like(vertices)
        out[name][:, axis] = 1.0
    out["scale"] = vertices - vertices.mean(dim=0)
    index, offset = template.expressions.of("jawOpen")
    out["jawOpen"] = torch.zeros_like(vertices)
    skin = index < len(vertices)
    out["jawOpen"][index[skin]] = torch.from_numpy(offset[skin])
    out["identity"] = torch.from_numpy(template.shape_modes[0][: len(vertices)])
    return out


def waves(seed: int) -> torch.Tensor:
    """Smooth weights over the picture, mostly positive."""
    along = (torch.arange(SIZE, dtype=torch.float64) + 0.5) / SIZE
    y, x = torch.meshgrid(along, along, indexing="ij")
    draws = torch.randn(6, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 1.2 + torch.stack([torch.sin(6 * (k[0] * x + k[1] * y + k[2])) for k in draws]).sum(0)


def coverage(vertices: torch.Tensor, faces: torch.Tensor, camera: Camera) -> torch.Tensor:
    hit = (rasterise(vertices, faces, camera.scaled(float(FINE))).face >= 0).double()
    return hit.reshape(SIZE, FINE, SIZE, FINE).mean(dim=(1, 3))


def step_of(motion: torch.Tensor, camera: Camera) -> float:
    return MOVE / (float(camera.focal[0]) / 0.6 * float(motion.norm(dim=1).max()))


@pytest.mark.parametrize(
    "yaw, names",
    [
        # From the front an opening jaw does not change the mask: the neck is behind the chin.
        (0.0, ("x", "z", "identity")),
        (45.0, ("x", "y", "z", "scale", "jawOpen", "identity")),
        (80.0, ("x", "scale", "jawOpen")),
    ],
)
def test_the_derivative_of_a_heads_mask(yaw, names):
    vertices, faces = head()
    camera, weights = view(yaw), waves(1)
    samples = contour_samples(vertices, faces, camera)
    gradient = mask_gradient(samples, vertices, camera, weights)
    for name in names:
        motion = motions(vertices)[name]
        expected = directional_difference(
            lambda v: (weights * coverage(v, faces, camera)).sum(),
            vertices,
            motion,
            step_of(motion, camera),
        )
        ratio = float((gradient * motion).sum()) / float(expected)
        assert 0.97 < ratio < 1.03, f"{name}: {ratio:.3f}"


def test_the_derivative_of_a_painted_head():
    """Inside by the colours' own derivative, contours by the samples, together right.

    Near a contour the inside derivative grows without bound, so its sum over pixels needs fine
    ones: 4.4 % off at 4 x 4 samples per pixel, 1.8 % at 8 x 8, 0.3 % at 16 x 16.
    """
    vertices, faces = head()
    waves_in_space = torch.tensor([[1.0, 0.3], [-0.5, 1.0], [1.0, 2.0]], dtype=torch.float64)
    paint = 0.5 + 0.4 * torch.sin(30 * vertices @ waves_in_space)
    camera, weights, ground = view(45.0), waves(2)[..., None] * torch.tensor([1.0, -0.6]), 0.2
    fine = camera.scaled(float(FINE))
    spread = weights.repeat_interleave(FINE, 0).repeat_interleave(FINE, 1) / FINE**2

    def inside(v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = rasterise(v.detach(), faces, fine).face
        hit = seen >= 0
        bary = barycentrics(v, faces, fine, seen[hit], fine.pixel_centres()[hit])
        return interpolate(paint, faces, seen[hit], bary) - ground, spread[hit]

    def loss(v: torch.Tensor) -> torch.Tensor:
        colour, weight = inside(v)
        return (colour * weight).sum() + ground * weights.sum()

    samples = contour_samples(vertices, faces, camera)
    cell = samples.pixels.floor().long()
    before = interpolate(paint, faces, samples.face, samples.face_bary)
    after = interpolate(paint, faces, samples.behind.clamp_min(0), samples.behind_bary)
    after = torch.where(samples.behind[:, None] < 0, ground, after)
    jump = (weights[cell[:, 1], cell[:, 0]] * (before - after)).sum(dim=-1)
    contours = samples.vertex_gradient(vertices, camera, jump)
    leaf = vertices.clone().requires_grad_()
    (smooth,) = torch.autograd.grad(loss(leaf), leaf)
    for name in ("x", "scale"):
        motion = motions(vertices)[name]
        expected = float(directional_difference(loss, vertices, motion, step_of(motion, camera)))
        alone = float((smooth * motion).sum())
        ratio = (alone + float((contours * motion).sum())) / expected
        assert 0.97 < ratio < 1.03, f"{name}: {ratio:.3f}, without contours {alone / expected:.3f}"


def test_the_outline_of_a_convex_body_is_its_hull(rng):
    points = rng.normal(size=(60, 3))
    points *= 0.08 / np.linalg.norm(points, axis=1, keepdims=True)
    hull = ConvexHull(points)
    vertices, faces = torch.from_numpy(points), torch.from_numpy(hull.simplices.astype(np.int64))
    camera = front()

    def area(v: torch.Tensor) -> torch.Tensor:
        hull = ConvexHull(camera.project(v)[0].numpy())
        return torch.tensor(hull.volume, dtype=torch.float64)  # of a polygon: its area

    samples = contour_samples(vertices, faces, camera)  # simplices are wound either way
    assert bool(samples.outline.all()) and not bool(samples.boundary.any())
    perimeter = ConvexHull(camera.project(vertices)[0].numpy()).area
    assert float(samples.length.sum()) == pytest.approx(perimeter)
    gradient = mask_gradient(samples, vertices, camera, torch.ones(160, 200).double())
    motion = torch.from_numpy(rng.normal(size=points.shape))
    expected = directional_difference(area, vertices, motion, 1e-7)
    assert float((gradient * motion).sum()) == pytest.approx(float(expected), rel=1e-6)


def card(middle: tuple[float, float, float], half: float) -> np.ndarray:
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * half
    return corners + np.array(middle)


def test_one_card_before_another():
    """Kinds, normals and what is behind, where everything can be computed by hand."""
    near, far = card((0.02, 0, 0.1), 0.016), card((0, 0, -0.1), 0.03)
    vertices = torch.from_numpy(np.concatenate([near, far]))
    square = torch.tensor([[0, 1, 2], [0, 2, 3]])
    faces = torch.cat([square, 4 + square])
    camera = front()  # near: 16 px around (120, 80), far: 20 px around (100, 80)
    samples = contour_samples(vertices, faces, camera)
    assert bool(samples.boundary.all()), "the diagonals are no contours"
    front_card = samples.edge[:, 0] < 4
    length = samples.length
    assert float(length[front_card].sum()) == pytest.approx(128.0)
    assert bool(samples.visible[front_card].all())
    assert float(length[front_card & samples.occluding].sum()) == pytest.approx(64.0, abs=0.5)
    assert float(length[~front_card & ~samples.visible].sum()) == pytest.approx(32.0, abs=0.5)
    over = front_card & samples.occluding
    place = interpolate(vertices, faces, samples.behind[over], samples.behind_bary[over])
    torch.testing.assert_close(camera.project(place)[0], samples.pixels[over])
    torch.testing.assert_close(camera.project(samples.points(vertices))[0], samples.pixels)
    own = interpolate(vertices, faces, samples.face, samples.face_bary)
    torch.testing.assert_close(own, samples.points(vertices))
    across = torch.where(front_card, 120.0, 100.0).double()
    middle = torch.stack([across, torch.full_like(across, 80.0)], dim=-1)
    half = torch.where(front_card, 16.0, 20.0).double()
    torch.testing.assert_close(((samples.pixels - middle) * samples.normals).sum(dim=-1), half)


def test_contours_end_at_the_pictures_border():
    vertices = torch.from_numpy(card((0, 0, 0), 0.2))  # 160 px around (100, 80): past every border
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    assert len(contour_samples(vertices, faces, front()).length) == 0
    shifted = contour_samples(vertices + torch.tensor([0.2, 0, 0]), faces, front())
    assert float(shifted.length.sum()) == pytest.approx(160.0)  # its left side, x = 100
    assert bool((shifted.pixels[:, 1] > 0).all() and (shifted.pixels[:, 1] < 160).all())


def test_edges_behind_the_camera_are_left_out():
    vertices, faces = head()
    camera = orbiting((0.0, 0.0, 0.05), 0.3, 0.0, 0.06, 100.0, (64, 64))
    samples = contour_samples(vertices, faces, camera)
    assert len(samples.length) > 0
    assert bool(torch.isfinite(samples.pixels).all() and torch.isfinite(samples.share).all())
    gradient = mask_gradient(samples, vertices, camera, torch.ones(64, 64))
    assert bool(torch.isfinite(gradient).all())


def test_single_precision_keeps_its_type():
    vertices, faces = head()
    camera = view(30.0)
    double = contour_samples(vertices, faces, camera)
    single = contour_samples(vertices.float(), faces, camera)
    assert single.pixels.dtype == single.behind_bary.dtype == torch.float32
    part = float(single.length[single.outline].sum() / double.length[double.outline].sum())
    assert part == pytest.approx(1.0, abs=0.01)
