"""Free-form registration: every vertex moves, held together by a thin plate.

The plate is measured against the best affine image of the template, so that a face that is longer
or wider than the template costs nothing and areas without features (forehead, cheeks) stretch
evenly. It gives the correspondence that ASM then reproduces with its bones.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from jaxtyping import Float

from rigface.fit.matching import Matcher, MatchRule
from rigface.fit.stages import Wavelengths
from rigface.terms.smoothness import DeformationEnergy
from rigface.terms.term import VertexTerm


@dataclass(frozen=True)
class FreeForm:
    """A schedule of stiffness, one sparse solve each."""

    rule: MatchRule
    waves: tuple[Wavelengths, ...]
    final_trim: float


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
    vertices = start
    for step, wave in enumerate(schedule.waves):
        share = step / max(len(schedule.waves) - 1, 1)
        trim = schedule.rule.trim * (schedule.final_trim / schedule.rule.trim) ** share
        rule = replace(schedule.rule, trim=trim)
        reference = affine_image(template, vertices, matcher.looking) if affine else template
        plate = DeformationEnergy(reference, matcher.faces, local_stiffness)
        terms = [
            *matcher.match(vertices, rule).terms(vertices, rule),
            plate.term(wave.stiffness(rule.sigma)),
            *extra,
        ]
        parts = [term.quadratic(vertices) for term in terms]
        hessian = sum(part.hessian for part in parts[1:]) + parts[0].hessian
        gradient = np.sum([part.gradient for part in parts], axis=0)
        vertices = vertices - _solve(hessian, gradient)
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


def _solve(hessian: sp.csr_matrix, gradient: np.ndarray) -> np.ndarray:
    """Newton step; a faint pull to the present place fixes what neither scan nor plate holds."""
    anchor = 1e-6 * float(np.abs(hessian.diagonal()).mean())
    matrix = (hessian + anchor * sp.identity(hessian.shape[0])).tocsc()
    options = {"SymmetricMode": True}
    factor = spla.splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
    return factor.solve(gradient.ravel()).reshape(-1, 3)
