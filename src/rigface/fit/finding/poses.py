"""A batch of similarity hypotheses, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from rigface.geometry.similarity import Similarity


@dataclass(frozen=True)
class Poses:
    """x_scan = scale R x_model + t, with what speaks for each."""

    scale: Float[np.ndarray, " poses"]
    rotation: Float[np.ndarray, "poses 3 3"]
    translation: Float[np.ndarray, "poses 3"]
    score: Float[np.ndarray, " poses"]
    level: Int[np.ndarray, " poses"]
    """Which of the scan's clouds suits the scale."""

    def __len__(self) -> int:
        return len(self.scale)

    def __getitem__(self, chosen: np.ndarray) -> "Poses":
        return Poses(*(each[chosen] for each in self._arrays()))

    def similarity(self, index: int) -> Similarity:
        """scan_from_model of one hypothesis."""
        return Similarity(float(self.scale[index]), self.rotation[index], self.translation[index])

    def apply(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "poses n 3"]:
        """Model points in the scan."""
        turned = np.einsum("pij,nj->pni", self.rotation, points)
        return self.scale[:, None, None] * turned + self.translation[:, None, :]

    def with_score(self, score: Float[np.ndarray, " poses"]) -> "Poses":
        return Poses(self.scale, self.rotation, self.translation, score, self.level)

    def best(self, count: int) -> "Poses":
        """The highest scores, best first."""
        return self[np.argsort(-self.score, kind="stable")[:count]]

    def _arrays(self) -> tuple[np.ndarray, ...]:
        return self.scale, self.rotation, self.translation, self.score, self.level

    @staticmethod
    def joined(parts: Sequence["Poses"]) -> "Poses":
        return Poses(
            *(np.concatenate(each) for each in zip(*(p._arrays() for p in parts), strict=True))
        )


CORNERS = np.array([[0.05, 0.03, 0.0], [-0.05, 0.03, 0.0], [0.0, -0.08, 0.02], [0.0, -0.03, 0.05]])
"""Points around the face (metres, template frame) whose motion measures how far poses differ."""


def apart(poses: Poses, others: Poses) -> Float[np.ndarray, "poses others"]:
    """RMS distance of the face corners, in units of the geometric mean scale (metres)."""
    a, b = (each.apply(CORNERS).reshape(len(each), CORNERS.size) for each in (poses, others))
    square = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T
    scale = poses.scale[:, None] * others.scale[None]
    return np.sqrt(np.maximum(square, 0) / len(CORNERS) / scale)


def distinct(poses: Poses, tolerance: float, most: int) -> Poses:
    """The best poses that differ by more than `tolerance` (metres) from each better one."""
    poses = poses.best(len(poses))
    near = apart(poses, poses) < tolerance
    free, chosen = np.ones(len(poses), bool), []
    while free.any() and len(chosen) < most:
        first = int(free.argmax())
        chosen.append(first)
        free &= ~near[first]
        free[first] = False
    return poses[np.array(chosen, int)]
