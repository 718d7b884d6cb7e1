"""ASM's bones reproduce the free-form surface; then all variables go onto the scan.

Where triangles cross each other afterwards, a few repairs hold the area to a calmer surface while
lips and lids keep ever farther apart.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.fit.eyeballs import Ball
from rigface.fit.matching import Matcher, MatchRule
from rigface.fit.registration_result import Registration
from rigface.fit.registration_settings import MM, TAU, RegistrationSettings
from rigface.fit.stages import Report, Stage, Wavelengths, box_for, prior_for, run_stage
from rigface.geometry.intersections import self_intersections
from rigface.metrics.mesh_quality import flipped_faces
from rigface.models.asm import AsmModel
from rigface.models.posed import POSE, PosedModel
from rigface.solve.levenberg_marquardt import LevenbergMarquardt, levenberg_marquardt
from rigface.terms.clearance import ClearanceTerm
from rigface.terms.energy import Energy
from rigface.terms.lip_gap import GapTerm
from rigface.terms.robust import GemanMcClure
from rigface.terms.smoothness import DeformationEnergy
from rigface.terms.term import OneSidedTerm, VertexTerm
from rigface.terms.vertex_targets import VertexTargetTerm

_HOLD = 0.2 * MM
"""Sigma at which the first repair holds folded areas to the free form."""
MAX_FLIPPED = 5e-4
"""Share of triangles flipped against the template that needs no repair."""


@dataclass(frozen=True)
class Goal:
    """The free-form surface that ASM reproduces, in the fit frame."""

    surface: Float[np.ndarray, "verts 3"]
    rest: Float[np.ndarray, "verts 3"]
    """The template with its lids as far shut, in its own frame."""
    before: Float[np.ndarray, "verts 3"]
    """The shape space's surface that it started from: smoother, and never folded."""
    local: Float[np.ndarray, " verts"]
    """Stiffness of each vertex relative to the rest."""
    eyeballs: dict[str, Ball]
    """By side."""
    barriers: tuple[OneSidedTerm, ...]
    """Lips against each other, lids against eyeballs."""
    shut: tuple[str, ...] = ()
    """Sides whose eye the scan shows shut."""
    seams: tuple[VertexTerm, ...] = ()
    """Margins of shut lids against each other, and their lining behind them."""


def fit_bones(
    model: PosedModel,
    matcher: Matcher,
    start: Float[Tensor, " params"],
    goal: Goal,
    settings: RegistrationSettings,
    report: Report,
) -> Registration:
    """ASM towards the free-form surface by its bones, then with all variables onto the scan."""
    surface, barriers = goal.surface, goal.barriers
    deformation = DeformationEnergy(surface, matcher.faces, goal.local)
    weights = np.where(np.isin(np.arange(len(surface)), matcher.looking), 1.0, 0.1)
    close = VertexTargetTerm(surface, weights, 0.5 * MM)
    tau = tuple(name for name in settings.free if name in TAU)
    smooth = deformation.term(Wavelengths(0.004, 0.006).stiffness(1 * MM))
    problem = Energy(model, [close, smooth, *goal.seams], [prior_for(model, settings.prior)])
    bones = LevenbergMarquardt(max_steps=settings.bone_steps, damping=1e-3)
    x = levenberg_marquardt(problem, start, box_for(model, tau), bones).value
    rule = MatchRule(6 * MM, 0.6, 0.5 * MM, GemanMcClure(8.0), 0.01, 0.3)
    free = settings.free + (("expression",) if "expression" in model.table else ())
    soft = Wavelengths(settings.fine_normal, settings.fine_tangent, settings.fine_membrane)
    fine = Stage(
        "fine",
        settings.fine_steps,
        free,
        rule,
        5 * MM,
        settings.prior,
        soft,
        soft,
        damping=0.05,
    )
    x, done = run_stage(model, matcher, fine, x, deformation, barriers, goal.seams, report)
    fitted = Registration(model, x, (done,))
    repair = replace(fine, name="repair", steps=1, rule=replace(rule, trim=5 * MM))
    held = np.zeros(len(surface), dtype=bool)
    calm = np.where(folded_vertices(surface, matcher.searched)[:, None], goal.before, surface)
    for attempt in range(1, settings.repair_rounds + 1):
        wrong = folded_vertices(fitted.vertices, matcher.searched, goal.rest)
        if not wrong.any():
            break
        held |= wrong
        wider = tuple(_eased(term, attempt) for term in barriers)
        hold = VertexTargetTerm(calm, held.astype(float), _HOLD / attempt)
        extra = (hold, *goal.seams)
        near = _acting_on(model, fitted.x, held)
        x, done = run_stage(
            model, matcher, repair, fitted.x, deformation, wider, extra, report, near
        )
        fitted = Registration(model, x, (*fitted.reports, done))
    return fitted


def _acting_on(
    model: PosedModel, x: Float[Tensor, " params"], verts: Bool[np.ndarray, " verts"]
) -> Bool[Tensor, " params"]:
    """Parameters of the bones that move any of the vertices; a repair needs no others."""
    assert isinstance(model.inner, AsmModel)
    bones = model.inner.acting_on(x[POSE.size :], torch.from_numpy(verts))
    return torch.cat([torch.zeros(POSE.size, dtype=torch.bool), bones])


def folded_vertices(
    vertices: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
    rest: Float[np.ndarray, "verts 3"] | None = None,
) -> Bool[np.ndarray, " verts"]:
    """Vertices of triangles that cross others, and two rings around them.

    The same for triangles flipped against `rest`, if there are more of them than may stay.
    """
    wrong = np.unique(self_intersections(vertices, faces))
    if rest is not None:
        flipped = np.flatnonzero(flipped_faces(rest, vertices, faces))
        if len(flipped) > MAX_FLIPPED * len(faces):
            wrong = np.union1d(wrong, flipped)
    return _grow(faces, faces[wrong].ravel(), len(vertices), rings=2)


def _grow(faces: np.ndarray, ids: np.ndarray, count: int, rings: int) -> Bool[np.ndarray, " verts"]:
    mask = np.zeros(count, dtype=bool)
    mask[ids] = True
    for _ in range(rings):
        mask[faces[mask[faces].any(axis=1)].ravel()] = True
    return mask


def _eased(term: OneSidedTerm, attempt: int) -> OneSidedTerm:
    """Lips and lids farther apart; lids nearer to their ball, which can still give way."""
    if isinstance(term, GapTerm):
        return replace(term, gap=term.gap + attempt * 0.15 * MM)
    if isinstance(term, ClearanceTerm):
        return replace(term, radius=term.radius - attempt * 0.5 * MM)
    return term
