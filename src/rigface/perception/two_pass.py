"""The detector of photos: propose, crop, mesh, crop again by the mesh, compare with the mirror."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from rigface.evidence.face import FaceObservation, FaceQuality, across, face_size
from rigface.evidence.face_mesh import EYE_CORNERS, face_mesh
from rigface.evidence.photo import Photo
from rigface.perception.crops import Crop, Pyramid
from rigface.perception.masks import face_masks
from rigface.perception.networks import FaceNetworks, MeshGuess
from rigface.perception.proposals import Candidate, fine_candidates, overview_candidates
from rigface.perception.sharpness import sharpness
from rigface.perception.visibility import visible_landmarks

MIN_FACE = 36.0
"""Pixels; below this the landmarks are noise."""

HOPELESS = 9.0
"""Percent of the face size: a mesh that moves more is not reported at all."""

OFF_PERSON = 50.0
"""Percent of the mesh outside the person mask: a doubtful face that lies so is none."""

MAX_CANDIDATES = 48

_CELLS = 384
_PIXEL_SIGMA = 0.3
"""What is left of the error on small faces: 18 to 53 px faces gave 0.25 to 0.35 px."""


@dataclass(frozen=True)
class _Mesh:
    """One mesh in the photo: x, y in its pixels, z in the same unit."""

    points: Float[np.ndarray, "478 3"]
    presence: float | None
    blendshapes: dict[str, float] | None

    @property
    def flat(self) -> Float[np.ndarray, "478 2"]:
        return self.points[:, :2]


class TwoPassDetector:
    """`FaceDetector` on any set of networks. Deterministic; one photo at a time."""

    def __init__(self, networks: FaceNetworks) -> None:
        self.networks = networks

    def detect(self, photo: Photo) -> list[FaceObservation]:
        """Every face, trusted ones first, then by size; empty if there is none.

        Upright faces of 6 % of the photo's longer side are looked for first, then the photo is
        turned by quarters, then faces down to some 60 pixels are looked for. If nothing passes
        the quality gate, the largest face that fails it is returned with `trusted` False.
        """
        pyramid = Pyramid(photo.pixels)
        doubtful: list[FaceObservation] = []
        for quarter_turns in (0, 1, 3, 2, None):
            if quarter_turns is None:
                candidates = fine_candidates(pyramid, self.networks)
            else:
                candidates = overview_candidates(pyramid, self.networks, quarter_turns)
            found = self._observe_all(candidates, pyramid)
            trusted = [face for face in found if face.trusted]
            if trusted:
                return sorted(trusted, key=lambda face: -face.size)
            doubtful += found
        doubtful = [face for face in doubtful if _may_be_a_face(face.quality)]
        return sorted(doubtful, key=lambda face: -face.size)[:1]

    def _observe_all(self, candidates: list[Candidate], pyramid: Pyramid) -> list[FaceObservation]:
        found: list[FaceObservation] = []
        for candidate in candidates[:MAX_CANDIDATES]:
            if any(_is_inside(candidate, face) for face in found):
                continue
            face = self._observe(candidate, pyramid)
            if face is not None and not any(_overlaps(face, other) for other in found):
                found.append(face)
        return found

    def _observe(self, candidate: Candidate, pyramid: Pyramid) -> FaceObservation | None:
        """None if a pass finds no mesh, or the face is too small to say anything."""
        size = candidate.size * self.networks.first_scale
        first = self._mesh(pyramid, Crop(candidate.center, size, candidate.roll))
        if first is None or np.ptp(first.flat, axis=0).max() < MIN_FACE:
            return None
        crop = _crop_around(first.points, self.networks.second_scale)
        second = self._mesh(pyramid, crop)
        mirrored = self._mesh(pyramid, crop, mirror=True)
        if second is None or mirrored is None:
            return None
        extent = face_size(second.flat)
        points = 0.5 * (second.points + mirrored.points)
        flat, z = points[:, :2], points[:, 2]
        masks, outside = face_masks(flat, crop.angle, pyramid, self.networks)
        return FaceObservation(
            landmarks=flat,
            z=z,
            sigma=_sigma(second.flat, mirrored.flat),
            visible=visible_landmarks(flat, z),
            presence=candidate.score if second.presence is None else second.presence,
            source=self.networks.source,
            image_size=(pyramid.width, pyramid.height),
            quality=FaceQuality(
                recrop_change=_mean_distance(first.flat, second.flat) * 100 / extent,
                mirror_change=_mean_distance(second.flat, mirrored.flat) * 100 / extent,
                sharpness=sharpness(pyramid, _crop_around(points, 1.0)),
                outside_person=outside,
            ),
            blendshapes=_mean_scores(second.blendshapes, mirrored.blendshapes),
            masks=masks,
        )

    def _mesh(self, pyramid: Pyramid, crop: Crop, mirror: bool = False) -> _Mesh | None:
        """The mesh nearest to the crop's centre; `mirror` looks at the picture from behind."""
        picture = pyramid.sample(crop, _CELLS)
        if mirror:
            picture = np.ascontiguousarray(picture[:, ::-1])
        guesses = self.networks.mesh(picture)
        if not guesses:
            return None
        guess = min(guesses, key=_off_center)
        points = guess.points.astype(np.float64)
        scores = guess.blendshapes
        if mirror:
            points = points[face_mesh().mirror] * [-1, 1, 1] + [1, 0, 0]
            scores = None if scores is None else {_swapped(k): v for k, v in scores.items()}
        in_photo = np.column_stack([crop.to_photo(points[:, :2]), points[:, 2] * crop.size])
        return _Mesh(in_photo, guess.presence, scores)


