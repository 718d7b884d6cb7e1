"""The edge term on a real head: its derivative, what it pairs, and that it brings a head back."""

from functools import lru_cache

import numpy as np
import pytest
import torch

from rigface.cameras import Camera, orbiting
from rigface.evidence.face import FaceMasks
from rigface.evidence.label_map import CLASSES, LabelMap
from rigface.fit.image_contours import label_contour, person_contour
from rigface.fit.outline import contour_points, edge_vertices, outline_pairs
from rigface.fit.photo import identity_model
from rigface.fit.views import View, Views
from rigface.fit.views_energy import ViewsEnergy
from rigface.render.rasterise import rasterise
from rigface.rig.template_io import load_template
from rigface.solve.levenberg_marquardt import Box, LevenbergMarquardt, levenberg_marquardt
from rigface.terms.edge import ImageContour

SIZE = 400
FACE = 200.0
"""Face size in pixels of these views."""


def camera(yaw: float) -> Camera:
    return orbiting((0.0, -0.03, 0.03), yaw, 0.05, 0.55, 750.0, (SIZE, SIZE))


@lru_cache(maxsize=1)
def truth() -> torch.Tensor:
    model = identity_model()
    x = model.table.zeros()
    generator = torch.Generator().manual_seed(4)
    x[: len(model.modes)] = torch.randn(len(model.modes), generator=generator).double().clamp(-2, 2)
    return x


def skin() -> np.ndarray:
    return identity_model().vertices(truth()).numpy()


def drawn(view: Camera, fine: int = 1) -> np.ndarray:
    """The face that each pixel sees."""
    faces = torch.from_numpy(load_template().mesh.faces[load_template().parts["skin"].faces])
    return rasterise(torch.from_numpy(skin()), faces, view.scaled(float(fine))).face.numpy()


def person(view: Camera) -> FaceMasks:
    """A perfect segmentation of the bald head."""
    share = (drawn(view, 4) >= 0).reshape(SIZE, 4, SIZE, 4).mean(axis=(1, 3))
    mask = np.round(255 * share).astype(np.uint8)
    return FaceMasks((0, 0, SIZE, SIZE), mask > 127, mask)


def labels(view: Camera) -> LabelMap:
    """Face, neck, ears, and hair where the scalp is."""
    template = load_template()
    faces = template.mesh.faces[template.parts["skin"].faces]
    number = np.full(len(faces), CLASSES.index("hair"))
    for region, name in (("face", "skin"), ("neck", "neck"), ("ears", "l_ear")):
        number[template.regions[region][faces].all(axis=1)] = CLASSES.index(name)
    seen = drawn(view)
    return LabelMap(np.where(seen >= 0, number[seen], 0).astype(np.uint8))


def contour(view: Camera) -> ImageContour:
    return label_contour(labels(view), (SIZE, SIZE), 0.06 * FACE)


def test_a_mask_gives_its_circle():
    y, x = np.mgrid[:100, :100] + 0.5
    away = np.hypot(x - 40, y - 55)
    # 200, which counts as the outline, at a radius of 30 cells, and a soft edge
    mask = np.round((200 + 64 * (30 - away)).clip(0, 255)).astype(np.uint8)
    found = person_contour(FaceMasks((10, 20, 210, 220), mask > 127, mask), strip=20.0)
    offset = found.pixels - np.array([10 + 2 * 40, 20 + 2 * 55])
    np.testing.assert_allclose(np.linalg.norm(offset, axis=1), 60.0, atol=0.2)
    np.testing.assert_allclose(found.normals, offset / 60.0, atol=0.05)
    assert len(person_contour(FaceMasks((0, 0, 200, 200), mask > 127, mask), 130.0).pixels) == 0


@pytest.mark.parametrize("yaw", [0.0, 0.7])
def test_the_true_head_lies_on_the_contour(yaw):
    view = camera(yaw)
    found = outline_pairs(load_template(), skin(), view, contour(view), FACE)
    assert found is not None and len(found.pixels) > 60
    place = np.einsum("pk,pkd->pd", found.bary, skin()[found.corners])
    off = view.project(torch.from_numpy(place))[0].numpy() - found.pixels
    assert found.normals is not None
    along = (off * found.normals).sum(axis=1)
    assert abs(np.median(along)) < 0.25 and np.percentile(np.abs(along), 90) < 1.0, "pixels"


