"""The default way from an aligned scan to a fitted ASM: pose, shape space, free form, bones.

The embedded population (identity modes of the template) finds size, proportions and a first
correspondence. A free-form step refines it: the scan decides along the normal, a thin plate along
the surface. ASM then reproduces that surface, vertex by vertex at first, and ends on the scan
itself with all of its variables.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from rigface.fit.eyeballs import Ball, clearance, lift_off, place_eyeballs
from rigface.fit.free_form import FreeForm, register_free_form
from rigface.fit.jnr import fit_jnr
from rigface.fit.lid_contact import lid_gap, lid_seam, lining_seam, touching
from rigface.fit.lids import BLINKS, closed_rest
from rigface.fit.matching import Matcher, MatchRule
from rigface.fit.mouth_bag import tuck_mouth
from rigface.fit.shut_eyes import shut_eyes
from rigface.fit.stages import Stage, StageReport, Wavelengths, box_for, prior_for, run_stage
from rigface.fit.vestibules import deepen_vestibules
from rigface.geometry.intersections import self_intersections
from rigface.geometry.mesh import face_normals
from rigface.geometry.similarity import Similarity
from rigface.metrics.mesh_quality import flipped_faces
from rigface.models.asm import AsmModel
from rigface.models.face_model import FaceModel
from rigface.models.jnr import JnrModel
from rigface.models.linear import LinearModel
from rigface.models.posed import POSE, PosedModel
from rigface.rig.template import Template
from rigface.solve.levenberg_marquardt import LevenbergMarquardt, levenberg_marquardt
from rigface.terms.clearance import ClearanceTerm
from rigface.terms.energy import Energy
from rigface.terms.lip_gap import GapTerm
from rigface.terms.robust import GemanMcClure
from rigface.terms.smoothness import DeformationEnergy
from rigface.terms.term import OneSidedTerm, VertexTerm
from rigface.terms.vertex_targets import VertexTargetTerm

MM = 1e-3
BLINK = tuple(BLINKS.values())
POSE_NAMES = tuple(POSE.slices)
TAU = ("rotation", "translation", "log_scale")
BINDING = ("zeta",)
MIXTURE = ("log_pi", "mu", "chol")
CHART = BINDING + MIXTURE
_HOLD = 0.2 * MM
"""Sigma at which the first repair holds folded areas to the free form."""
_NOSE_ROUNDS = 16
MAX_FLIPPED = 5e-4
"""Share of triangles flipped against the template that needs no repair."""


@dataclass(frozen=True)
class RegistrationSettings:
    """One set of numbers for every scan; lengths in metres."""

    free: tuple[str, ...] = TAU + BINDING + MIXTURE
    """ASM parameters that the last stage may use (the ablation fixes some)."""
    bone_steps: int = 2
    fine_steps: int = 5
    repair_rounds: int = 5
    """Extra steps, with the lips ever farther apart, while triangles cross each other."""
    fine_normal: float = 0.003
    """Shortest wave of ASM's deviation from the free form along the normal."""
    fine_tangent: float = 0.015
    """The same along the surface."""
    fine_membrane: float = 0.006
    tuck_mouth: bool = False
    """Push the bag of the mouth back where stiff skin in front of it has been moved through it."""
    soft_features: float = 0.1
    """Stiffness of lips, lids and nose relative to the rest: they are small."""
    lids: float = 0.5
    """How far shut the lids start: from wide open they would not find a shut eye's surface."""
    prior_expression: float = 30.0
    """Pull of the shape space's expression weights to zero, per sigma."""
    fine_eyes: bool = True
    """Look for shut eyes and for the balls between the lids: half a millimetre must count."""
    prior_pose: float = 0.5
    """Eq. 12: cost of one sigma (parameter table) of a bone's rotation, translation, scale."""
    prior_chart: float = 15.0
    """The same for anchors and Gaussians, which act far less linearly."""

    @property
    def prior(self) -> dict[str, float]:
        """Weight of every ASM parameter block."""
        weights = {**dict.fromkeys(TAU, self.prior_pose), **dict.fromkeys(CHART, self.prior_chart)}
        return {**weights, "expression": 30.0}


