"""How much each vertex of the skin counts where heads are compared vertex by vertex."""

import numpy as np
from jaxtyping import Float, Int

from rigface.geometry.mesh import face_areas
from rigface.rig.template import Template

BACK_WEIGHT = 0.1
"""Weight of skin that is no face (ears, scalp, neck, hidden skin) relative to the face."""


def vertex_weights(template: Template) -> Float[np.ndarray, " verts"]:
    """Area of every skin vertex, less for what is no face; the face's weights sum to one."""
    skin = template.parts["skin"]
    vertices, faces = template.mesh.vertices[skin.vertices], template.mesh.faces[skin.faces]
    corner = np.repeat(face_areas(vertices, faces) / 3, 3)
    area = np.bincount(faces.ravel(), corner, minlength=len(vertices))
    face = template.regions["face"][skin.vertices]
    area *= np.where(face, 1.0, BACK_WEIGHT)
    return area / area[face].sum()


def face_weights(
    template: Template,
) -> tuple[Int[np.ndarray, " face"], Float[np.ndarray, " face"]]:
    """Skin vertices of the face and their areas, which sum to one."""
    face = template.regions["face"][template.parts["skin"].vertices]
    return np.flatnonzero(face), vertex_weights(template)[face]


def training_metric(template: Template) -> Float[np.ndarray, " verts"]:
    """Half by area and half by vertex: lids, lips and nose are finely meshed because they matter.

    Sums to one over all skin; like `vertex_weights` small where there is no face.
    """
    area = vertex_weights(template)
    skin = template.parts["skin"].vertices
    each = np.where(template.regions["face"][skin], 1.0, BACK_WEIGHT)
    return area / area.sum() / 2 + each / each.sum() / 2
