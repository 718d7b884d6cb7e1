"""The template skin as the builder needs it."""

from dataclasses import dataclass

import numpy as np

from rigface.geometry.mesh import face_areas
from rigface.rig.template import Template


@dataclass(frozen=True)
class Skin:
    """Exactly symmetric skin with region masks; metres, template frame."""

    vertices: np.ndarray
    faces: np.ndarray
    mirror: np.ndarray
    regions: dict[str, np.ndarray]
    loops: dict[str, np.ndarray]
    eyeball_left: np.ndarray
    parts: dict[str, np.ndarray]
    """Vertices of teeth and tongue."""

    def faces_of(self, region: str) -> np.ndarray:
        """Faces with all three corners in a region."""
        return self.regions[region][self.faces].all(axis=1)

    @property
    def outer_faces(self) -> np.ndarray:
        """Skin seen from outside."""
        return self.faces_of("outer")

    @property
    def face_faces(self) -> np.ndarray:
        """The face proper: outer skin without scalp, ears and neck."""
        return self.faces_of("face")

    @property
    def ear_faces(self) -> np.ndarray:
        """Both ears."""
        return self.faces_of("ears")

    @property
    def socket_faces(self) -> np.ndarray:
        """Skin behind the lids."""
        return ~self.outer_faces & (self.faces_of("socket.L") | self.faces_of("socket.R"))

    @property
    def outer_verts(self) -> np.ndarray:
        """Vertices of outer faces."""
        mask = np.zeros(len(self.vertices), dtype=bool)
        mask[self.faces[self.outer_faces]] = True
        return mask

    @property
    def centers(self) -> np.ndarray:
        """Face centres."""
        return self.vertices[self.faces].mean(axis=1)

    @property
    def areas(self) -> np.ndarray:
        """Face areas, square metres."""
        return face_areas(self.vertices, self.faces)

    def vertex_areas(self, faces: np.ndarray) -> np.ndarray:
        """A third of the area of the masked faces around each vertex."""
        share = np.repeat(self.areas * faces / 3, 3)
        return np.bincount(self.faces.ravel(), share, minlength=len(self.vertices))


def skin_of(template: Template) -> Skin:
    """The skin part, with the last micrometres of asymmetry removed."""
    part = template.parts["skin"]
    vertices, mirror = template.mesh.vertices[part.vertices], template.mirror[part.vertices]
    image = vertices[mirror] * np.array([-1, 1, 1])
    return Skin(
        vertices=0.5 * (vertices + image),
        faces=template.mesh.faces[part.faces],
        mirror=mirror,
        regions={name: mask[part.vertices] for name, mask in template.regions.items()},
        loops=template.loops,
        eyeball_left=template.eyeballs["L"].centre,
        parts={
            name: template.mesh.vertices[template.parts[name].vertices]
            for name in ("teeth.upper", "teeth.lower", "tongue")
        },
    )