@dataclass(frozen=True)
class Registration:
    """A fitted model and how it came about."""

    model: PosedModel
    x: Float[Tensor, " params"]
    reports: tuple[StageReport, ...]
    closure: Float[Tensor, " shapes"] | None = None
    """Expression weights of the shape space, if the face model itself has none."""
    detail: Float[np.ndarray, "verts 3"] | None = None
    """Displacement layer on top of the model, in the fit frame."""
    eyeballs: dict[str, Ball] | None = None
    """By side, in the fit frame; None leaves their place to the lids."""

    @property
    def vertices(self) -> Float[np.ndarray, "verts 3"]:
        """Skin in the fit frame."""
        with torch.no_grad():
            skin = self.model.vertices(self.x).numpy()
        return skin if self.detail is None else skin + self.detail

    def fit_from_inner(self) -> Similarity:
        """The global similarity in front of the face model."""
        linear, translation = self.model.similarity(self.x)
        scale = float(torch.linalg.det(linear) ** (1 / 3))
        return Similarity(scale, (linear / scale).numpy(), translation.numpy())

    def expression(self, names: tuple[str, ...]) -> dict[str, float]:
        """Fitted weights of the named shapes above one percent."""
        if "expression" in self.model.table:
            weights = self.x[self.model.table.slices["expression"]]
        else:
            weights = self.closure
        if weights is None or len(weights) != len(names):
            return {}
        pairs = zip(names, weights.tolist(), strict=True)
        return {name: weight for name, weight in pairs if weight > 0.01}


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


Report = Callable[[float, str], None]


def fit_shape(
    shape: LinearModel,
    names: tuple[str, ...],
    matcher: Matcher,
    report: Report,
    settings: RegistrationSettings = RegistrationSettings(),
) -> Registration:
    """Similarity, then the identity modes, from the aligned scan (known to a few centimetres).

    `names` are the expression shapes of the space.
    """
    model = PosedModel.build(shape)
    x = model.table.zeros()
    for name in BLINK:
        x[model.table.slices["expression"].start + names.index(name)] = settings.lids
    robust = GemanMcClure(4.0)
    pose = MatchRule(20 * MM, 0.5, 2 * MM, robust, slide=0.1, reverse=0.0)
    free = (*POSE_NAMES, *shape.table.slices)
    modes = MatchRule(14 * MM, 0.5, 1 * MM, robust, slide=0.2, reverse=0.3)
    prior = {"identity": 300.0, "expression": settings.prior_expression}
    stages = (
        Stage("pose", 5, POSE_NAMES, pose, 12 * MM),
        Stage("shape", 8, free, modes, 6 * MM, prior),
    )
    return _run(model, matcher, stages, x, None, report)


def refine_free_form(
    template: Float[np.ndarray, "verts 3"],
    first: Registration,
    matcher: Matcher,
    local: Float[np.ndarray, " verts"],
    extra: tuple[VertexTerm, ...] = (),
) -> Float[np.ndarray, "verts 3"]:
    """The scan's surface in the template's topology, with evenly spread correspondence.

    `extra` terms pull beside the scan, for what is known about a correspondence.
    """
    rule = MatchRule(10 * MM, 0.5, 1 * MM, GemanMcClure(12.0), slide=0.05, reverse=0.3)
    waves = ((0.04, 0.12), (0.03, 0.12), (0.02, 0.1), (0.02, 0.1), (0.02, 0.1))
    schedule = FreeForm(rule, tuple(Wavelengths(n, t) for n, t in waves), 8 * MM)
    return register_free_form(template, first.vertices, matcher, schedule, local, extra=extra)


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


def register(
    face: FaceModel,
    shape: LinearModel,
    shape_names: tuple[str, ...],
    template: Template,
    matcher: Matcher,
    settings: RegistrationSettings = RegistrationSettings(),
    report: Report = lambda fraction, text: None,
) -> Registration:
    """The default recipe, for ASM, JNR, or a linear model in the template's topology."""
    first = fit_shape(shape, shape_names, matcher, report, settings)
    if isinstance(face, LinearModel):
        return fit_linear(first, matcher, report)
    goal = free_form_goal(first, shape_names, template, matcher, settings)
    closure = first.x[first.model.table.slices["expression"]]
    for side in goal.shut:
        closure[shape_names.index(BLINKS[side])] = 1.0
    _untangle(closure, shape_names)
    model = PosedModel.build(face)
    start = model.table.zeros()
    start[: POSE.size] = first.x[: POSE.size]
    if "expression" in face.table:
        start[model.table.slices["expression"]] = closure
    if isinstance(face, JnrModel):
        outer = template.regions["outer"][template.parts["skin"].vertices]
        model, x, done = fit_jnr(face, start, goal.surface, outer, matcher, goal.barriers)
        return Registration(model, x, first.reports + done, closure, None, goal.eyeballs)
    last = fit_bones(model, matcher, start, goal, settings, report)
    reports = first.reports + last.reports
    rest = template.mesh.vertices[template.parts["skin"].vertices]
    detail = deepen_nose(last.vertices, rest, matcher)
    if settings.tuck_mouth:
        before = 0.0 if detail is None else detail
        tucked = tuck_mouth(template, last.vertices + before, matcher.searched)
        detail = detail if tucked is None else before + tucked
    return Registration(model, last.x, reports, closure, detail, goal.eyeballs)


