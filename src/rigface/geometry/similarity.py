"""Similarity transforms x_destination = scale * rotation @ x_source + translation."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Similarity:
    """Name instances destination_from_source, e.g. `scan_from_model`."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    @staticmethod
    def identity() -> "Similarity":
        return Similarity(1.0, np.eye(3), np.zeros(3))

    def apply(self, points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """Transform positions."""
        return self.scale * points @ self.rotation.T + self.translation

    def rotate(self, directions: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """Transform directions (normals): rotation only."""
        return directions @ self.rotation.T

    def inverse(self) -> "Similarity":
        rotation = self.rotation.T
        return Similarity(1 / self.scale, rotation, -(rotation @ self.translation) / self.scale)

    def __matmul__(self, other: "Similarity") -> "Similarity":
        """a_from_b @ b_from_c = a_from_c."""
        return Similarity(
            self.scale * other.scale,
            self.rotation @ other.rotation,
            self.apply(other.translation),
        )

    def matrix(self) -> Float[np.ndarray, "4 4"]:
        out = np.eye(4)
        out[:3, :3] = self.scale * self.rotation
        out[:3, 3] = self.translation
        return out


def align_points(
    source: Float[np.ndarray, "points 3"],
    destination: Float[np.ndarray, "points 3"],
    weights: Float[np.ndarray, " points"] | None = None,
    with_scale: bool = True,
) -> Similarity:
    """Least-squares destination_from_source (Umeyama 1991); never a reflection.

    Raises ValueError for fewer than three points.
    """
    if len(source) < 3:
        raise ValueError(f"alignment needs at least 3 point pairs, got {len(source)}")
    w = np.ones(len(source)) if weights is None else weights
    w = w / w.sum()
    source_mean, destination_mean = w @ source, w @ destination
    a, b = source - source_mean, destination - destination_mean
    u, singular, vt = np.linalg.svd((b * w[:, None]).T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    variance = float(w @ (a * a).sum(-1))
    scale = float((singular * sign).sum() / variance) if with_scale else 1.0
    return Similarity(scale, rotation, destination_mean - scale * rotation @ source_mean)
