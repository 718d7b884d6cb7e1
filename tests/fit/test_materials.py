"""Colours of an exported head by anatomy."""

import numpy as np
from synthetic_fits import fitted

from rigface.fit.materials import MATERIALS, face_materials
from rigface.fit.rig_asset import rig_asset
from rigface.rig.template_io import load_template


def test_materials_follow_the_anatomy() -> None:
    template = load_template()
    material = face_materials(template)
    names = np.array([m.name for m in MATERIALS])[material]
    centre = template.mesh.vertices[template.mesh.faces].mean(axis=1)
    for side, ball in template.eyeballs.items():
        run = template.parts[f"eyeball.{side}"].faces
        away = np.linalg.norm((centre[run] - ball.centre)[:, :2], axis=1)
        front = centre[run][:, 2] > ball.centre[2]
        iris = names[run] == "iris"
        assert iris.any() and front[iris].all()
        assert away[names[run] == "pupil"].max() < away[iris].min() + 1e-3 < 6e-3
    skin = template.parts["skin"].faces
    assert set(names[skin]) == {"skin", "mouth"}
    inside = template.regions["mouth_cavity"][template.mesh.faces[skin]].all(axis=1)
    assert np.array_equal(names[skin] == "mouth", inside)


def test_finer_skin_keeps_its_materials() -> None:
    coarse, fine = rig_asset(fitted()), rig_asset(fitted(), lod=1)
    share = np.bincount(fine.face_material, minlength=7)[:2]
    assert np.array_equal(share, 4 * np.bincount(coarse.face_material, minlength=7)[:2])
