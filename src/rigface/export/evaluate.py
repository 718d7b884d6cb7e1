"""What a rig asset means, in float64: every client must draw the vertices computed here."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from rigface.errors import InputError
from rigface.export.asset import RigAsset
from rigface.export.influences import pruned_weights


def posed_vertices(
    asset: RigAsset,
    joint_rotations: Mapping[str, np.ndarray | Sequence[float | int]] | None = None,
    morph_weights: Mapping[str, float | int] | None = None,
    max_influences: int | None = None,
) -> Float[np.ndarray, "verts 3"]:
    """Vertices of the rig in a pose. Metres, model space.

    v'_i = sum_j w_ij G_j IBM_j (v_i + sum_m a_m d_mi), where G_j = G_parent(j) T_j R_j Q_j S_j is
    the world matrix of joint j from its node translation, rotation and scale, and Q_j the extra
    rotation in the joint's own axes.

    Args:
        joint_rotations: extra rotations by joint name, quaternions wxyz of any non-zero length.
        morph_weights: a_m by morph name; the others are 0.
        max_influences: prune the weights as the GLB writer does; None keeps them all.

    Raises:
        InputError: a joint or morph name that the rig does not have, or a zero quaternion.
    """
    weights = (
        asset.weights if max_influences is None else pruned_weights(asset.weights, max_influences)
    )
    skinning = world_matrices(asset, joint_rotations or {}) @ asset.inverse_bind
    vertices = morphed_vertices(asset, morph_weights or {})
    per_vertex = (weights @ skinning[:, :3].reshape(len(skinning), 12)).reshape(-1, 3, 4)
    return np.einsum("vij,vj->vi", per_vertex[..., :3], vertices) + per_vertex[..., 3]


def morphed_vertices(
    asset: RigAsset, morph_weights: Mapping[str, float | int]
) -> Float[np.ndarray, "verts 3"]:
    """Rest vertices plus the weighted morph offsets, before skinning."""
    _known("morph", morph_weights, [morph.name for morph in asset.morphs])
    vertices = np.array(asset.vertices, dtype=np.float64)
    for morph in asset.morphs:
        amount = morph_weights.get(morph.name, 0.0)
        if amount:
            vertices[morph.indices] += amount * morph.offsets
    return vertices


def world_matrices(
    asset: RigAsset, joint_rotations: Mapping[str, np.ndarray | Sequence[float | int]]
) -> Float[np.ndarray, "joints 4 4"]:
    """Matrices model_from_joint of all joints, the extra rotations included."""
    _known("joint", joint_rotations, asset.joint_names)
    worlds = np.zeros((len(asset.joint_names), 4, 4))
    for joint, name in enumerate(asset.joint_names):
        local = np.eye(4)
        local[:3, 3] = asset.node_translation[joint]
        local[:3, :3] = rotation_matrix(asset.node_rotation[joint])
        if name in joint_rotations:
            local[:3, :3] = local[:3, :3] @ rotation_matrix(joint_rotations[name])
        local[:3, :3] = local[:3, :3] * asset.node_scale[joint]
        parent = asset.joint_parents[joint]
        worlds[joint] = local if parent < 0 else worlds[parent] @ local
    return worlds


def rotation_matrix(wxyz: np.ndarray | Sequence[float | int]) -> Float[np.ndarray, "3 3"]:
    """The rotation of a quaternion, which is normalised first."""
    quaternion = np.asarray(wxyz, dtype=np.float64)
    norm = np.linalg.norm(quaternion)
    if quaternion.shape != (4,) or not np.isfinite(norm) or norm == 0:
        raise InputError(
            f"{quaternion.tolist()} is no rotation; give four numbers w, x, y, z, not all zero."
        )
    w, x, y, z = quaternion / norm
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _known(kind: str, given: Mapping[str, object], names: Sequence[str]) -> None:
    unknown = [name for name in given if name not in names]
    if unknown:
        listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise InputError(f"this rig has no {kind} '{unknown[0]}'; it has {listed or 'none'}.")
