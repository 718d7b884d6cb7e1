"""What a set of face networks must offer; the two-pass logic is the same for all of them."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8


@dataclass(frozen=True)
class Proposal:
    """A face that a detector sees in a square picture, in fractions of its side."""

    center: tuple[float, float]
    size: float
    """Side of the detector's own box: about brows to chin."""
    roll: float
    """Radians, from eye to eye; positive clockwise as one sees it."""
    score: float


@dataclass(frozen=True)
class MeshGuess:
    """The mesh of one face in a square picture, in fractions of its side."""

    points: Float[np.ndarray, "478 3"]
    """x, y, and z away from the camera."""
    presence: float | None = None
    blendshapes: dict[str, float] | None = None


@runtime_checkable
class FaceNetworks(Protocol):
    """Pictures are contiguous square RGB of any size; results do not depend on earlier calls."""

    source: str
    """Name and version, for the result."""
    first_scale: float
    """Side of the first crop over the side of the proposal."""
    second_scale: float
    """Side of the second crop over the longer side of the mesh's box."""

    def propose(self, picture: UInt8[np.ndarray, "side side 3"]) -> list[Proposal]:
        """Upright faces (up to some 45 degrees), surest first."""
        ...

    def mesh(self, picture: UInt8[np.ndarray, "side side 3"]) -> list[MeshGuess]:
        """Meshes of the faces in a crop around one face; usually one, possibly none."""
        ...

    def person(
        self, picture: UInt8[np.ndarray, "side side 3"]
    ) -> Float[np.ndarray, "side side"] | None:
        """Probability of person for each pixel; None if there is no segmenter."""
        ...
