"""The bones of a fitted model, read out for export: weights, joints, local transforms."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rigface.fit.models import FitModels
from rigface.fit.registration_result import Registration
from rigface.fit.result import FittedRig
from rigface.geometry.rotations import quaternion_from_rotation, rotation_from_vector
from rigface.models.asm import AsmModel
from rigface.models.jnr import JnrModel
from rigface.models.posed import POSE
from rigface.rig.jnr_skeleton import JNR_NAMES, JNR_PARENTS
from rigface.rig.layout import asm_layout, jnr_layout


def fitted_rig(models: FitModels, fitted: Registration, metric: float) -> FittedRig:
    """Bones in model space; a linear model is skinned with ASM's initial weights."""
    x = fitted.x[POSE.size :]
    model = fitted.model.inner
    if isinstance(model, JnrModel):
        return _of_jnr(model, x, metric)
    if not isinstance(model, AsmModel):
        return _of_linear(models, fitted, metric)
    with torch.no_grad():
        state = model.state(x)
        values = model.table.unpack(x)
        weights = state.weights
        linear = (weights @ state.transforms[:, :3, :3].flatten(1)).unflatten(1, (3, 3))
        parents = torch.tensor([max(p, 0) for p in model.parents])
        is_child = torch.tensor([[float(p >= 0)] for p in model.parents], dtype=x.dtype)
        offset = state.bind - is_child * state.bind[parents]
        rotation = rotation_from_vector(values["rotation"])
    return FittedRig(
        layout=asm_layout(),
        weights=weights.numpy(),
        joints=metric * state.world_from_joint[:, :3, 3].numpy(),
        bind=state.bind.numpy(),
        node_translation=(offset + values["translation"]).numpy(),
        node_rotation=quaternion_from_rotation(rotation).numpy(),
        node_scale=values["log_scale"].exp().numpy(),
        metric_scale=metric,
        skin_linear=metric * linear.numpy(),
    )


def _of_jnr(model: JnrModel, x: Float[Tensor, " params"], metric: float) -> FittedRig:
    """Levers (`models.jnr`) are left out of the binds: what they do goes into the rest mesh."""
    with torch.no_grad():
        numbers, world = model.joint_numbers(x), model.world_from_joint(x)
        weights = model.weights(x)
        linear = model.skinning(x, weights)
        dense = weights.new_zeros(len(weights), len(JNR_NAMES))
        dense.scatter_add_(1, model.influences, weights)
    rotation, translation, log_scale = numbers.split(3, dim=-1)
    bind = model.bind.numpy()
    above = np.array([bind[p] if p >= 0 else np.zeros(3) for p in JNR_PARENTS])
    return FittedRig(
        layout=jnr_layout(),
        weights=dense.numpy(),
        joints=metric * world[:, :3, 3].numpy(),
        bind=bind,
        node_translation=bind - above + translation.numpy(),
        node_rotation=quaternion_from_rotation(rotation_from_vector(rotation)).numpy(),
        node_scale=log_scale.exp().numpy(),
        metric_scale=metric,
        skin_linear=metric * linear.numpy(),
    )


def _of_linear(models: FitModels, fitted: Registration, metric: float) -> FittedRig:
    """Joints move like the skin they hold: the weighted mean of their vertices' offsets."""
    rig = models.rig
    with torch.no_grad():
        skin = fitted.model.inner.vertices(fitted.x[POSE.size :]).numpy()
    rest = models.shape.mean.numpy()
    share = rig.weights0 / np.maximum(rig.weights0.sum(axis=0), 1e-12)
    joints = rig.bind_positions + share.T @ (skin - rest)
    offset = joints - np.array([joints[p] if p >= 0 else np.zeros(3) for p in rig.parents])
    bones = len(joints)
    return FittedRig(
        layout=asm_layout(),
        weights=rig.weights0,
        joints=metric * joints,
        bind=joints,
        node_translation=offset,
        node_rotation=np.tile([1.0, 0.0, 0.0, 0.0], (bones, 1)),
        node_scale=np.ones((bones, 3)),
        metric_scale=metric,
        skin_linear=np.tile(metric * np.eye(3), (len(skin), 1, 1)),
    )
