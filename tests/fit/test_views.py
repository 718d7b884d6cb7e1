"""Pixels of a head before cameras, their derivative, and the energy of pictures."""

from functools import lru_cache

import numpy as np
import pytest
import torch

from rigface.cameras.camera import orbiting
from rigface.fit.photo import identity_model
from rigface.fit.views import CENTRE, DetectorModes, View, Views
from rigface.fit.views_energy import ViewsEnergy
from rigface.terms.image_points import Beside, ImagePoints
from rigface.terms.prior import ParameterPrior
from rigface.terms.robust import GemanMcClure, LeastSquares
from rigface.terms.sparsity import SparsityPrior

MODES = 3


@lru_cache(maxsize=2)
def views(shared: bool) -> Views:
    starts = [
        View(orbiting((0.0, -0.03, 0.03), yaw, 0.1, 0.6, 900.0, (640, 480))) for yaw in (0.0, 0.6)
    ]
    return Views(identity_model(), starts, shared, DetectorModes(MODES, 0.4))


def points(count: int = 40, outline: bool = False, beside: bool = False) -> ImagePoints:
    rng = np.random.default_rng(3)
    faces = identity_model().faces.numpy()
    corners = faces[rng.integers(0, len(faces), count)]
    bary = rng.dirichlet(np.ones(3), count)
    angle = rng.uniform(0, 6.28, count)
    normals = np.column_stack([np.cos(angle), np.sin(angle)]) if outline else None
    pixels, sigma = rng.uniform(100, 400, (count, 2)), rng.uniform(1, 3, count)
    mean, modes = rng.normal(0, 3e-3, (count, 3)), rng.normal(0, 3e-3, (count, 3, MODES))
    offset = Beside(mean, modes) if beside else None
    return ImagePoints(corners, bary, pixels, sigma, normals, GemanMcClure(200.0), offset)


