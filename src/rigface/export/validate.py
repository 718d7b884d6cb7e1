"""What an exporter refuses, said before a byte is written."""

import json
from collections.abc import Sequence

import numpy as np

from rigface.errors import InputError
from rigface.export.asset import RigAsset

_SUM_TOLERANCE = 1e-4
_UNIT_TOLERANCE = 1e-3


def validate(asset: RigAsset) -> None:
    """Check that a rig can be written and means the same everywhere.

    Raises:
        InputError: naming the first field that is wrong, what it holds and what is expected.
    """
    _check_surface(asset)
    _check_materials(asset)
    _check_joints(asset)
    _check_weights(asset)
    _check_morphs(asset)
    try:
        json.dumps(asset.extras, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the extras of rig '{asset.name}' cannot be written as JSON ({error}). Convert arrays "
            "to lists and leave out NaN and infinities."
        ) from error


def _check_surface(asset: RigAsset) -> None:
    if len(asset.faces) == 0 or len(asset.vertices) == 0:
        raise InputError(
            f"rig '{asset.name}' has {len(asset.vertices)} vertices and {len(asset.faces)} faces; "
            "at least one triangle is needed."
        )
    _finite("vertices", asset.vertices)
    _indices("faces", asset.faces, len(asset.vertices), "vertices")
    if len(asset.uv):
        _finite("uv", asset.uv)
        if asset.uv_faces.shape != asset.faces.shape:
            raise InputError(
                f"uv_faces has shape {asset.uv_faces.shape}, faces {asset.faces.shape}; give one "
                "UV index per corner, or an empty uv array for a rig without UV."
            )
        _indices("uv_faces", asset.uv_faces, len(asset.uv), "uv")


def _check_materials(asset: RigAsset) -> None:
    if not asset.materials:
        raise InputError(f"rig '{asset.name}' has no material; give at least one.")
    if asset.face_material.shape != (len(asset.faces),):
        raise InputError(
            f"face_material has shape {asset.face_material.shape}; expected one material index for "
            f"each of the {len(asset.faces)} faces."
        )
    _indices("face_material", asset.face_material, len(asset.materials), "materials")
    for material in asset.materials:
        if material.base_color_image is not None:
            image_mime(material.base_color_image, material.name)


def image_mime(data: bytes, owner: str) -> str:
    """The media type of PNG or JPEG bytes, the two that glTF allows."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    raise InputError(
        f"the image of material '{owner}' starts with {data[:4]!r}, which is neither PNG nor JPEG; "
        "encode it as one of these."
    )


def _check_joints(asset: RigAsset) -> None:
    count = len(asset.joint_names)
    _unique("joint_names", asset.joint_names)
    shapes = {
        "joint_parents": (np.shape(asset.joint_parents), (count,)),
        "node_translation": (asset.node_translation.shape, (count, 3)),
        "node_rotation": (asset.node_rotation.shape, (count, 4)),
        "node_scale": (asset.node_scale.shape, (count, 3)),
        "inverse_bind": (asset.inverse_bind.shape, (count, 4, 4)),
    }
    for name, (got, expected) in shapes.items():
        if got != expected:
            raise InputError(
                f"{name} has shape {got}; the {count} joint names need shape {expected}."
            )
        _finite(name, np.asarray(getattr(asset, name)))
    roots = [asset.joint_names[j] for j, parent in enumerate(asset.joint_parents) if parent == -1]
    if len(roots) != 1:
        raise InputError(
            f"the skeleton has {len(roots)} roots ({', '.join(roots[:5])}); glTF skins need "
            "exactly one joint with parent -1 above all others."
        )
    for joint, parent in enumerate(asset.joint_parents):
        if not -1 <= parent < joint:
            raise InputError(
                f"joint {joint} '{asset.joint_names[joint]}' has parent {parent}; parents come "
                f"before their children, so it must be -1 or one of 0..{joint - 1}."
            )
    _check_transforms(asset)


def _check_transforms(asset: RigAsset) -> None:
    norms = np.linalg.norm(asset.node_rotation, axis=1)
    worst = int(np.argmax(np.abs(norms - 1)))
    if abs(norms[worst] - 1) > _UNIT_TOLERANCE:
        raise InputError(
            f"the rotation of joint '{asset.joint_names[worst]}' has length {norms[worst]:.6g}; "
            "node_rotation holds unit quaternions, wxyz."
        )
    if np.any(asset.node_scale == 0):
        joint = int(np.argmax(np.any(asset.node_scale == 0, axis=1)))
        raise InputError(
            f"joint '{asset.joint_names[joint]}' has scale {asset.node_scale[joint].tolist()}; a "
            "zero scale flattens everything below it."
        )
    if np.abs(asset.inverse_bind[:, 3] - [0, 0, 0, 1]).max() > 1e-9:
        raise InputError(
            "inverse_bind holds a matrix whose last row is not (0, 0, 0, 1); affine matrices for "
            "column vectors are expected, translations in the last column."
        )


def _check_weights(asset: RigAsset) -> None:
    expected = (len(asset.vertices), len(asset.joint_names))
    if asset.weights.shape != expected:
        raise InputError(
            f"weights has shape {asset.weights.shape}; expected (vertices, joints) = {expected}."
        )
    _finite("weights", asset.weights.data)
    if asset.weights.nnz and asset.weights.data.min() < 0:
        raise InputError(
            f"weights holds {asset.weights.data.min():.3g}; skinning weights are not negative: "
            "clip them at 0 and renormalise the rows."
        )
    sums = np.asarray(asset.weights.sum(axis=1)).ravel()
    worst = int(np.argmax(np.abs(sums - 1)))
    if abs(sums[worst] - 1) > _SUM_TOLERANCE:
        bad = int((np.abs(sums - 1) > _SUM_TOLERANCE).sum())
        raise InputError(
            f"the weights of {bad} vertices do not sum to one (vertex {worst}: {sums[worst]:.6g}); "
            "divide each row by its sum."
        )


def _check_morphs(asset: RigAsset) -> None:
    _unique("morphs", [morph.name for morph in asset.morphs])
    for morph in asset.morphs:
        label = f"morph '{morph.name}'"
        if morph.offsets.shape != (len(morph.indices), 3):
            raise InputError(
                f"{label} has {len(morph.indices)} indices and offsets of shape "
                f"{morph.offsets.shape}; give one 3-D offset per index."
            )
        _finite(label, morph.offsets)
        _indices(label, morph.indices, len(asset.vertices), "vertices")
        if len(np.unique(morph.indices)) != len(morph.indices):
            raise InputError(f"{label} moves a vertex twice; list each vertex once.")


def _finite(name: str, values: np.ndarray) -> None:
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise InputError(f"{name} holds {bad} NaN or infinite numbers; all must be finite.")


def _indices(name: str, values: np.ndarray, count: int, of: str) -> None:
    if values.size and (values.min() < 0 or values.max() >= count):
        raise InputError(
            f"{name} refers to {of} {values.min()}..{values.max()}, but there are {count} (0.."
            f"{count - 1})."
        )


def _unique(name: str, values: Sequence[str]) -> None:
    empty = [index for index, value in enumerate(values) if not value]
    if empty:
        raise InputError(f"{name} has an empty name at index {empty[0]}; every entry needs one.")
    if len(set(values)) != len(values):
        twice = sorted({value for value in values if list(values).count(value) > 1})
        raise InputError(f"{name} holds '{twice[0]}' more than once; names must be unique.")