def test_the_papers_band_lies_inside_the_contour():
    view, template = camera(0.5), load_template()
    band = edge_vertices(template, skin(), view)
    exact = contour_points(template, skin(), view, 1.0)
    assert len(band.pixels) > 50
    to_band = band.pixels[:, None] - exact.pixels[None]
    nearest = np.linalg.norm(to_band, axis=2).argmin(axis=1)
    row = np.arange(len(band.pixels))
    outwards = (to_band[row, nearest] * exact.normals[nearest]).sum(axis=1)
    near = np.linalg.norm(to_band[row, nearest], axis=1) < 5
    assert near.sum() > 30
    assert np.mean(outwards[near]) < -0.3 and outwards[near].max() < 0.3, "pixels"


def test_hair_offers_no_pair():
    """The same head under a thick cap: what the cap hides gets no pair, the rest keeps its own."""
    view = camera(0.0)
    bald = person(view)
    assert bald.person is not None
    capped = bald.person.copy()
    capped[:240, 40:360] = 255
    hairy = FaceMasks(bald.box, bald.skin, capped)
    template, strip = load_template(), 0.06 * FACE
    with_hair = outline_pairs(template, skin(), view, person_contour(hairy, strip), FACE)
    without = outline_pairs(template, skin(), view, person_contour(bald, strip), FACE)
    assert without is not None and (without.pixels[:, 1] < 240 - strip).sum() > 5
    assert with_hair is not None and (with_hair.pixels[:, 1] > 240).all()


def _views(yaws: tuple[float, ...]) -> Views:
    return Views(identity_model(), [View(camera(yaw)) for yaw in yaws], True)


def _energy(views: Views, contours: list[ImageContour], x: torch.Tensor) -> ViewsEnergy:
    pictures = []
    for view, image in enumerate(contours):
        shape = identity_model().vertices(views.head(x, view)).numpy()
        found = outline_pairs(load_template(), shape, views.camera(x, view), image, FACE)
        pictures.append([] if found is None else [found])
    return ViewsEnergy(views, pictures)


def _moved(views: Views) -> torch.Tensor:
    """The true head, turned by 4 degrees, 5 % too large, and shifted."""
    x = views.table.zeros()
    modes = len(identity_model().modes)
    x[views.table.slices["identity"]] = truth()[:modes]
    values = views.table.slices
    x[values["rotation"]] = torch.tensor([0.03, 0.07, -0.03] * len(views.starts)).double()
    x[values["log_distance"]] = -0.05
    x[values["place"]] = 0.008
    return x


def test_the_gradient_of_all_parameters():
    yaws = (0.0, 0.7)
    views = _views(yaws)
    x = _moved(views)
    energy = _energy(views, [contour(camera(yaw)) for yaw in yaws], x)
    gradient = energy.quadratic(x).gradient
    for name, run in views.table.slices.items():
        step = torch.zeros_like(x)
        generator = torch.Generator().manual_seed(2)
        step[run] = torch.randn(run.stop - run.start, generator=generator).double()
        ahead, behind = (energy.energy(x + sign * 1e-6 * step) for sign in (1, -1))
        slope = (ahead - behind) / 2e-6
        assert float(gradient @ step) == pytest.approx(slope, rel=1e-5), name


def test_a_wrong_pose_and_size_come_back():
    yaws = (0.0, 0.7)
    views = _views(yaws)
    x, exact = _moved(views), views.table.zeros()
    modes = len(identity_model().modes)
    exact[views.table.slices["identity"]] = truth()[:modes]
    contours = [contour(camera(yaw)) for yaw in yaws]

    def miss(at: torch.Tensor) -> float:
        everyone = np.arange(len(skin()))[:, None], np.ones((len(skin()), 1))
        seen = [views.pixels_together(state, *everyone) for state in (at, exact)]
        face = load_template().regions["face"][: len(skin())]
        return float((seen[0] - seen[1]).norm(dim=-1)[:, face].mean())

    before, table = miss(x), views.table
    box = Box(
        floor=1 / table.column("sigma") ** 2,
        lower=table.column("lower"),
        upper=table.column("upper"),
        max_step=table.column("max_step"),
        free=table.mask(("rotation", "place", "log_distance")),
    )
    solver = LevenbergMarquardt(max_steps=4, damping=1e-3, tolerance=1e-6)
    for _ in range(12):
        x = levenberg_marquardt(_energy(views, contours, x), x, box, solver).value
    assert before > 8 and miss(x) < 0.1 * before
