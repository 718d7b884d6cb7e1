"""What of a depth frame is surface of the person in front: points, how sure, seen from where."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, UInt8

from rigface.errors import InputError
from rigface.evidence.depth import DepthFrame
from rigface.geometry.mesh import Mesh
from rigface.geometry.normals import unit
from rigface.geometry.range_image import beside_jumps, grid_faces, smoothed, surface_pieces
from rigface.geometry.similarity import Similarity

_STEEP = 6.0
"""Slope against the picture plane (80 degrees) above which two neighbours are not one surface."""
_SPECK = 4e-4
"""Square metres below which a lone piece of surface is a stray."""
_PERSON = 4e-3
"""Square metres that the nearest piece needs to be the person and no finger or cable."""
_FEWEST = 300
DEEP = 0.35
"""Metres behind the nearest point of the person within which the head ends."""


@dataclass(frozen=True)
class SensorNoise:
    """Standard deviation of a depth: floor + growth z^2, metres.

    The floor stands for what does not average out over frames; the square of the distance is that
    of triangulating sensors (structured light, stereo).
    """

    floor: float = 0.0003
    growth: float = 0.004
    """Per metre."""

    def sigma(self, depth: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Metres."""
        return self.floor + self.growth * depth**2


@dataclass(frozen=True)
class DepthCloud:
    """Points of one frame or of several, in one frame, metres."""

    points: Float[np.ndarray, "points 3"]
    toward: Float[np.ndarray, "points 3"]
    """Unit vectors to the camera that saw them."""
    sigma: Float[np.ndarray, " points"]
    """Metres."""
    colors: UInt8[np.ndarray, "points 3"] | None = None
    """sRGB."""

    def moved(self, pose: Similarity) -> "DepthCloud":
        """In the frame that the pose leads to."""
        return DepthCloud(
            pose.apply(self.points),
            pose.rotate(self.toward),
            pose.scale * self.sigma,
            self.colors,
        )

    def where(self, mask: Bool[np.ndarray, " points"]) -> "DepthCloud":
        """Some of the points."""
        colors = None if self.colors is None else self.colors[mask]
        return DepthCloud(self.points[mask], self.toward[mask], self.sigma[mask], colors)

    def averaged(self, size: float, floor: float) -> "DepthCloud":
        """One point per cube of `size` metres: the mean weighted by 1 / sigma^2.

        What the points of a cube err alike (`floor`, metres) does not average out.
        """
        cell = np.floor(self.points / size).astype(np.int64)
        _, group = np.unique(cell, axis=0, return_inverse=True)
        group = group.reshape(-1)
        weight = 1 / self.sigma**2
        total = np.bincount(group, weight)

        def mean(values: np.ndarray) -> np.ndarray:
            sums = [np.bincount(group, weight * column) for column in values.T]
            return np.stack(sums, axis=1) / total[:, None]

        own = np.sqrt(np.maximum(self.sigma**2 - floor**2, 0.0) + 1e-12)
        sigma = np.sqrt(floor**2 + 1 / np.bincount(group, 1 / own**2))
        colors = None
        if self.colors is not None:
            colors = np.round(mean(self.colors.astype(np.float64))).astype(np.uint8)
        return DepthCloud(mean(self.points), unit(mean(self.toward)), sigma, colors)


@dataclass(frozen=True)
class Person:
    """The surface in front of the camera, still on the pixel grid."""

    frame: DepthFrame
    depth: Float[np.ndarray, "height width"]
    """Metres, NaN for everything else."""
    limit: Float[np.ndarray, "height width"]
    """Difference of neighbouring depths up to which they are one surface."""
    noise: SensorNoise

    @property
    def kept(self) -> Bool[np.ndarray, "height width"]:
        return np.isfinite(self.depth)

    def cloud(self, blur: float = 0.0) -> DepthCloud:
        """Its points; `blur` metres of smoothing make features stand out of noise."""
        depth = self.depth
        if blur:
            cell = float(np.nanmedian(depth)) / float(self.frame.camera.focal.mean())
            depth = smoothed(depth, blur / cell, self.limit)
        points = replace(self.frame, depth=depth).points[self.kept]
        toward = -points / np.linalg.norm(points, axis=1, keepdims=True)
        sigma = self.noise.sigma(self.depth[self.kept])
        return DepthCloud(points, toward, sigma, _colours(self.frame, self.kept))

    def mesh(self) -> Mesh:
        """The grid as a surface that faces the camera, metres."""
        faces = grid_faces(self.kept, self.depth, self.limit)
        return Mesh(self.frame.points[self.kept], faces)


def find_person(frame: DepthFrame, noise: SensorNoise = SensorNoise()) -> Person:
    """The surface nearest to the camera that is large enough, without flying pixels and strays.

    Raises InputError if there is none.
    """
    cell = frame.depth / float(frame.camera.focal.mean())
    limit = _STEEP * cell + 4 * noise.sigma(frame.depth)
    depth = np.where(beside_jumps(frame.depth, limit), np.nan, frame.depth)
    pieces = surface_pieces(depth, limit)
    seen = pieces >= 0
    area = np.bincount(pieces[seen], cell[seen] ** 2)
    large = np.flatnonzero(area > _PERSON)
    if not len(large):
        raise InputError(
            f"{frame.name} shows no surface larger than {1e4 * _PERSON:.0f} cm^2 in one piece: too "
            "noisy, too full of holes, or no person in front of the camera."
        )
    nearest = min(large, key=lambda piece: float(np.percentile(depth[pieces == piece], 5)))
    front = float(np.percentile(depth[pieces == nearest], 1))
    kept = seen & (area[np.maximum(pieces, 0)] > _SPECK)
    kept[kept] = depth[kept] < front + DEEP
    if kept.sum() < _FEWEST:
        raise InputError(f"{frame.name} has only {kept.sum()} usable pixels; {_FEWEST} are needed.")
    return Person(frame, np.where(kept, frame.depth, np.nan), limit, noise)


def _colours(frame: DepthFrame, kept: np.ndarray) -> np.ndarray | None:
    if frame.pixels is None:
        return None
    rows, columns = np.nonzero(kept)
    scale = np.array(frame.pixels.shape[:2]) / np.array(frame.depth.shape)
    at = ((np.stack([rows, columns], axis=1) + 0.5) * scale).astype(np.int64)
    return frame.pixels[at[:, 0], at[:, 1]]