def somewhere(shared: bool) -> torch.Tensor:
    table = views(shared).table
    generator = torch.Generator().manual_seed(1)
    x = (
        0.1
        * table.column("sigma")
        * torch.randn(table.size, generator=generator, dtype=torch.float64)
    )
    run = table.slices["expression"]
    x[run] = 0.3 * torch.rand(run.stop - run.start, generator=generator, dtype=torch.float64)
    return x


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("view", [0, 1])
@pytest.mark.parametrize("beside", [True, False])
def test_the_derivative_agrees_with_finite_differences(
    shared: bool, view: int, beside: bool
) -> None:
    model, x, marks = views(shared), somewhere(shared), points(beside=beside)
    _, jacobian = model.project(x, view, marks)
    h = 1e-6
    for name, run in model.table.slices.items():
        step = torch.zeros_like(x)
        generator = torch.Generator().manual_seed(2)
        step[run] = torch.randn(run.stop - run.start, generator=generator, dtype=torch.float64)
        ahead, behind = (model.project(x + s * h * step, view, marks)[0] for s in (1, -1))
        numeric = (ahead - behind) / (2 * h)
        torch.testing.assert_close(
            jacobian @ step, numeric, rtol=1e-5, atol=1e-4, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_zooming_changes_perspective_and_not_the_size() -> None:
    """What lies as far as the middle of the head stays put; what is nearer comes to the rim."""
    model, x = views(True), somewhere(True)
    zoomed = x.clone()
    zoomed[model.table.slices["log_focal"].start] += 0.5
    before, after = model.camera(x, 0), model.camera(zoomed, 0)
    assert float((after.focal / before.focal).log()[0]) == pytest.approx(0.5)
    across, nearer = before.rotation[0], before.rotation[2]
    middle = torch.tensor(CENTRE, dtype=torch.float64)
    places = torch.stack([middle, middle + 0.05 * across, middle + 0.05 * (across - nearer)])
    was, now = before.project(places)[0], after.project(places)[0]
    torch.testing.assert_close(was[:2], now[:2], atol=1e-9, rtol=0)
    assert (was[2] - was[0]).norm() > (now[2] - now[0]).norm() + 1


def test_a_detector_sees_points_beside_their_places() -> None:
    model, x, marks = views(True), somewhere(True), points(beside=True)
    values = model.table.unpack(x)
    plain, _ = model.project(x, 1, points())
    assert not torch.allclose(model.pixels(x, 1, marks), plain)
    error = 0.4**0.5 * values["detector_person"] + 0.6**0.5 * values["detector_view"][1]
    assert marks.beside is not None
    offset = torch.from_numpy(marks.beside.mean) + torch.from_numpy(marks.beside.modes) @ error
    place = model.model.places(model.head(x, 1), marks.corners, marks.bary) + offset
    torch.testing.assert_close(model.pixels(x, 1, marks), model.camera(x, 1).project(place)[0])
    torch.testing.assert_close(model.project(x, 1, marks)[0], model.pixels(x, 1, marks))


def test_one_view_has_no_second_set_of_detector_modes() -> None:
    alone = Views(identity_model(), views(True).starts[:1], True, DetectorModes(MODES, 0.4))
    assert alone.table["detector_person"].size == 0
    assert alone.table["detector_view"].size == MODES


def test_project_is_the_camera_of_the_head() -> None:
    model, x, marks = views(False), somewhere(False), points()
    for view in (0, 1):
        pixels, _ = model.project(x, view, marks)
        skin = model.model.vertices(model.head(x, view))
        bary = torch.from_numpy(marks.bary)[..., None]
        place = (skin[torch.from_numpy(marks.corners)] * bary).sum(dim=1)
        expected, _ = model.camera(x, view).project(place)
        torch.testing.assert_close(pixels, expected)
        torch.testing.assert_close(model.pixels(x, view, marks), expected)


@pytest.mark.parametrize("outline", [False, True])
def test_the_gradient_of_the_energy_agrees_with_finite_differences(outline: bool) -> None:
    model, x = views(True), somewhere(True)
    weights = np.full(model.table.size, 0.7)
    priors = [ParameterPrior(weights, np.zeros_like(weights)), SparsityPrior(0.1 * weights)]
    problem = ViewsEnergy(model, [[points(outline=outline)], [points(20)]], priors)
    quadratic = problem.quadratic(x)
    assert quadratic.energy == pytest.approx(problem.energy(x))
    generator = torch.Generator().manual_seed(5)
    for _ in range(4):
        noise = torch.randn(model.table.size, generator=generator, dtype=torch.float64)
        step = model.table.column("sigma") * noise
        h = 1e-6
        numeric = (problem.energy(x + h * step) - problem.energy(x - h * step)) / (2 * h)
        assert float(quadratic.gradient @ step) == pytest.approx(numeric, rel=1e-5)


def test_normal_equations_are_those_of_the_residuals() -> None:
    marks = points()
    marks = ImagePoints(marks.corners, marks.bary, marks.pixels, marks.sigma, None, LeastSquares())
    model, x = views(True), somewhere(True)
    pixels, jacobian = model.project(x, 0, marks)
    energy, gradient, matrix = marks.normal_equations(pixels, jacobian)
    sigma = torch.from_numpy(marks.sigma)[:, None]
    residual = ((pixels - torch.from_numpy(marks.pixels)) / sigma).flatten()
    rows = (jacobian / sigma[..., None]).flatten(0, 1)
    assert energy == pytest.approx(0.5 * float(residual @ residual))
    torch.testing.assert_close(gradient, rows.T @ residual)
    torch.testing.assert_close(matrix, rows.T @ rows)


def test_a_point_may_slide_along_its_outline() -> None:
    marks = points(10, outline=True)
    assert marks.normals is not None
    along = np.column_stack([-marks.normals[:, 1], marks.normals[:, 0]])
    here = torch.from_numpy(marks.pixels + 5 * along)
    assert marks.energy(here) == pytest.approx(0.0, abs=1e-18)
    assert marks.energy(torch.from_numpy(marks.pixels + 5 * marks.normals)) > 1.0
