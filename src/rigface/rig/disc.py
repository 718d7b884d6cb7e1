"""Seamless disc parameterisation of a skin with one boundary loop, by Tutte and then SLIM.

Tutte's embedding is bijective but crushes whatever is far from the boundary; a few dozen steps of
reweighted symmetric Dirichlet (Rabinovich et al., Scalable Locally Injective Mappings, 2017) bring
it close to a prescribed size per triangle without ever flipping one.
"""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.linalg import splu

from rigface.geometry.adjacency import adjacency
from rigface.geometry.mesh import boundary_edges, unique_edges


def boundary_loop(faces: Int[np.ndarray, "faces 3"]) -> Int[np.ndarray, " loop"]:
    """The one boundary loop in face direction, starting at its lowest vertex.

    Raises ValueError unless there is exactly one loop.
    """
    edges = boundary_edges(faces)
    after = dict(zip(edges[:, 0].tolist(), edges[:, 1].tolist(), strict=True))
    loop = [int(edges.min())] if len(edges) else []
    while loop and (following := after[loop[-1]]) != loop[0]:
        loop.append(following)
    if not loop or len(loop) != len(edges):
        raise ValueError(f"expected one boundary loop, got {len(edges)} edges, loop {len(loop)}")
    return np.array(loop)


def tutte(
    faces: Int[np.ndarray, "faces 3"],
    verts: int,
    loop: Int[np.ndarray, " loop"],
    circle: Float[np.ndarray, "loop 2"],
) -> Float[np.ndarray, "verts 2"]:
    """Bijective embedding with uniform weights; the boundary is fixed to `circle` (convex)."""
    near = adjacency(unique_edges(faces), verts)
    laplacian = sp.diags(np.asarray(near.sum(axis=1)).ravel()) - near
    free = np.setdiff1d(np.arange(verts), loop)
    chart = np.zeros((verts, 2))
    chart[loop] = circle
    rows = laplacian.tocsr()[free]
    chart[free] = splu(rows[:, free].tocsc()).solve(-(rows[:, loop] @ circle))
    return chart


