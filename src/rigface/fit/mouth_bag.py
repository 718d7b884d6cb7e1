"""The bag of the mouth stays behind the skin, whatever the cheeks and lips in front of it do."""

import numpy as np
from jaxtyping import Bool, Float, Int

from rigface.geometry.mesh import face_normals
from rigface.metrics.closest import closest_on_mesh
from rigface.rig.template import Template

MM = 1e-3
THICK = 1.0 * MM
"""Least distance of the bag from the outer skin where it had been pierced."""
_INSIDE = -0.5 * MM
"""Height over the outer skin below which a vertex of the template is inside, beyond doubt: near the
lips' own line the nearest face does not tell."""


def tuck_mouth(
    template: Template, skin: Float[np.ndarray, "skin 3"], outer: Int[np.ndarray, "faces 3"]
) -> Float[np.ndarray, "skin 3"] | None:
    """Displacement of vertices of the bag that stick out of the outer skin, None if none does.

    `outer` are the faces of the outer skin.
    """
    run = template.parts["skin"].vertices
    bag = np.flatnonzero((template.regions["mouth_cavity"] & ~template.regions["outer"])[run])
    rest = template.mesh.vertices[run]
    height, _ = _over(rest, outer, bag)
    now, inward = _over(skin, outer, bag)
    wrong: Bool[np.ndarray, " bag"] = (height < _INSIDE) & (now > -THICK) & (now > height)
    if not (wrong & (now > 0)).any():
        return None
    moved = np.zeros_like(skin)
    moved[bag[wrong]] = (inward * (now + THICK)[:, None])[wrong]
    return moved


def _over(
    skin: np.ndarray, outer: np.ndarray, ids: np.ndarray
) -> tuple[Float[np.ndarray, " ids"], Float[np.ndarray, "ids 3"]]:
    """Height over the outer skin, and the direction into the head there."""
    found = closest_on_mesh(skin[ids], skin, outer)
    place = np.einsum("nc,ncd->nd", found.bary, skin[outer[found.face]])
    normal = face_normals(skin, outer)[found.face]
    return ((skin[ids] - place) * normal).sum(axis=1), -normal
