"""The networks of the user's `face_landmarker.task`, run by LiteRT: no numpy pin, any platform.

The bundle has no segmenter; where mediapipe's wheel happens to be installed, the selfie segmenter
inside it is used without importing mediapipe, and the masks are those of the other back-end.
"""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.special import expit

from rigface.errors import InputError, MissingExtraError
from rigface.evidence.face_mesh import BROWS, MESH_COUNT, NOSE_RIDGE, RINGS, SKIN_COUNT
from rigface.perception.blaze_face import SIDE, decode
from rigface.perception.mediapipe_import import quiet_stderr
from rigface.perception.networks import MeshGuess, Proposal
from rigface.perception.task_bundle import read_task_bundle

_SCORE = 0.3
_MESH_SIDE = 256
_SEGMENTER = Path("modules/selfie_segmentation/selfie_segmentation.tflite")

SCORE_NAMES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft",
    "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft",
    "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft",
    "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen",
    "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower",
    "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)  # fmt: skip
"""ARKit's names in alphabetical order, without tongueOut; the first score is not a shape."""

SCORE_POINTS = tuple(
    sorted(
        {
            *BROWS,
            *NOSE_RIDGE,
            *range(SKIN_COUNT, MESH_COUNT),
            *(i for r in RINGS.values() for i in r),
        }
    )
)
"""The 146 landmarks that the score network reads: contours, irises and the ridge of the nose."""


class LitertNetworks:
    """`FaceNetworks` by ai-edge-litert on the three networks of a `face_landmarker.task`.

    Raises MissingExtraError if ai-edge-litert is not installed and InputError if the bundle
    cannot be used; an unknown checksum only warns.
    """

    first_scale = 1.5
    second_scale = 1.5

    def __init__(self, task: str | Path) -> None:
        bundle = read_task_bundle(task)
        self._detector = _Network(bundle.detector, task)
        self._landmarks = _Network(bundle.landmarks, task)
        self._scores = _Network(bundle.blendshapes, task)
        self._segmenter = _wheel_segmenter()
        self.source = f"litert {version('ai-edge-litert')}, task {bundle.sha256[:8]}"

    def propose(self, picture: UInt8[np.ndarray, "side side 3"]) -> list[Proposal]:
        """See `FaceNetworks`."""
        found = self._detector.run(_resized(picture, SIDE) * 2.0 - 1.0)
        regressors, logits = (found[0], found[1]) if found[0].size > 896 else (found[1], found[0])
        return decode(regressors.reshape(896, 16).astype(np.float64), logits.reshape(896), _SCORE)

    def mesh(self, picture: UInt8[np.ndarray, "side side 3"]) -> list[MeshGuess]:
        """See `FaceNetworks`; one mesh, or none where the network says that there is no face."""
        outputs = self._landmarks.run(_resized(picture, _MESH_SIDE))
        points, logit = None, None
        for output in outputs:
            if output.size == 3 * MESH_COUNT:
                points = output.reshape(MESH_COUNT, 3).astype(np.float64) / _MESH_SIDE
            elif output.ndim == 4:
                logit = float(output.ravel()[0])
        assert points is not None and logit is not None
        if logit < 0.0:
            return []
        scores = self._scores.run((points[list(SCORE_POINTS), :2] * _MESH_SIDE)[None])[0].ravel()
        named: dict[str, float] = dict(
            zip(SCORE_NAMES[1:], scores[1:].astype(float).tolist(), strict=True)
        )
        return [MeshGuess(points, float(expit(logit)), named)]

    def person(
        self, picture: UInt8[np.ndarray, "side side 3"]
    ) -> Float[np.ndarray, "side side"] | None:
        """See `FaceNetworks`."""
        if self._segmenter is None:
            return None
        probability = self._segmenter.run(_resized(picture, 256))[0].reshape(256, 256)
        image = Image.fromarray(probability.astype(np.float32))
        side = picture.shape[0]
        return np.array(image.resize((side, side), Image.Resampling.BILINEAR))


class _Network:
    """One TensorFlow Lite network with one input."""

    def __init__(self, content: bytes, task: str | Path) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingExtraError(
                "The detector 'litert' needs ai-edge-litert. Install it with: "
                'pip install "rigface[litert]", or give the points yourself: --landmarks FILE '
                "with 68 or 478 of them."
            ) from error
        try:
            with quiet_stderr():
                self._interpreter: Any = Interpreter(model_content=content)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InputError(
                f"a network inside {task} cannot be loaded ({str(error)[:80]}). Give an unchanged "
                "face_landmarker.task."
            ) from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [each["index"] for each in self._interpreter.get_output_details()]

    def run(self, values: Float[np.ndarray, "1 ..."]) -> list[np.ndarray]:
        self._interpreter.set_tensor(self._input, values.astype(np.float32))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def _wheel_segmenter() -> _Network | None:
    found = find_spec("mediapipe")
    for folder in found.submodule_search_locations or () if found else ():
        path = Path(folder) / _SEGMENTER
        if path.is_file():
            return _Network(path.read_bytes(), path)
    return None


def _resized(picture: UInt8[np.ndarray, "side side 3"], side: int) -> Float[np.ndarray, "1 a b 3"]:
    """The picture as the networks want it: one of a batch, values 0 to 1."""
    image = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32)[None] / 255.0