def _off_center(guess: MeshGuess) -> float:
    return float(np.linalg.norm(guess.points[:, :2].mean(axis=0) - 0.5))


def _crop_around(points: Float[np.ndarray, "478 3"], scale: float) -> Crop:
    """Upright by the eyes: a square around the mesh, `scale` times its longer side."""
    direction = across(points[:, :2], points[:, 2])
    roll = float(np.arctan2(direction[1], direction[0]))
    upright = Crop((0.0, 0.0), 1.0, roll)
    turned = upright.from_photo(points[:, :2])
    low, high = turned.min(axis=0), turned.max(axis=0)
    x, y = upright.to_photo((low + high) / 2).tolist()
    return Crop((x, y), scale * float((high - low).max()), roll)


def _sigma(
    second: Float[np.ndarray, "478 2"], mirrored: Float[np.ndarray, "478 2"]
) -> Float[np.ndarray, "478"]:
    """Crop jitter of the point, its doubt between the photo and its mirror, and a pixel floor."""
    right, left = 0.5 * (second + mirrored)[list(EYE_CORNERS)]
    jitter = face_mesh().jitter * max(
        float(np.linalg.norm(left - right)),
        0.4 * face_size(second),  # turned faces: short eyes
    )
    doubt = 0.5 * np.linalg.norm(second - mirrored, axis=1)
    return np.sqrt(jitter**2 + doubt**2 + _PIXEL_SIGMA**2)


def _mean_distance(one: Float[np.ndarray, "478 2"], other: Float[np.ndarray, "478 2"]) -> float:
    return float(np.linalg.norm(one - other, axis=1).mean())


def _may_be_a_face(quality: FaceQuality) -> bool:
    worst = max(quality.recrop_change, quality.mirror_change)
    return worst <= HOPELESS and not quality.outside_person > OFF_PERSON


def _mean_scores(
    one: dict[str, float] | None, other: dict[str, float] | None
) -> dict[str, float] | None:
    if one is None or other is None:
        return one
    return {name: 0.5 * (one[name] + other[name]) for name in one}


def _swapped(name: str) -> str:
    """ARKit names end in their side; jawLeft and mouthLeft are directions and turn round too."""
    if name.endswith("Left"):
        return name.removesuffix("Left") + "Right"
    return name.removesuffix("Right") + "Left" if name.endswith("Right") else name


def _is_inside(candidate: Candidate, face: FaceObservation) -> bool:
    """Whether the candidate is the middle of a face already found, or a part of it."""
    left, top, right, bottom = face.box
    x, y = candidate.center
    return left < x < right and top < y < bottom and candidate.size < 2.0 * face.size


def _overlaps(face: FaceObservation, other: FaceObservation) -> bool:
    low = np.maximum(face.box[:2], other.box[:2])
    high = np.minimum(face.box[2:], other.box[2:])
    common = np.prod(np.clip(high - low, 0, None))
    return bool(common > 0.4 * min(face.size, other.size) ** 2)