def free_form_goal(
    first: Registration,
    names: tuple[str, ...],
    template: Template,
    matcher: Matcher,
    settings: RegistrationSettings = RegistrationSettings(),
) -> Goal:
    """Free form from a shape fit whose expression weights are called `names`, with what hangs on
    it: sockets, eyeballs, barriers."""
    local = local_stiffness(template, settings.soft_features)
    weights = first.x[first.model.table.slices["expression"]]
    by_name = dict(zip(names, weights.tolist(), strict=True))
    blinks = {name: by_name[name] for name in BLINK}
    skin = template.parts["skin"].vertices
    reference = closed_rest(template, blinks)[skin]
    surface = refine_free_form(reference, first, matcher, local)
    shut: tuple[str, ...] = ()
    if settings.fine_eyes:
        surface, shut = shut_eyes(template, surface, blinks, matcher, local)
    blinks |= {BLINKS[side]: 1.0 for side in shut}
    rest = closed_rest(template, blinks)[skin]
    surface = carry_inside(template, first.vertices, surface)
    shown = matcher.target.points[: None if settings.fine_eyes else 0]
    balls = place_eyeballs(template, surface, shown, blinks, shut)
    surface = lift_off(template, surface, balls)
    barriers = (lip_gap(template), *lid_gaps(template, shut), *clearance(template, balls))
    seams = tuple(f(template, surface, side) for side in shut for f in (lid_seam, lining_seam))
    return Goal(surface, rest, first.vertices, local, balls, barriers, shut, seams)


def _untangle(weights: Tensor, names: tuple[str, ...]) -> None:
    """A blink and a squint both lower the lids: together at most to the bottom, or they cross."""
    for side in ("Left", "Right"):
        if f"eyeSquint{side}" in names:
            blink, squint = names.index(f"eyeBlink{side}"), names.index(f"eyeSquint{side}")
            weights[squint] = torch.minimum(weights[squint], 1 - weights[blink])


def deepen_nose(
    skin: Float[np.ndarray, "verts 3"], rest: Float[np.ndarray, "verts 3"], matcher: Matcher
) -> Float[np.ndarray, "verts 3"] | None:
    """Displacement of the vestibules of the nose where the scan shows deep ones, else None.

    Like the eyeballs they are a part that ASM carries: its weights are too smooth to turn a
    shallow cup into a tube.
    """
    inside = matcher.inside_nose(skin, MatchRule(6 * MM, 0.5))
    growth = deepen_vestibules(skin, matcher.faces, matcher.cups, inside) - skin
    if np.abs(growth).max(initial=0.0) < 1 * MM:
        return None
    near = matcher.searched[np.isin(matcher.searched, matcher.cups).any(axis=1)]
    normals = face_normals(rest, near)

    def turned(vertices: np.ndarray) -> Bool[np.ndarray, " near"]:
        return (face_normals(vertices, near) * normals).sum(axis=-1) <= 0

    before, crossings = turned(skin), len(self_intersections(skin, matcher.searched))
    share = np.ones(len(skin))
    for _ in range(_NOSE_ROUNDS):
        moved = skin + share[:, None] * growth
        folds = turned(moved) & ~before
        if folds.any():
            share[near[folds]] *= 0.8
        elif len(self_intersections(moved, matcher.searched)) > crossings:
            share *= 0.8
        else:
            return share[:, None] * growth
    return None


def fit_linear(first: Registration, matcher: Matcher, report: Report) -> Registration:
    """A linear model has nothing but its modes: let go of most of their prior."""
    rule = MatchRule(6 * MM, 0.6, 0.5 * MM, GemanMcClure(8.0), slide=0.01, reverse=0.3)
    free = (*POSE_NAMES, *first.model.inner.table.slices)
    prior = {"identity": 10.0, "expression": 10.0}
    done = _run(
        first.model,
        matcher,
        (Stage("modes", 12, free, rule, 3 * MM, prior),),
        first.x,
        None,
        report,
    )
    return Registration(done.model, done.x, first.reports + done.reports)


