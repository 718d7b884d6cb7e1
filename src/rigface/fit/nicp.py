"""Optimal-step non-rigid ICP (Amberg, Romdhani, Vetter 2007): any template mesh onto any surface.

Every vertex has an affine map X_i (4 x 3, transposed). One step of the schedule minimises

    alpha^2 sum_edges |G (X_i - X_j)|^2 / l_ij^2 + sum_i w_i |x_i^T X_i - u_i|^2
        + beta^2 sum_landmarks |x_l^T X_l - u_l|^2,      G = diag(1, 1, 1, gamma)

over pairs (x_i, u_i) found by closest points, looks for pairs again, and goes on softer (Eq. 6 and
12). Coordinates are scaled to a template of unit size (diagonal of its bounding box), so stiffness
and reach do not depend on the unit. The matrix is the same for x, y and z, and changes little from
pair search to pair search and from step to step: see `ReusedFactor`.

    from rigface import load_scan, load_template
    from rigface.fit.nicp import nicp

    scan = load_scan("head_in_model_space.ply").mesh()
    template = load_template().mesh
    fitted = nicp(template.vertices, template.faces, scan.vertices, scan.faces)
    print(fitted.vertices, fitted.matched)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from rigface.errors import InputError
from rigface.geometry.laplacian import edge_laplacian
from rigface.geometry.mesh import boundary_edges, vertex_normals
from rigface.geometry.normals import unit
from rigface.geometry.surface import Surface
from rigface.solve.reused_factor import ReusedFactor
from rigface.solve.threads import one_thread

_ANCHOR = 1e-9
"""Of the mean diagonal: holds pieces of the template that found no partner."""
_TOLERANCE = 0.05
"""Of each linear solve, whose pairs are about to change anyway."""
_INSIDE = 1e-4
"""Barycentric coordinate above which a closest point is not on the opposite edge."""


@dataclass(frozen=True)
class NicpStep:
    """One stiffness of the schedule; lengths in diagonals of the template's bounding box."""

    stiffness: float
    """alpha."""
    landmarks: float = 1.0
    """beta; without landmarks void."""
    reach: float = 0.1
    """Pairs farther apart than this are dropped."""
    iterations: int = 5
    """Searches for pairs, at most."""


