"""Energies of the template's skin: gradients and Hessians against finite differences."""

from functools import lru_cache

import numpy as np
import pytest

from rigface.rig.template_io import load_template
from rigface.terms.robust import GemanMcClure, Huber, Kernel, LeastSquares
from rigface.terms.seam import SeamTerm
from rigface.terms.smoothness import DeformationEnergy, SmoothnessTerm, Stiffness
from rigface.terms.surface_points import SurfacePointTerm
from rigface.terms.term import VertexTerm
from rigface.terms.vertex_targets import VertexTargetTerm

MM = 1e-3
KERNELS = (LeastSquares(), Huber(1.0), GemanMcClure(3.0))


@lru_cache(maxsize=1)
def skin() -> tuple[np.ndarray, np.ndarray]:
    template = load_template()
    part = template.parts["skin"]
    return template.mesh.vertices[part.vertices], template.mesh.faces[part.faces]


def shaken(size: float = MM, seed: int = 1) -> np.ndarray:
    vertices, _ = skin()
    return vertices + size * np.random.default_rng(seed).standard_normal(vertices.shape)


def surface_points(kernel: Kernel, slide: float) -> SurfacePointTerm:
    vertices, faces = skin()
    rng = np.random.default_rng(0)
    corners = faces[rng.integers(0, len(faces), 500)]
    bary = rng.dirichlet(np.ones(3), 500)
    surface = np.einsum("nc,ncd->nd", bary, vertices[corners])
    normals = rng.standard_normal((500, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    targets = surface + 2 * MM * rng.standard_normal((500, 3))
    weights = rng.uniform(0, 2, 500)
    return SurfacePointTerm(corners, bary, targets, normals, weights, MM, kernel, slide)


@lru_cache(maxsize=1)
def deformation() -> DeformationEnergy:
    vertices, faces = skin()
    local = np.random.default_rng(2).uniform(0.1, 1, len(vertices))
    return DeformationEnergy(vertices, faces, local)


def targets() -> VertexTargetTerm:
    vertices, _ = skin()
    weights = np.random.default_rng(3).uniform(0, 1, len(vertices))
    return VertexTargetTerm(shaken(2 * MM, 4), weights, 0.5 * MM)


def seam() -> SeamTerm:
    vertices, _ = skin()
    a, b = np.random.default_rng(5).permutation(len(vertices))[:200].reshape(2, 100)
    return SeamTerm(a, b, vertices[a] - vertices[b] + MM, 0.2 * MM)


def every_term() -> dict[str, VertexTerm]:
    terms: dict[str, VertexTerm] = {
        f"points {type(kernel).__name__} slide {slide}": surface_points(kernel, slide)
        for kernel in KERNELS
        for slide in (0.0, 0.3)
    }
    terms["bending"] = deformation().term(Stiffness(2e-3, 3e-3))
    terms["all stiffness"] = deformation().term(Stiffness(2e-3, 3e-3, 50.0, 20.0))
    return {**terms, "targets": targets()}


NAMES = tuple(every_term())


def directions(count: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [rng.standard_normal(skin()[0].shape) for _ in range(count)]


@pytest.mark.parametrize("name", NAMES)
def test_gradient_agrees_with_finite_differences(name):
    term, vertices = every_term()[name], shaken()
    assert isinstance(term, VertexTerm)
    for d in directions():
        step = 1e-8
        slope = (term.energy(vertices + step * d) - term.energy(vertices - step * d)) / (2 * step)
        actual = float((term.gradient(vertices) * d).sum())
        assert abs(slope) > 0
        assert actual == pytest.approx(slope, rel=1e-5, abs=1e-6 * np.abs(slope))


@pytest.mark.parametrize("name", NAMES)
def test_quadratic_repeats_energy_and_gradient_and_is_semi_definite(name):
    term, vertices = every_term()[name], shaken()
    model = term.quadratic(vertices)
    assert model.energy == term.energy(vertices)
    np.testing.assert_array_equal(model.gradient, term.gradient(vertices))
    assert model.hessian.shape == (vertices.size, vertices.size)
    asymmetry = abs(model.hessian - model.hessian.T).max()
    assert asymmetry <= 1e-12 * abs(model.hessian).max()
    for d in directions():
        flat = d.ravel()
        assert flat @ (model.hessian @ flat) >= 0


@pytest.mark.parametrize(
    "name", [n for n in NAMES if not n.startswith("points") or "LeastSquares" in n]
)
def test_hessian_is_the_derivative_of_the_gradient_where_no_weight_changes(name):
    term, vertices = every_term()[name], shaken()
    hessian = term.quadratic(vertices).hessian
    for d in directions(2):
        step = 1e-9
        change = term.gradient(vertices + step * d) - term.gradient(vertices - step * d)
        expected = change.ravel() / (2 * step)
        error = np.abs(hessian @ d.ravel() - expected).max()
        assert error < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("kernel", KERNELS[1:], ids=lambda k: type(k).__name__)
def test_robust_hessian_is_that_of_the_frozen_weights(kernel):
    term, vertices = surface_points(kernel, 0.2), shaken()
    surface = np.einsum("nc,ncd->nd", term.bary, vertices[term.corners])
    residual = ((surface - term.targets) * term.normals).sum(-1) / term.sigma
    irls = term.weights * kernel.weight(residual**2)
    frozen = SurfacePointTerm(
        term.corners, term.bary, term.targets, term.normals, irls, term.sigma, slide=0.0
    )
    plain = surface_points(LeastSquares(), 0.2).quadratic(vertices).hessian
    bare = surface_points(LeastSquares(), 0.0).quadratic(vertices).hessian
    expected = frozen.quadratic(vertices).hessian + (plain - bare)
    difference = abs(term.quadratic(vertices).hessian - expected).max()
    assert difference < 1e-9 * abs(expected).max()


def test_points_without_weight_do_not_pull():
    term = surface_points(LeastSquares(), 0.3)
    none = SurfacePointTerm(
        term.corners, term.bary, term.targets, term.normals, 0 * term.weights, MM, slide=0.3
    )
    assert none.energy(shaken()) == 0
    assert (none.gradient(shaken()) == 0).all()


def test_motion_in_the_plane_is_free_without_slide():
    vertices, _ = skin()
    term = surface_points(LeastSquares(), 0.0)
    along = np.cross(term.normals, [0.3, 0.5, 0.8])
    moved = SurfacePointTerm(
        term.corners, term.bary, term.targets + along, term.normals, term.weights, MM
    )
    assert moved.energy(vertices) == pytest.approx(term.energy(vertices), rel=1e-9)


def test_smoothness_is_zero_at_its_reference_and_for_translations():
    vertices, _ = skin()
    term = deformation().term(Stiffness(1.0, 1.0))
    assert isinstance(term, SmoothnessTerm)
    assert term.energy(vertices) == 0
    assert term.energy(vertices + np.array([0.1, -0.2, 0.3])) < 1e-9 * term.energy(shaken())


def test_stiffness_is_split_by_direction():
    """Motion along the normals costs by the normal stiffness alone."""
    vertices, faces = skin()
    from rigface.geometry.mesh import vertex_normals

    along = 1e-3 * vertex_normals(vertices, faces)
    stretch = deformation().term(Stiffness(0.0, 0.0, stretch_tangent=1.0))
    other = deformation().term(Stiffness(0.0, 0.0, stretch_normal=1.0))
    assert stretch.energy(vertices + along) < 1e-12 * other.energy(vertices + along)


def test_targets_are_the_minimum():
    term = targets()
    assert term.energy(term.targets) == 0
    step = np.divide(
        term.gradient(shaken()).ravel(),
        term.quadratic(shaken()).hessian.diagonal(),
    )
    np.testing.assert_allclose(shaken() - step.reshape(-1, 3), term.targets, atol=1e-12)