def carry_inside(
    template: Template,
    before: Float[np.ndarray, "verts 3"],
    goal: Float[np.ndarray, "verts 3"],
) -> Float[np.ndarray, "verts 3"]:
    """The eye sockets, which no scan shows, go where the lids in front of them go."""
    skin = template.parts["skin"].vertices
    socket = template.regions["socket.L"] | template.regions["socket.R"]
    inner = np.flatnonzero((socket & ~template.regions["outer"])[skin])
    outer = np.flatnonzero(template.regions["outer"][skin])
    distance, near = cKDTree(before[outer]).query(before[inner], k=8)
    share = 1 / np.maximum(distance, 0.5 * MM) ** 2
    share /= share.sum(axis=1, keepdims=True)
    out = goal.copy()
    moved = (goal - before)[outer][near]
    out[inner] = before[inner] + np.einsum("nk,nkd->nd", share, moved)
    return out


def local_stiffness(template: Template, soft: float) -> Float[np.ndarray, " verts"]:
    """One, and `soft` on lips, lids, sockets and nose, whose forms are small.

    The vestibules of the nose are shallow cups on the template and deep in a scan: softer still.
    """
    skin = template.parts["skin"].vertices
    local = np.ones(skin.stop)
    for region in ("lips", "eyes", "nose", "socket.L", "socket.R"):
        local[template.regions[region][skin]] = soft
    local[template.regions["nostrils"][skin]] = 0.1 * soft
    return local


def lip_gap(template: Template) -> GapTerm:
    """The lips may touch and not cross."""
    return _gap(template, "lip.upper", "lip.lower")


def lid_gaps(template: Template, shut: Collection[str]) -> list[GapTerm]:
    """The same for the lids of each eye; those of the sides `shut` meet as in a blink."""
    return [
        lid_gap(template, side)
        if side in shut
        else _gap(template, f"lid.upper.{side}", f"lid.lower.{side}")
        for side in "LR"
    ]


def _gap(template: Template, above: str, below: str) -> GapTerm:
    """Facing vertices of the line where two margins meet, by arc length."""
    loops = [template.loops[above], template.loops[below]]
    places = [_arc_length(template.mesh.vertices[loop]) for loop in loops]
    nearest = np.abs(places[0][:, None] - places[1]).argmin(axis=1)
    back = np.abs(places[1][:, None] - places[0]).argmin(axis=1)
    upper = np.concatenate([loops[0][1:-1], loops[0][back][1:-1]])
    lower = np.concatenate([loops[1][nearest][1:-1], loops[1][1:-1]])
    apart = upper != lower
    return touching(upper[apart], lower[apart])


def _eased(term: OneSidedTerm, attempt: int) -> OneSidedTerm:
    """Lips and lids farther apart; lids nearer to their ball, which can still give way."""
    if isinstance(term, GapTerm):
        return replace(term, gap=term.gap + attempt * 0.15 * MM)
    if isinstance(term, ClearanceTerm):
        return replace(term, radius=term.radius - attempt * 0.5 * MM)
    return term


def _arc_length(points: np.ndarray) -> np.ndarray:
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()


def detail_layer(fitted: Registration, matcher: Matcher) -> Registration:
    """A small smooth displacement on top of the model, for those who want the scan itself."""
    rule = MatchRule(2 * MM, 0.6, 0.5 * MM, GemanMcClure(6.0), slide=0.01, reverse=0.3)
    schedule = FreeForm(rule, (Wavelengths(0.003, 0.02, 0.01),) * 3, 1.5 * MM)
    base = fitted.vertices
    moved = register_free_form(base, base, matcher, schedule, affine=False)
    before = 0.0 if fitted.detail is None else fitted.detail
    return replace(fitted, detail=before + moved - base)


def _run(
    model: PosedModel,
    matcher: Matcher,
    stages: tuple[Stage, ...],
    x: Tensor,
    deformation: DeformationEnergy | None,
    report: Report,
) -> Registration:
    reports = []
    for stage in stages:
        x, done = run_stage(model, matcher, stage, x, deformation, progress=report)
        reports.append(done)
    return Registration(model, x, tuple(reports))
