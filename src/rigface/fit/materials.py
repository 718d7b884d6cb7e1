"""Plain colours for the parts of an exported head, by anatomy; a scan brings no texture."""

import numpy as np
from jaxtyping import Int

from rigface.export.asset import Material
from rigface.rig.template import Template

MATERIALS = (
    Material("skin", (0.62, 0.42, 0.34, 1.0), roughness=0.55),
    Material("mouth", (0.16, 0.035, 0.03, 1.0), roughness=0.5),
    Material("eyes", (0.82, 0.81, 0.78, 1.0), roughness=0.15),
    Material("iris", (0.13, 0.20, 0.24, 1.0), roughness=0.15),
    Material("pupil", (0.01, 0.01, 0.01, 1.0), roughness=0.1),
    Material("teeth", (0.80, 0.76, 0.68, 1.0), roughness=0.3, double_sided=True),
    Material("tongue", (0.55, 0.22, 0.20, 1.0), roughness=0.4),
)
_INDEX = {material.name: i for i, material in enumerate(MATERIALS)}
_OF_PART = {
    "skin": "skin",
    "eyeball.L": "eyes",
    "eyeball.R": "eyes",
    "teeth.upper": "teeth",
    "teeth.lower": "teeth",
    "tongue": "tongue",
}
# The eyeball's rings lie 11, 22 and 44 degrees around the gaze: 3.1, 6.1 and 11 mm. A human iris
# has a radius of 6 mm; a pupil of 3 mm is one in dim light.
_PUPIL_DEG, _IRIS_DEG = 12.0, 23.5


def face_materials(template: Template) -> Int[np.ndarray, " faces"]:
    """Index into MATERIALS of each face of the template."""
    faces, rest = template.mesh.faces, template.mesh.vertices
    out = np.zeros(len(faces), dtype=np.int64)
    for part, run in template.parts.items():
        out[run.faces] = _INDEX[_OF_PART[part]]
    skin = template.parts["skin"].faces
    inside = template.regions["mouth_cavity"][faces[skin]].all(axis=1)
    out[skin][inside] = _INDEX["mouth"]
    for side, ball in template.eyeballs.items():
        run = template.parts[f"eyeball.{side}"].faces
        ray = rest[faces[run]] - ball.centre
        cosine = (ray @ ball.gaze) / np.linalg.norm(ray, axis=-1)
        away = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))).max(axis=1)
        out[run][away < _IRIS_DEG] = _INDEX["iris"]
        out[run][away < _PUPIL_DEG] = _INDEX["pupil"]
    return out
