"""What a photo fit can be told."""

from dataclasses import dataclass, replace
from typing import Literal

Recipe = Literal["default", "landmarks", "paper"]


@dataclass(frozen=True)
class PhotoSettings:
    """One set of numbers for every photo."""

    landmark_trust: float = 1.5
    """Factor on the sigma that the model of the detector's error leaves to every landmark."""
    given_trust: float = 4.0
    """Factor for landmarks of another source: nothing is known of how their errors go together."""
    detector_shared: float = 0.45
    """Share of the detector's error that all photos of a person have in common."""
    identity: float = 2.0
    """Weight of the identity prior: it holds children too, and adults vary by half as much."""
    expression: float = 1.0
    """Weight of the expression weights' Gaussian prior (sigma of the parameter table)."""
    sparsity: float = 6.0
    """Price of one unit of expression weight."""
    told_focal_sigma: float = 0.03
    typical_focal_sigma: float = 0.35
    """Spread of the logarithm of the focal length, from the file and without it."""
    landmarks: float = 1.0
    contour: float = 1.0
    photometric: float = 1.0
    """Factors on the terms of the pictures; 0 leaves one out. Landmarks also find the start."""
    photometric_trust: float = 3.0
    """Factor on every landmark's sigma once skin is compared with skin."""
    schedule: tuple[tuple[int, float, int], ...] = ((256, 1e4, 2), (512, 3e4, 1))
    """Texels on a side, weight and renewals of the photometric stages."""
    full_photos: int = 5
    """Photos whose skin has the weights of `schedule`; others: `skin_weight`."""
    rests: int = 160
    """Rest shapes, free in the last photometric stage."""
    rounds: int = 3
    steps: int = 4
    """Levenberg-Marquardt steps of each round; a round renews the outline."""

    def skin_weight(self, photos: int) -> float:
        """Factor on the weights of `schedule`, for so many photos.

        Every place is compared with n - 1 others, whose errors go together more the more there
        are; few photos have less weight than they have pairs, as one pair says little.
        """
        compared = (photos - 1) / (self.full_photos - 1)
        few = photos < self.full_photos
        return self.photometric * (compared * photos / self.full_photos if few else compared**0.5)


@dataclass(frozen=True)
class PhotoConfig:
    """What to fit and how. The defaults answer every photo."""

    shared_expression: bool = False
    """Several photos show one expression."""
    recipe: Recipe = "default"
    """`landmarks`: these alone, as JNR's paper fits pictures (its section 5.2). `paper`: sections
    4.1 to 4.3 of ASM's supplement (`fit.paper_views`), for comparison."""
    seed: int = 0
    settings: PhotoSettings = PhotoSettings()

    @property
    def weighed(self) -> PhotoSettings:
        """The settings, without the terms that the recipe has not."""
        if self.recipe == "landmarks":
            return replace(self.settings, contour=0.0, photometric=0.0)
        return self.settings


DEFAULT = PhotoConfig()
