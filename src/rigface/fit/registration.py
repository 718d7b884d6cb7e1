"""The default way from an aligned scan to a fitted ASM: pose, shape space, free form, bones.

The embedded population (identity modes of the template) finds size, proportions and a first
correspondence. A free-form step refines it: the scan decides along the normal, a thin plate along
the surface. ASM then reproduces that surface, vertex by vertex at first, and ends on the scan
itself with all of its variables.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import cKDTree
from torch import Tensor

from rigface.fit.bones import Goal, fit_bones
from rigface.fit.eyeballs import clearance, lift_off, place_eyeballs
from rigface.fit.free_form import FreeForm, register_free_form
from rigface.fit.jnr import fit_jnr
from rigface.fit.lids import BLINK, BLINKS, closed_rest
from rigface.fit.margins import lid_gaps, lid_seam, lining_seam, lip_gap
from rigface.fit.matching import Matcher, MatchRule
from rigface.fit.mouth_bag import tuck_mouth
from rigface.fit.registration_result import Registration
from rigface.fit.registration_settings import MM, POSE_NAMES, RegistrationSettings
from rigface.fit.shut_eyes import shut_eyes
from rigface.fit.stages import Report, Stage, Wavelengths, run_stage
from rigface.fit.vestibules import deepen_nose
from rigface.models.face_model import FaceModel
from rigface.models.jnr import JnrModel
from rigface.models.linear import LinearModel
from rigface.models.posed import POSE, PosedModel
from rigface.rig.jnr_expression import EXPRESSION_SHAPES
from rigface.rig.template import Template
from rigface.terms.robust import GemanMcClure
from rigface.terms.term import VertexTerm

DEFAULT = RegistrationSettings()


def fit_shape(
    shape: LinearModel,
    names: tuple[str, ...],
    matcher: Matcher,
    report: Report,
    settings: RegistrationSettings = DEFAULT,
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
    return _run(model, matcher, stages, x, report)


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


def register(
    face: FaceModel,
    shape: LinearModel,
    shape_names: tuple[str, ...],
    template: Template,
    matcher: Matcher,
    settings: RegistrationSettings = DEFAULT,
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
        own = EXPRESSION_SHAPES if isinstance(face, JnrModel) else shape_names
        shared = closure[[shape_names.index(name) for name in own]]
        start[model.table.slices["expression"]] = shared
    if isinstance(face, JnrModel):
        outer = template.regions["outer"][template.parts["skin"].vertices]
        model, x, done = fit_jnr(
            face, start, goal.surface, goal.rest, outer, matcher, goal.barriers
        )
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
    settings: RegistrationSettings = DEFAULT,
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


def fit_linear(
    first: Registration, matcher: Matcher, report: Report, prior_modes: float = 10.0
) -> Registration:
    """A linear model has nothing but its modes: let go of most of their prior.

    `prior_modes` weighs the pull of an identity mode to zero, per sigma.
    """
    rule = MatchRule(6 * MM, 0.6, 0.5 * MM, GemanMcClure(8.0), slide=0.01, reverse=0.3)
    free = (*POSE_NAMES, *first.model.inner.table.slices)
    prior = {"identity": prior_modes, "expression": 10.0}
    done = _run(
        first.model,
        matcher,
        (Stage("modes", 12, free, rule, 3 * MM, prior),),
        first.x,
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
    report: Report,
) -> Registration:
    reports = []
    for stage in stages:
        x, done = run_stage(model, matcher, stage, x, None, progress=report)
        reports.append(done)
    return Registration(model, x, tuple(reports))
