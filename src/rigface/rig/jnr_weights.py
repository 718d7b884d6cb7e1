"""Sparse, bilaterally symmetric skinning weights: one free number for both sides."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from rigface.rig.jnr_skeleton import JNR_NAMES, mirror_joints


@dataclass(frozen=True)
class SymmetricWeights:
    """Free entries of the weight matrix; mirrored entries share theirs, all others are zero.

    The entries are those of the subject's left half and the midline, there of the left joint.
    """

    vertex: Int[np.ndarray, " free"]
    joint: Int[np.ndarray, " free"]
    value: Float[np.ndarray, " free"]
    """Non-negative; rows of the whole matrix sum to one."""
    mirror: Int[np.ndarray, " verts"]
    """Vertex on the other side."""

    def __len__(self) -> int:
        return len(self.value)

    @staticmethod
    def of(
        weights: Float[np.ndarray, "verts joints"], mirror: Int[np.ndarray, " verts"]
    ) -> "SymmetricWeights":
        """The free entries of a symmetric matrix, in row order; others become its mean image."""
        both = 0.5 * (weights + weights[mirror][:, mirror_joints()])
        vertex, joint = np.nonzero(both)
        other = mirror_joints()[joint]
        mine = (vertex < mirror[vertex]) | ((vertex == mirror[vertex]) & (joint <= other))
        vertex, joint = vertex[mine], joint[mine]
        return SymmetricWeights(vertex, joint, both[vertex, joint], mirror)

    def dense(self, value: np.ndarray | None = None) -> Float[np.ndarray, "verts joints"]:
        """The whole matrix, of other values if they are given."""
        out = np.zeros((len(self.mirror), len(JNR_NAMES)))
        given = self.value if value is None else value
        out[self.vertex, self.joint] = given
        out[self.mirror[self.vertex], mirror_joints()[self.joint]] = given
        return out

    def slots(self) -> tuple[Int[np.ndarray, "verts influences"], np.ndarray]:
        """(joint, slot) of every influence of every vertex; unused ones have slot len(self)."""
        image = mirror_joints()[self.joint]
        twin = (self.mirror[self.vertex] != self.vertex) | (image != self.joint)
        vertex = np.concatenate([self.vertex, self.mirror[self.vertex][twin]])
        joint = np.concatenate([self.joint, image[twin]])
        slot = np.concatenate([np.arange(len(self)), np.flatnonzero(twin)])
        order = np.lexsort((joint, vertex))
        vertex, joint, slot = vertex[order], joint[order], slot[order]
        count = np.bincount(vertex, minlength=len(self.mirror))
        rank = np.arange(len(vertex)) - np.repeat(np.cumsum(count) - count, count)
        joints = np.zeros((len(self.mirror), count.max()), dtype=np.int64)
        slots = np.full(joints.shape, len(self), dtype=np.int64)
        joints[vertex, rank], slots[vertex, rank] = joint, slot
        return joints, slots

    def reordered(self, order: Int[np.ndarray, " free"]) -> "SymmetricWeights":
        """The same with the free entries in another order."""
        return SymmetricWeights(
            self.vertex[order], self.joint[order], self.value[order], self.mirror
        )