def flat_gradients(
    vertices: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
    scale: Float[np.ndarray, " faces"],
) -> tuple[Float[np.ndarray, "faces 2 3"], Float[np.ndarray, " faces"]]:
    """Per triangle, laid flat and scaled: the operator from corner values to the gradient, area."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    base = np.linalg.norm(b - a, axis=-1)
    along = np.einsum("fi,fi->f", c - a, b - a) / base
    height = np.linalg.norm(np.cross(b - a, c - a), axis=-1) / base
    edge = np.zeros((len(faces), 2, 2))
    edge[:, 0, 0], edge[:, 1, 0], edge[:, 1, 1] = base * scale, along * scale, height * scale
    differences = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    return np.linalg.inv(edge) @ differences, 0.5 * base * height * scale**2


def jacobians(
    chart: Float[np.ndarray, "verts 2"],
    faces: Int[np.ndarray, "faces 3"],
    gradients: Float[np.ndarray, "faces 2 3"],
) -> Float[np.ndarray, "faces 2 2"]:
    """d(chart)/d(flat triangle), one constant matrix per triangle."""
    return np.einsum("fck,fjc->fkj", chart[faces], gradients)


def slim(
    chart: Float[np.ndarray, "verts 2"],
    faces: Int[np.ndarray, "faces 3"],
    gradients: Float[np.ndarray, "faces 2 3"],
    weight: Float[np.ndarray, " faces"],
    fixed: Int[np.ndarray, " fixed"],
    mirror: Int[np.ndarray, " verts"] | None = None,
    steps: int = 40,
) -> Float[np.ndarray, "verts 2"]:
    """Lower the weighted symmetric Dirichlet energy |J|^2 + |J^-1|^2 without flipping a triangle.

    `fixed` vertices stay where they are. With `mirror`, a symmetric chart stays symmetric: the
    chart of a mirrored vertex is (-u, v).
    """
    free = np.setdiff1d(np.arange(len(chart)), fixed)
    operator = _stack_gradients(faces, gradients, len(chart))
    energy = _energy(jacobians(chart, faces, gradients), weight)
    for _ in range(steps):
        target = _slim_target(chart, faces, gradients, weight, operator, free)
        step = (target if mirror is None else symmetric_chart(target, mirror)) - chart
        length = min(1.0, 0.8 * _longest_step(chart, step, faces))
        while length > 1e-8:
            trial = chart + length * step
            lower = _energy(jacobians(trial, faces, gradients), weight)
            if lower < energy:
                break
            length *= 0.5
        else:
            break
        done = energy - lower < 1e-7 * energy
        chart, energy = trial, lower
        if done:
            break
    return chart


def symmetric_chart(
    chart: Float[np.ndarray, "verts 2"], mirror: Int[np.ndarray, " verts"]
) -> Float[np.ndarray, "verts 2"]:
    """Mean of the chart and its mirror image, u -> -u."""
    return 0.5 * (chart + chart[mirror] * np.array([-1.0, 1.0]))


def _energy(jacobian: np.ndarray, weight: np.ndarray) -> float:
    det = np.linalg.det(jacobian)
    if det.min() <= 0:
        return np.inf
    square = (jacobian**2).sum((1, 2))
    return float((weight * square * (1 + 1 / det**2)).sum())


def _stack_gradients(faces: np.ndarray, gradients: np.ndarray, verts: int) -> sp.csr_matrix:
    count = len(faces)
    rows = np.repeat(np.arange(2 * count).reshape(count, 2), 3, axis=1)
    columns = np.tile(faces, (1, 2))
    values = gradients.reshape(count, 6)
    return sp.coo_matrix(
        (values.ravel(), (rows.ravel(), columns.ravel())), shape=(2 * count, verts)
    ).tocsr()


def _slim_target(chart, faces, gradients, weight, operator, free) -> np.ndarray:
    """Minimiser of sum_f w_f |W_f (J_f - R_f)|^2 with the other vertices held."""
    jacobian = jacobians(chart, faces, gradients)
    u, s, vt = np.linalg.svd(jacobian)
    s = np.maximum(s, 1e-9)
    near = np.abs(s - 1) < 1e-6
    gap = np.where(near, 1.0, s - 1)
    pull = np.where(near, 4.0, (s - s**-3) / gap)
    metric = (u * pull[:, None, :]) @ u.transpose(0, 2, 1) * weight[:, None, None]
    rotation = u @ vt
    blocks = [[_block(metric[:, i, j], operator) for j in range(2)] for i in range(2)]
    drive = np.einsum("fij,fjk->fik", metric, rotation)
    right = np.stack([operator.T @ drive[:, i, :].ravel() for i in range(2)])
    held = chart.copy()
    held[free] = 0
    right -= np.stack([sum(blocks[i][j] @ held[:, j] for j in range(2)) for i in range(2)])
    system = sp.bmat([[blocks[i][j][free][:, free] for j in range(2)] for i in range(2)]).tocsc()
    solution = splu(system).solve(right[:, free].ravel())
    out = chart.copy()
    out[free] = solution.reshape(2, -1).T
    return out


def _block(metric: np.ndarray, operator: sp.csr_matrix) -> sp.csr_matrix:
    return (operator.T @ sp.diags(np.repeat(metric, 2)) @ operator).tocsr()


def _longest_step(chart: np.ndarray, step: np.ndarray, faces: np.ndarray) -> float:
    """Largest t before any triangle of chart + t step loses its area."""
    p, d = chart[faces], step[faces]
    p1, p2, d1, d2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0], d[:, 1] - d[:, 0], d[:, 2] - d[:, 0]
    c = _cross(p1, p2)
    b = _cross(p1, d2) + _cross(d1, p2)
    a = _cross(d1, d2)
    disc = b * b - 4 * a * c
    real = disc >= 0
    root = np.sqrt(np.where(real, disc, 0))
    # Citardauq form: the smallest positive root, stable when a is tiny
    q = -0.5 * (b + np.where(b >= 0, root, -root))
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.stack([q / a, c / q])
    roots = np.where(real & np.isfinite(roots) & (roots > 0), roots, np.inf)
    return float(roots.min())


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
