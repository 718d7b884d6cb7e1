"""The networks inside the mediapipe 0.10.21 wheel: BlazeFace, attention mesh, selfie segmenter."""

import math
import warnings
from contextlib import nullcontext
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from rigface.perception.mediapipe_import import import_mediapipe, quiet_stderr
from rigface.perception.networks import MeshGuess, Proposal

_SCORE = 0.3
_NEIGHBOURS = 3
"""Faces looked for in one crop, so that a neighbour cannot take the middle one's place."""


class MediapipeNetworks:
    """`FaceNetworks` by mediapipe's legacy solutions; making it takes 0.1 s, importing it 0.6 s.

    Raises MissingExtraError if mediapipe is not installed.
    """

    first_scale = 2.2
    second_scale = 1.9

    def __init__(self) -> None:
        mediapipe = import_mediapipe()
        solutions = mediapipe.solutions
        self.source = f"mediapipe {mediapipe.__version__}"
        with quiet_stderr():
            self._detector = solutions.face_detection.FaceDetection(
                model_selection=0, min_detection_confidence=_SCORE
            )
            self._mesh = solutions.face_mesh.FaceMesh(
                static_image_mode=True,
                max_num_faces=_NEIGHBOURS,
                refine_landmarks=True,
                min_detection_confidence=_SCORE,
            )
            self._segmenter = solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
            blank = np.zeros((256, 256, 3), np.uint8)
            for solution in (self._detector, self._mesh, self._segmenter):
                _process(solution, blank)  # the graphs' threads greet only now
        self._has_greeted = False

    def propose(self, picture: UInt8[np.ndarray, "side side 3"]) -> list[Proposal]:
        """See `FaceNetworks`."""
        found = _process(self._detector, picture).detections or []
        proposals = [_proposal(detection) for detection in found]
        return sorted(proposals, key=lambda proposal: -proposal.score)

    def mesh(self, picture: UInt8[np.ndarray, "side side 3"]) -> list[MeshGuess]:
        """See `FaceNetworks`; this back-end has no presence score and no blendshapes."""
        # At the first face it warns about pictures that are not square; ours are.
        with nullcontext() if self._has_greeted else quiet_stderr():
            found = _process(self._mesh, picture).multi_face_landmarks or []
        self._has_greeted |= bool(found)
        return [
            MeshGuess(np.array([(mark.x, mark.y, mark.z) for mark in face.landmark], np.float64))
            for face in found
        ]

    def person(self, picture: UInt8[np.ndarray, "side side 3"]) -> Float[np.ndarray, "side side"]:
        """See `FaceNetworks`."""
        return _process(self._segmenter, picture).segmentation_mask


def _process(solution: Any, picture: UInt8[np.ndarray, "side side 3"]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # protobuf's deprecations
        return solution.process(picture)


def _proposal(detection: Any) -> Proposal:
    location = detection.location_data
    box = location.relative_bounding_box
    right_eye, left_eye = location.relative_keypoints[:2]
    return Proposal(
        center=(box.xmin + box.width / 2, box.ymin + box.height / 2),
        size=max(box.width, box.height),
        roll=math.atan2(left_eye.y - right_eye.y, left_eye.x - right_eye.x),
        score=float(detection.score[0]),
    )
