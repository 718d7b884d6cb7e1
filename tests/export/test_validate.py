"""Every defect of a rig is named before anything is written."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from rig_assets import make_rig

from rigface.errors import InputError
from rigface.export.asset import Material, Morph, RigAsset
from rigface.export.validate import validate


def changed(name: str, edit: Callable[[Any], Any]) -> RigAsset:
    """A rig with one field edited past the constructor's own shape checks."""
    rig = make_rig()
    object.__setattr__(rig, name, edit(getattr(rig, name)))
    return rig


def with_entry(value: float, *index: int) -> Callable[[np.ndarray], np.ndarray]:
    def edit(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array[index] = value
        return array

    return edit


def with_morph(morph: Morph) -> Callable[[tuple], tuple]:
    return lambda morphs: (*morphs, morph)


_ONE = np.zeros((1, 3))

DEFECTS = {
    "nan vertex": ("vertices", with_entry(np.nan, 3, 1), "vertices holds 1 NaN"),
    "no faces": ("faces", lambda f: f[:0], "0 faces"),
    "face out of range": ("faces", with_entry(9999, 0, 0), "faces refers to vertices"),
    "uv out of range": ("uv_faces", with_entry(-1, 0, 0), "uv_faces refers to uv"),
    "uv count": ("uv_faces", lambda f: f[1:], "one UV index per corner"),
    "no material": ("materials", lambda m: (), "no material"),
    "material range": ("face_material", with_entry(3, 0), "face_material refers to materials"),
    "material count": ("face_material", lambda m: m[1:], "one material index for each"),
    "two roots": ("joint_parents", lambda p: (-1, -1, *p[2:]), "2 roots .*exactly one"),
    "child first": ("joint_parents", lambda p: (-1, 2, 0, *p[3:]), "joint 1 'head' has parent 2"),
    "same name": ("joint_names", lambda n: (*n[:-1], "jaw"), "'jaw' more than once"),
    "empty name": ("joint_names", lambda n: (*n[:-1], ""), "empty name at index 12"),
    "scale count": ("node_scale", lambda s: s[1:], r"node_scale has shape \(12, 3\)"),
    "zero scale": ("node_scale", with_entry(0.0, 2, 1), "joint 'jaw' has scale"),
    "quaternion": ("node_rotation", lambda q: 2 * q, "unit quaternions"),
    "nan bind": ("inverse_bind", with_entry(np.inf, 1, 0, 0), "inverse_bind holds 1"),
    "row vectors": ("inverse_bind", lambda b: b.transpose(0, 2, 1), "last row"),
    "weights shape": ("weights", lambda w: w[:, 1:], "weights has shape"),
    "weights sum": ("weights", lambda w: sp.csr_matrix(w * 0.5), "do not sum to one"),
    "nan weights": ("weights", lambda w: sp.csr_matrix(w * np.nan), "weights holds"),
    "negative": (
        "weights",
        lambda w: sp.csr_matrix(w + sp.csr_matrix(([-2.0, 2.0], ([0, 0], [3, 1])), w.shape)),
        "not negative",
    ),
    "morph range": ("morphs", with_morph(Morph("a", np.array([9999]), _ONE)), "morph 'a' refers"),
    "morph twice": (
        "morphs",
        with_morph(Morph("a", np.array([4, 4]), np.zeros((2, 3)))),
        "moves a vertex twice",
    ),
    "morph name": ("morphs", with_morph(Morph("jawOpen", np.array([1]), _ONE)), "more than once"),
    "morph nan": ("morphs", with_morph(Morph("a", np.array([1]), _ONE * np.nan)), "morph 'a' hold"),
    "extras": ("extras", lambda e: {"array": np.zeros(2)}, "cannot be written as JSON"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_defect_is_named(defect: str) -> None:
    field, edit, message = DEFECTS[defect]
    with pytest.raises(InputError, match=message):
        validate(changed(field, edit))


def test_image_that_is_none_is_named() -> None:
    bad = Material("skin", base_color_image=b"GIF89a")
    rig = make_rig()
    with pytest.raises(
        InputError, match="material 'skin' starts with b'GIF8'.*neither PNG nor JPEG"
    ):
        validate(replace(rig, materials=(bad, *rig.materials[1:])))


def test_sound_rigs_pass() -> None:
    validate(make_rig("baked"))
    validate(make_rig("asm"))
