"""Photometric consistency on a real head: derivatives, visibility, and a known face found again."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor

from rigface.cameras.camera import orbiting
from rigface.fit.joint import JointEquations
from rigface.fit.photo import identity_model
from rigface.fit.photometric import (
    HIDDEN,
    PhotometricSettings,
    PhotometricView,
    photometric_term,
    skin_texels,
)
from rigface.fit.views import View, Views
from rigface.fit.views_energy import ViewsEnergy
from rigface.geometry.similarity import align_points
from rigface.render.attributes import smooth_normals
from rigface.render.head_paint import HeadPaint
from rigface.render.image_pyramid import ImagePyramid
from rigface.render.lighting import STUDIO
from rigface.render.shade import render
from rigface.rig.template_io import load_template
from rigface.solve.levenberg_marquardt import Box, LevenbergMarquardt, levenberg_marquardt
from rigface.terms.image_points import ImagePoints
from rigface.terms.photometric import CENTRE, PhotometricPatches
from rigface.terms.prior import ParameterPrior

SIZE, YAWS = (240, 240), (-0.5, 0.0, 0.5)


@lru_cache(maxsize=2)
def views(shared: bool = True) -> Views:
    starts = [View(orbiting((0.0, -0.03, 0.03), yaw, 0.1, 0.6, 420.0, SIZE)) for yaw in YAWS]
    return Views(identity_model(), starts, shared)


def truth(shared: bool = True) -> Tensor:
    """A face that is not the mean one, before the cameras where they started."""
    x = views(shared).table.zeros()
    generator = torch.Generator().manual_seed(4)
    x[:60] = 0.6 * torch.randn(60, generator=generator, dtype=torch.float64)
    return x


@lru_cache(maxsize=1)
def photos() -> tuple[PhotometricView, ...]:
    """The painted head; its skin is ten times as irregular as usual, so that it tells depth."""
    template, model = load_template(), views()
    vertices = torch.from_numpy(template.mesh.vertices.copy())
    vertices[:4200] = model.model.vertices(model.head(truth(), 0))
    faces, paint = (
        torch.from_numpy(template.mesh.faces),
        HeadPaint.of_template(template, mottle=0.5),
    )
    return tuple(
        PhotometricView(
            ImagePyramid.of(
                render(vertices, faces, model.camera(truth(), view), paint, STUDIO, samples=2)
            )
        )
        for view in range(len(YAWS))
    )


def near_truth(shared: bool = True, identity: float = 0.4) -> Tensor:
    x = truth(shared)
    generator = torch.Generator().manual_seed(6)
    x[:60] += identity * torch.randn(60, generator=generator, dtype=torch.float64)
    return x


def term_at(x: Tensor, size: int, shared: bool = True, **settings) -> PhotometricPatches:
    texels = skin_texels(load_template(), size)
    term = photometric_term(views(shared), x, texels, photos(), PhotometricSettings(**settings))
    assert term is not None
    return term


def problem(term: PhotometricPatches, shared: bool = True) -> ViewsEnergy:
    return ViewsEnergy(views(shared), [[] for _ in YAWS], (), [term])


@pytest.mark.parametrize("paper", [False, True])
def test_the_gradient_agrees_with_finite_differences(paper: bool) -> None:
    x = near_truth()
    energy = problem(term_at(x, 128, paper=paper, weight=100.0))
    quadratic = energy.quadratic(x)
    assert quadratic.energy == pytest.approx(energy.energy(x))
    sigma = views().table.column("sigma")
    generator = torch.Generator().manual_seed(5)
    for _ in range(3):
        noise = torch.randn(len(x), generator=generator, dtype=torch.float64)
        step, h = sigma * noise, 1e-8
        numeric = (energy.energy(x + h * step) - energy.energy(x - h * step)) / (2 * h)
        assert float(quadratic.gradient @ step) == pytest.approx(numeric, rel=1e-4)


@pytest.mark.parametrize("shared", [True, False])
def test_the_matrix_is_the_dense_product(shared: bool) -> None:
    x = near_truth(shared)
    term = term_at(x, 64, shared)
    quadratic = problem(term, shared).quadratic(x)
    model = term.pixel_model(views(shared).pixels_together(x, term.corners, term.bary))
    count = len(term.corners)
    points = ImagePoints(term.corners, term.bary, np.zeros((count, 2)), np.ones(count))
    dense = [views(shared).project(x, view, points)[1] for view in range(len(YAWS))]
    rows = torch.stack(dense, dim=1)[model.centres].flatten(1, 2)
    matrices = model.matrices(torch.arange(len(model.centres)))
    expected = torch.einsum("pak,pab,pbl->kl", rows, matrices, rows)
    scale = expected.diagonal().clamp_min(1e-12).sqrt()
    error = (quadratic.hessian - expected) / (scale[:, None] * scale)
    assert float(error.abs().max()) < 1e-4


def test_the_approximate_matrix_predicts_the_residuals() -> None:
    """Patches that move like their centres: the curvature along random steps is right to 10 %."""
    x = near_truth()
    term = replace(term_at(x, 256), floor=torch.full((len(YAWS),), 0.05, dtype=torch.float64))
    energy, sigma = problem(term), views().table.column("sigma")
    hessian = energy.quadratic(x).hessian
    model = term.pixel_model(views().pixels_together(x, term.corners, term.bary))
    generator = torch.Generator().manual_seed(5)

    def residuals(at: Tensor) -> Tensor:
        pixels = views().pixels_together(at, term.corners, term.bary)
        return term._unit(term._sampled(pixels)[0])[0]

    for _ in range(3):
        noise = torch.randn(len(x), generator=generator, dtype=torch.float64)
        step, h = sigma * noise, 1e-8
        moved = (residuals(x + h * step) - residuals(x - h * step)) / (2 * h)
        exact = float((moved * (model.coupling @ moved)).sum())
        assert float(step @ hessian @ step) == pytest.approx(exact, rel=0.1)


def test_a_known_face_is_found_again_from_coarse_to_fine() -> None:
    start = near_truth(identity=0.5)
    table = views().table
    weight = torch.zeros(table.size, dtype=torch.float64)
    weight[table.slices["identity"]] = 1.0
    prior = ParameterPrior(weight.numpy(), np.zeros(table.size))
    box = Box(
        floor=1 / table.column("sigma") ** 2,
        lower=table.column("lower"),
        upper=table.column("upper"),
        max_step=table.column("max_step"),
        free=table.mask(["identity", "rotation", "place", "log_distance"]),
    )
    x = start
    for size in (128, 256, 512):
        energy = replace(problem(term_at(x, size, weight=1e4)), parameter_terms=[prior])
        solver = LevenbergMarquardt(max_steps=6, damping=1e-2, tolerance=1e-3)
        x = levenberg_marquardt(energy, x, box, solver).value
    before, after = off_surface(start), off_surface(x)
    assert before > 0.8 and after < 0.4 * before


def off_surface(x: Tensor) -> float:
    """RMS distance along the normals of the face, millimetres, after one similarity."""
    model, template = identity_model(), load_template()
    real, found = (model.vertices(views().head(at, 0)) for at in (truth(), x))
    face = (template.regions["face"] & ~template.regions["inner"])[:4200]
    aligned = align_points(found[face].numpy(), real[face].numpy()).apply(found.numpy())
    offset = (torch.from_numpy(aligned) - real) * smooth_normals(real, model.faces)
    return 1e3 * float((offset.sum(dim=-1)[face] ** 2).mean().sqrt())


def test_texels_are_neighbours_on_the_outer_skin() -> None:
    template = load_template()
    texels = skin_texels(template, 128)
    place = np.einsum("tc,tcd->td", texels.bary, template.mesh.vertices[texels.corners])
    nine = place[texels.patches.numpy()]
    assert np.linalg.norm(nine - nine[:, CENTRE, None], axis=-1).max() < 0.04
    for name in HIDDEN:
        assert not template.regions[name][texels.corners].any()
    centres = texels.patches[:, CENTRE]
    assert len(centres.unique()) == len(centres)


def test_only_what_two_views_see_is_compared() -> None:
    x = truth()
    term, model = term_at(x, 128), views()
    seen = term.share > 0
    assert (seen.sum(dim=0) >= 2).all() and not seen.all()
    skin = model.model.vertices(model.head(x, 0))
    normals = smooth_normals(skin, model.model.faces)
    left = model.camera(x, 2)
    middle = torch.from_numpy(term.corners)[term.patches[:, CENTRE]][:, 0]
    ray = torch.nn.functional.normalize(left.position - skin[middle], dim=-1)
    cosine = (ray * normals[middle]).sum(-1)
    assert cosine[seen[2]].min() > 0.1  # a corner of the texel's face, not the texel
    assert not seen[2][cosine < 0].any()


def test_masked_and_mistrusted_photos_do_not_count() -> None:
    x, texels = truth(), skin_texels(load_template(), 128)
    blind = replace(photos()[1], mask=np.zeros(SIZE[::-1], dtype=bool))
    term = photometric_term(views(), x, texels, [photos()[0], blind, photos()[2]])
    assert term is not None and not term.share[1].any() and not term.pairs[1].any()
    useless = replace(photos()[1], weight=0.0)
    term = photometric_term(views(), x, texels, [photos()[0], useless, photos()[2]])
    assert term is not None and not term.pairs[1].any()
    nothing = [replace(photo, weight=0.0) for photo in photos()]
    assert photometric_term(views(), x, texels, nothing) is None


def test_equations_put_shared_and_own_columns_in_their_places() -> None:
    generator = torch.Generator().manual_seed(0)
    columns = torch.tensor([[0, 1, 2, 5], [0, 1, 3, 6], [0, 1, 4, 7]])
    jacobian = torch.randn(3, 11, 2, 4, generator=generator, dtype=torch.float64)
    half = torch.randn(11, 6, 3, generator=generator, dtype=torch.float64)
    way = torch.randn(3, 11, 2, generator=generator, dtype=torch.float64)
    equations = JointEquations(columns, 8, torch.float64)
    equations.couple(jacobian, half @ half.transpose(1, 2))
    equations.pull(jacobian, way)
    full = torch.zeros(11, 3, 2, 8, dtype=torch.float64)
    for view in range(3):
        full[:, view][..., columns[view]] = jacobian[view]
    rows = full.flatten(1, 2)
    expected = torch.einsum("pak,pab,pbl->kl", rows, half @ half.transpose(1, 2), rows)
    torch.testing.assert_close(equations.matrix, expected, rtol=1e-4, atol=1e-4)
    pull = torch.einsum("pak,pa->k", rows, way.transpose(0, 1).flatten(1))
    torch.testing.assert_close(equations.gradient, pull)
