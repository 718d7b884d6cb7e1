"""Free-form registration: every vertex moves, held together by a thin plate.

The plate is measured against the best affine image of the template, so that a face that is longer
or wider than the template costs nothing and areas without features (forehead, cheeks) stretch
evenly. It gives the correspondence that ASM then reproduces with its bones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float

from rigface.fit.matching import Matcher, MatchRule
from rigface.fit.stages import Wavelengths
from rigface.solve.reused_factor import ReusedFactor
from rigface.terms.smoothness import DeformationEnergy
from rigface.terms.term import VertexTerm

_ANCHOR = 1e-6
"""A faint pull to the present place, relative to the rest, fixes what nothing else holds."""


@dataclass(frozen=True)
class FreeForm:
    """A schedule of stiffness, one sparse solve each."""

    rule: MatchRule
    waves: tuple[Wavelengths, ...]
    final_trim: float

    def rules(self) -> list[MatchRule]:
        """The matching rule of every step; the trim distance glides to `final_trim`."""
        shares = np.linspace(0.0, 1.0, len(self.waves))
        ratio = self.final_trim / self.rule.trim
        return [replace(self.rule, trim=self.rule.trim * ratio**share) for share in shares]


def register_free_form(
    template: Float[np.ndarray, "verts 3"],
    start: Float[np.ndarray, "verts 3"],
    matcher: Matcher,
    schedule: FreeForm,
    local_stiffness: Float[np.ndarray, " verts"] | None = None,
    affine: bool = True,
    extra: tuple[VertexTerm, ...] = (),
) -> Float[np.ndarray, "verts 3"]:
    """Vertices that meet the scan, from a start that already lies near it.

    Without `affine` the plate refers to `template` as it is. `extra` terms pull at every step.
    """
    vertices, solver = start, ReusedFactor()
    for rule, wave in zip(schedule.rules(), schedule.waves, strict=True):
        reference = affine_image(template, vertices, matcher.looking) if affine else template
        plate = DeformationEnergy(reference, matcher.faces, local_stiffness)
        terms = [
            *matcher.match(vertices, rule).terms(vertices, rule),
            plate.term(wave.stiffness(rule.sigma)),
            *extra,
        ]
        vertices = newton_step(terms, vertices, solver=solver)
    return vertices


def register_patch(
    reference: Float[np.ndarray, "verts 3"],
    start: Float[np.ndarray, "verts 3"],
    free: Bool[np.ndarray, " verts"],
    matcher: Matcher,
    schedule: FreeForm,
    local_stiffness: Float[np.ndarray, " verts"],
    extra: Sequence[VertexTerm] = (),
) -> Float[np.ndarray, "verts 3"]:
    """A piece of skin that meets the scan, between vertices that stay where `start` has them.

    The piece begins as `reference` bent smoothly into its surroundings: what `start` says about
    the free vertices does not matter.
    """
    plate = DeformationEnergy(reference, matcher.faces, local_stiffness)
    bent = plate.term(schedule.waves[0].stiffness(schedule.rule.sigma))
    vertices = newton_step([bent, *extra], start, free)
    for rule, wave in zip(schedule.rules(), schedule.waves, strict=True):
        pairs = matcher.match(vertices, rule).terms(vertices, rule)
        terms = [*pairs, plate.term(wave.stiffness(rule.sigma)), *extra]
        vertices = newton_step(terms, vertices, free)
    return vertices


def affine_image(
    template: Float[np.ndarray, "verts 3"],
    vertices: Float[np.ndarray, "verts 3"],
    used: np.ndarray,
) -> Float[np.ndarray, "verts 3"]:
    """The template under the affine map that fits the vertices `used` best."""
    homogeneous = np.column_stack([template, np.ones(len(template))])
    matrix, *_ = np.linalg.lstsq(homogeneous[used], vertices[used], rcond=None)
    return homogeneous @ matrix


def newton_step(
    terms: Sequence[VertexTerm],
    vertices: Float[np.ndarray, "verts 3"],
    free: Bool[np.ndarray, " verts"] | None = None,
    solver: ReusedFactor | None = None,
) -> Float[np.ndarray, "verts 3"]:
    """Vertices after one Newton step on the sum of the terms; only `free` ones move, if given."""
    solver = ReusedFactor() if solver is None else solver
    parts = [term.quadratic(vertices) for term in terms]
    hessian = sum(part.hessian for part in parts[1:]) + parts[0].hessian
    gradient = np.sum([part.gradient for part in parts], axis=0).ravel()
    if free is None:
        return vertices - solver.solve(_anchored(hessian), gradient).reshape(-1, 3)
    moving = np.flatnonzero(np.repeat(free, 3))
    step = np.zeros(len(gradient))
    step[moving] = solver.solve(_anchored(hessian[moving][:, moving]), gradient[moving])
    return vertices - step.reshape(-1, 3)


def _anchored(hessian: sp.csr_matrix) -> sp.csr_matrix:
    anchor = _ANCHOR * float(np.abs(hessian.diagonal()).mean())
    return hessian + anchor * sp.identity(hessian.shape[0], format="csr")
