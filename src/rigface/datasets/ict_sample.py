"""Plausible random heads of ICT-FaceKit, for benches, tests and training."""

import numpy as np
from jaxtyping import Float

from rigface.datasets.ict import IctFaceModel

_PAIRS = (
    "browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookUp", "eyeSquint",
    "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress", "mouthSmile",
    "mouthStretch", "mouthUpperUp", "noseSneer",
)  # fmt: skip
_SINGLES = (
    "browInnerUp", "cheekPuff", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthFunnel",
    "mouthLeft", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper",
)  # fmt: skip
_GAZE = {
    "gazeLeft": ("eyeLookOutLeft", "eyeLookInRight"),
    "gazeRight": ("eyeLookInLeft", "eyeLookOutRight"),
}

_UNITS: dict[str, tuple[str, ...]] = (
    {name: (f"{name}Left", f"{name}Right") for name in _PAIRS}
    | {name: (name,) for name in _SINGLES}
    | _GAZE
)
"""What is switched on together. `mouthClose` is left out: it means something only with jawOpen."""

_EXCLUSIVE = (
    {"eyeBlink", "eyeWide", "eyeSquint"},
    {"eyeLookUp", "eyeLookDown", "eyeBlink"},
    {"gazeLeft", "gazeRight"},
    {"browDown", "browOuterUp"},
    {"browDown", "browInnerUp"},
    {"jawLeft", "jawRight", "jawForward"},
    {"mouthLeft", "mouthRight"},
    {"mouthSmile", "mouthFrown", "mouthPucker", "mouthFunnel", "mouthStretch", "mouthDimple"},
    {"mouthRollLower", "mouthShrugLower", "mouthLowerDown", "mouthFunnel", "mouthPucker"},
    {"mouthRollUpper", "mouthShrugUpper", "mouthUpperUp", "mouthFunnel", "mouthPucker"},
    {"mouthPress", "jawOpen", "mouthFunnel"},
)
"""Muscles that oppose each other: at most one of each set."""

_WEIGHTS = (0.2, 0.9)
_ACTIVE = (2, 5)
_ONE_SIDED = 0.15


def sample_ict_head(
    model: IctFaceModel,
    rng: np.random.Generator,
    identity_sigma: float = 1.0,
    expression: bool = True,
) -> tuple[Float[np.ndarray, "verts 3"], Float[np.ndarray, " modes"], Float[np.ndarray, " shapes"]]:
    """A random person and expression: vertices (metres), identity and ICT expression weights.

    Identity weights are normal with `identity_sigma` standard deviations of the population. An
    expression has 2 to 5 active ARKit shapes with weights in [0.2, 0.9], mostly the same on both
    sides of the face, and never two that oppose each other.
    """
    identity = rng.normal(size=len(model.identity)) * model.identity_sigma * identity_sigma
    weights = np.zeros(len(model.expressions))
    if expression:
        names, matrix = model.arkit_matrix()
        weights = sample_arkit_weights(names, rng) @ matrix
    return model.vertices(identity, weights), identity, weights


def sample_arkit_weights(
    names: tuple[str, ...], rng: np.random.Generator
) -> Float[np.ndarray, " arkit"]:
    """Weights of a random expression over these ARKit shapes; see `sample_ict_head`."""
    index = {name: number for number, name in enumerate(names)}
    possible = [unit for unit, shapes in _UNITS.items() if all(name in index for name in shapes)]
    wanted = int(rng.integers(_ACTIVE[0], _ACTIVE[1] + 1))
    weights = np.zeros(len(names))
    chosen: set[str] = set()
    for unit in rng.permutation(possible).tolist():
        shapes = _UNITS[unit]
        room = wanted - int(np.count_nonzero(weights))
        if room == 0:
            break
        if len(shapes) > room or any(unit in rivals and rivals & chosen for rivals in _EXCLUSIVE):
            continue
        if len(shapes) == 2 and unit not in _GAZE and rng.random() < _ONE_SIDED:
            shapes = (shapes[int(rng.integers(2))],)
        weights[[index[name] for name in shapes]] = rng.uniform(*_WEIGHTS)
        chosen.add(unit)
    return weights