SCHEDULE = tuple(
    NicpStep(stiffness, landmarks=10 * stiffness)
    for stiffness in (1.0, 0.3, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
)


@dataclass(frozen=True)
class NicpSettings:
    """How to register."""

    steps: Sequence[NicpStep] = SCHEDULE
    gamma: float = 1.0
    """Weight of the translations against the linear parts, for a template of unit size."""
    angle: float = 60.0
    """Pairs whose normals differ by more degrees are dropped."""
    borders: bool = True
    """Drop pairs on an open border of the target: there it ends, and says nothing."""
    still: float = 1e-5
    """A step ends when the vertices move less than this (root mean square, of the diagonal)."""


@dataclass(frozen=True)
class NicpResult:
    """The registered template, in the target's unit and frame."""

    vertices: Float[np.ndarray, "verts 3"]
    affines: Float[np.ndarray, "verts 3 4"]
    """target_from_template of every vertex."""
    matched: float
    """Share of the vertices with a partner at the end."""
    iterations: int
    factored: int
    """How often the system was factorised."""


def nicp(
    vertices: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
    target: Float[np.ndarray, "target_verts 3"],
    target_faces: Int[np.ndarray, "target_faces 3"] | None = None,
    *,
    target_normals: Float[np.ndarray, "target_verts 3"] | None = None,
    landmarks: tuple[Int[np.ndarray, " marks"], Float[np.ndarray, "places 3"]] | None = None,
    settings: NicpSettings = NicpSettings(),
) -> NicpResult:
    """Register a template, roughly aligned, onto a mesh or a point cloud in the same unit.

    `landmarks` are vertices of the template and where they belong. Without `target_faces` the
    target is a cloud; it takes part in the normal test if `target_normals` (outward) are given.

    Raises InputError for a mesh or target that is empty or not finite, for landmarks that do not
    belong to the template, and where not a single vertex finds a partner.
    """
    _check(vertices, faces, "the template")
    _check(target, target_faces, "the target")
    centre = vertices.mean(axis=0)
    size = float(np.linalg.norm(np.ptp(vertices, axis=0)))
    if size == 0:
        raise InputError("the template has no extent: all of its vertices are one point")
    scaled = (vertices - centre) / size
    pairs = _Pairs((target - centre) / size, target_faces, target_normals, settings)
    system = _System(scaled, faces, settings.gamma, _marks(landmarks, len(vertices), centre, size))
    with one_thread():
        affines, matched, count = _iterate(system, pairs, faces, settings)
    moved = centre + size * system.place(affines)
    linear = affines[:, :3].transpose(0, 2, 1)
    shift = moved - np.einsum("nij,nj->ni", linear, vertices)
    every = np.concatenate([linear, shift[:, :, None]], axis=2)
    return NicpResult(moved, every, matched, count, system.solver.factored)


def _iterate(
    system: "_System", pairs: "_Pairs", faces: np.ndarray, settings: NicpSettings
) -> tuple[np.ndarray, float, int]:
    """Affine maps in the scaled frame, share of matched vertices, pair searches."""
    affines, count, matched = system.identity(), 0, 0.0
    moved = system.place(affines)
    for step in settings.steps:
        for _ in range(step.iterations):
            weights, goal = pairs.match(moved, vertex_normals(moved, faces), step.reach)
            matched = float((weights > 0).mean())
            if not matched:
                raise InputError(
                    "no vertex of the template finds a partner on the target: it must lie on it "
                    "already, in the same unit and turned the same way, before it is registered"
                )
            affines = system.step(affines, weights, goal, step)
            before, moved = moved, system.place(affines)
            count += 1
            if np.sqrt(((moved - before) ** 2).sum(axis=1).mean()) < settings.still:
                break
    return affines, matched, count


class _System:
    """The normal equations of Eq. 12, for a template of unit size around the origin."""

    def __init__(
        self,
        vertices: np.ndarray,
        faces: np.ndarray,
        gamma: float,
        marks: tuple[np.ndarray, np.ndarray],
    ):
        count = len(vertices)
        self.solver = ReusedFactor(_TOLERANCE, most=25)
        self._homogeneous = np.column_stack([vertices, np.ones(count)])
        self._outer = self._homogeneous[:, :, None] * self._homogeneous[:, None, :]
        self._smooth = sp.kron(
            edge_laplacian(vertices, faces), sp.diags([1.0, 1.0, 1.0, gamma**2]), format="csr"
        )
        self._anchor = _ANCHOR * sp.identity(4 * count, format="csr")
        self._marks, self._mark_goals = marks

    def identity(self) -> Float[np.ndarray, "verts 4 3"]:
        return np.tile(np.eye(4, 3), (len(self._homogeneous), 1, 1))

    def place(self, affines: Float[np.ndarray, "verts 4 3"]) -> Float[np.ndarray, "verts 3"]:
        """Where the vertices are."""
        return np.einsum("nk,nkd->nd", self._homogeneous, affines)

    def step(
        self, affines: np.ndarray, weights: np.ndarray, goal: np.ndarray, step: NicpStep
    ) -> Float[np.ndarray, "verts 4 3"]:
        """The minimum for these pairs."""
        pull, strength = weights[:, None] * (goal - self.place(affines)), weights.copy()
        if len(self._marks):
            beta = step.landmarks**2
            missing = self._mark_goals - self.place(affines)[self._marks]
            np.add.at(pull, self._marks, beta * missing)
            np.add.at(strength, self._marks, beta)
        count = len(strength)
        blocks = (strength[:, None, None] * self._outer, np.arange(count), np.arange(count + 1))
        data = sp.bsr_matrix(blocks, shape=(4 * count, 4 * count))
        smooth = step.stiffness**2 * self._smooth
        matrix = smooth + data.tocsr() + self._anchor
        flat = affines.reshape(-1, 3)
        right = (self._homogeneous[:, :, None] * pull[:, None, :]).reshape(-1, 3) - smooth @ flat
        return (flat + self.solver.solve(matrix, right)).reshape(-1, 4, 3)


class _Pairs:
    """Closest points on the target, and which of them count."""

    def __init__(
        self,
        target: np.ndarray,
        faces: np.ndarray | None,
        normals: np.ndarray | None,
        settings: NicpSettings,
    ):
        self._settings = settings
        self._points, self._faces = target, faces
        self._cosine = float(np.cos(np.radians(settings.angle)))
        self._normals = normals
        self._border = np.zeros(len(target), dtype=bool)
        self._tree = self._surface = None
        if faces is None:
            self._tree = cKDTree(target)
            return
        if normals is None:
            self._normals = vertex_normals(target, faces)
        self._border[boundary_edges(faces).ravel()] = True
        self._surface = Surface(torch.from_numpy(target), torch.from_numpy(faces))

    def match(
        self, moved: np.ndarray, normals: np.ndarray, reach: float
    ) -> tuple[Float[np.ndarray, " verts"], Float[np.ndarray, "verts 3"]]:
        """Weight (0 or 1) and partner of every vertex."""
        place, facing, inside = self._closest(moved, reach)
        good = inside & (np.linalg.norm(place - moved, axis=1) < reach)
        if facing is not None:
            good &= (facing * normals).sum(axis=1) > self._cosine
        return good.astype(float), np.where(good[:, None], place, moved)

    def _closest(
        self, moved: np.ndarray, reach: float
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Place, normal there, and whether it is trusted."""
        if self._surface is None or self._faces is None:
            assert self._tree is not None
            distance, index = self._tree.query(moved, distance_upper_bound=reach)
            found = np.isfinite(distance)
            index = np.where(found, index, 0)
            facing = None if self._normals is None else self._normals[index]
            return self._points[index], facing, found
        closest = self._surface.closest(torch.from_numpy(moved), reach)
        face, bary = closest.face.numpy(), closest.bary.numpy()
        corners = self._faces[np.maximum(face, 0)]
        assert self._normals is not None
        facing = unit(np.einsum("nc,ncd->nd", bary, self._normals[corners]))
        trusted = face >= 0
        if self._settings.borders:
            trusted &= ~(self._border[corners] | (bary < _INSIDE)).all(axis=1)
        place = np.einsum("nc,ncd->nd", bary, self._points[corners])
        return place, facing, trusted


def _marks(
    landmarks: tuple[np.ndarray, np.ndarray] | None, count: int, centre: np.ndarray, size: float
) -> tuple[np.ndarray, np.ndarray]:
    if landmarks is None:
        return np.zeros(0, dtype=np.int64), np.zeros((0, 3))
    ids, places = np.asarray(landmarks[0]), np.asarray(landmarks[1], dtype=float)
    if len(ids) != len(places) or not np.isfinite(places).all():
        raise InputError(
            f"{len(ids)} landmark vertices came with {len(places)} places; every one needs a place "
            "with three finite coordinates"
        )
    if len(ids) and (ids.min() < 0 or ids.max() >= count):
        raise InputError(
            f"the landmark vertices run from {ids.min()} to {ids.max()}, but the template has "
            f"{count} vertices, 0 to {count - 1}"
        )
    return ids, (places - centre) / size


def _check(vertices: np.ndarray, faces: np.ndarray | None, name: str) -> None:
    if len(vertices) == 0 or (faces is not None and len(faces) == 0):
        raise InputError(f"{name} is empty: it has {len(vertices)} vertices and no face")
    wrong = int((~np.isfinite(vertices).all(axis=1)).sum())
    if wrong:
        raise InputError(
            f"{wrong} of the {len(vertices)} vertices of {name} are not finite numbers; drop "
            "them, or let `rigface.load_scan` clean the file"
        )
    if faces is not None and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise InputError(
            f"the faces of {name} name vertices {faces.min()} to {faces.max()}, but it has "
            f"{len(vertices)}"
        )
