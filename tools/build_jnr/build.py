"""The arrays of assets/jnr_rig.safetensors."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save
from tools.build_rig.skin import Skin, skin_of

from rigface.rig.rig import load_rig
from rigface.rig.template_io import load_template

from .weights import initial_weights, place_joints


def build() -> tuple[Skin, np.ndarray, np.ndarray]:
    """Skin, joints (52, 3) in metres, initial weights (verts, 52)."""
    skin = skin_of(load_template())
    joints = place_joints(load_rig(k=1))
    return skin, joints, initial_weights(skin, joints)


def write_asset(path: Path, joints: np.ndarray, weights: np.ndarray) -> None:
    """One safetensors file; weights as (vertex, joint, value)."""
    vertex, joint = np.nonzero(weights)
    arrays = {
        "joints": joints,
        "weight.joint": joint.astype(np.uint8),
        "weight.value": weights[vertex, joint].astype(np.float32),
        "weight.vertex": vertex.astype(np.uint16),
    }
    path.write_bytes(save({name: np.ascontiguousarray(a) for name, a in arrays.items()}))
