"""How large the head is and how high the mouth, before anything else: closeness does not tell.

Forehead and cheeks fit many a size equally well, and from a wrong one, or a centimetre too low, the
mouth is found on the chin. A camera measures metres, and heads differ little in size: the shape
space is fitted from several sizes and heights, and the likeliest outcome counts.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rigface.fit.alignment import Alignment
from rigface.fit.matching import Matcher, SkinTopology
from rigface.fit.models import FitModels
from rigface.fit.registration import fit_shape
from rigface.fit.registration_result import Registration
from rigface.fit.registration_settings import RegistrationSettings
from rigface.fit.target import FACE_CENTRE, ScanTarget
from rigface.geometry.similarity import Similarity
from rigface.rig.template import Template

HEIGHTS = (0.0, -0.01, 0.01)
"""Metres of the start above where the face was found, at the template's size."""
SIZES = (0.92, 1.08)
"""Of the face at the start, in templates, at the best of the heights."""
_SPREAD = 0.08
"""Standard deviation of the log size among adults."""
_SIGMA = 1.5e-3
"""Expected misfit (metres) of the shape space."""
_INDEPENDENT = 100.0
"""Neighbouring misfits are alike: all together count as this many."""
_WORST = 6e-3
_RADIUS = 0.095


def settle_size(
    found: Alignment,
    target_at: Callable[[Alignment], ScanTarget],
    models: FitModels,
    template: Template,
    settings: RegistrationSettings,
) -> Alignment:
    """The alignment from which the shape space fits best. `target_at` prepares the evidence."""
    topology = SkinTopology.of_template(template)

    def tried(size: float, height: float) -> tuple[float, float, Alignment]:
        start = replace(found, scan_from_model=beside(found.scan_from_model, size, height))
        matcher = Matcher(topology, target_at(start))
        fitted = fit_shape(models.shape, models.closure_names, matcher, _unheard, settings)
        return unlikeliness(fitted, matcher, size), height, start

    first = min((tried(1.0, height) for height in HEIGHTS), key=lambda each: each[0])
    others = (tried(size, first[1]) for size in SIZES)
    return min((first, *others), key=lambda each: each[0])[2]


def beside(pose: Similarity, size: float, height: float) -> Similarity:
    """The pose at another scale, the middle of the face `height` metres above its place."""
    place = pose.apply(FACE_CENTRE) + height * pose.rotation[:, 1]
    return Similarity(size, pose.rotation, place - size * pose.rotation @ FACE_CENTRE)


def unlikeliness(fitted: Registration, matcher: Matcher, size: float) -> float:
    """Minus the log likelihood of a shape fit that began at `size`, up to a constant."""
    points = matcher.target.points
    face = np.linalg.norm(points - FACE_CENTRE, axis=1) * size < _RADIUS
    distance = size * matcher.closest(fitted.vertices, _WORST / size).distance.numpy()[face]
    misfit = np.mean(np.minimum(distance, _WORST) ** 2) / _SIGMA**2
    identity = fitted.x[fitted.model.table.slices["identity"]].numpy()
    whole = np.log(size * fitted.fit_from_inner().scale) / _SPREAD
    return float(0.5 * (_INDEPENDENT * misfit + identity @ identity + whole**2))


def _unheard(fraction: float, text: str) -> None:
    pass
