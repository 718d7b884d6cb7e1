"""Plausible heads drawn from MakeHuman's sliders, and their principal directions.

Everything is linear in the targets, so one matrix product gives all heads; the corrections of
`neutral` are then applied to each, and each is moved rigidly onto the template's outer face.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rigface.geometry.mesh import face_areas, face_normals

from .makehuman import HeadSource
from .mouth import rigid_motion
from .neutral import Corrector
from .phenotype import ANCHORS, TRAITS, MacroTargets

HEADS = 900
HELD_OUT = 100
MODES = 48
SEED = 20240607
FOLDERS = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose")
ADULT_SHARE = 0.75
CHILD, ADULT = (0.3, 0.62), (0.62, 1.0)
"""Ranges of Anny's age slider: 0.33 is a child, 0.67 a young adult, 1 very old. Below 0.3 the
head shrinks to three quarters of the adult's, which no school child has."""
TRAIT_SIGMA = {"height": 0.08}
"""Of a slider around its middle; 0.2 for the others. Height scales the head by 40 % end to end."""
ONE_SIDED = 0.35
"""A one-sided slider (a square head, a round one) goes this much less far."""
SLIDER_SHARE, SLIDER_SIGMA = 0.5, 0.3
"""How many local sliders are off their middle, and how far, where 1 is MakeHuman's own end."""
SIDED_NOISE = 0.05
"""Difference between the two sides of a paired slider."""
ASYMMETRIC_HEADS, ASYM_SHARE, ASYM_SIGMA = 0.4, 0.25, 0.35
BACK_WEIGHT = 0.02
"""Area weight of skin that is no face, so that the whole head stays determined."""
MOST_FLIPPED = 0.002
"""Share of outer faces that a plausible head may turn by more than a right angle."""


@dataclass(frozen=True)
class Slider:
    """A local change: offsets at +1 and, where MakeHuman has them, at -1."""

    name: str
    plus: tuple[Path, ...]
    minus: tuple[Path, ...]
    """One file, or the files of the left and the right side."""


@dataclass(frozen=True)
class Population:
    """Principal directions of the accepted heads, relative to the template."""

    mean: np.ndarray
    modes: np.ndarray
    """(modes, verts, 3), one standard deviation each."""
    facts: dict


def build_population(
    folder: Path,
    fix: Corrector,
    macro: MacroTargets,
    template: np.ndarray,
    face: np.ndarray,
) -> Population:
    """Sample, correct, align, reject, decompose. `template` is the corrected neutral head and
    `face` the mask of the vertices that heads are aligned and weighted by."""
    rng = np.random.default_rng(SEED)
    raw = draw_heads(folder, fix.head, macro, rng)
    outer = face[fix.head.faces].all(axis=1)
    heads = []
    for head in raw:
        fixed = fix.rest(head)
        rotation, shift = rigid_motion(fixed[face], template[face])
        fixed = fixed @ rotation.T + shift
        if plausible(fixed, template, fix.head.faces[outer]):
            heads.append(fixed)
    samples = np.stack(heads) - template
    train, held_out = samples[:-HELD_OUT], samples[-HELD_OUT:]
    weight = vertex_weights(template, fix.head, face)
    mean, modes = decompose(train, weight)
    facts = {
        "drawn": len(raw),
        "accepted": len(heads),
        "held_out": len(held_out),
        "seed": SEED,
        "modes": len(modes),
        "held_out_rms_mm": round(1e3 * residual(held_out, mean, modes, weight, face), 3),
        "spread_rms_mm": round(1e3 * residual(held_out, mean, modes[:0], weight, face), 3),
    }
    return Population(mean, modes, facts)


def draw_heads(
    folder: Path, head: HeadSource, macro: MacroTargets, rng: np.random.Generator
) -> np.ndarray:
    """(heads, verts, 3) raw positions in metres."""
    phenotypes = np.array([macro.weights(draw_phenotype(rng)) for _ in range(HEADS)])
    out = head.vertices + np.tensordot(phenotypes, macro.offsets, axes=1)
    for slider in local_sliders(folder):
        plus = [head.read_target(path) for path in slider.plus]
        minus = [head.read_target(path) for path in slider.minus]
        value = draw_slider(rng, one_sided=not minus)
        for side in range(len(plus)):
            here = value + (rng.normal(0, SIDED_NOISE, HEADS) if len(plus) > 1 else 0)
            out += here.clip(0, 1)[:, None, None] * plus[side]
            if minus:
                out += (-here).clip(0, 1)[:, None, None] * minus[side]
    return out + _asymmetry(folder, head, rng)


def draw_phenotype(rng: np.random.Generator) -> dict[str, float]:
    """Slider values of one person; adults mostly, otherwise children from about five years."""
    low, high = ADULT if rng.random() < ADULT_SHARE else CHILD
    sigma = {name: TRAIT_SIGMA.get(name, 0.2) for name in ANCHORS}
    out = {name: float(np.clip(rng.normal(0.5, s), 0, 1)) for name, s in sigma.items()}
    out["gender"] = float(rng.beta(0.5, 0.5))
    out["age"] = float(rng.uniform(low, high))
    shares = rng.dirichlet(np.full(3, 0.7))
    return out | dict(zip(TRAITS["race"], shares.tolist(), strict=True))


def draw_slider(rng: np.random.Generator, one_sided: bool) -> np.ndarray:
    """(heads,) values in [-1, 1], or [0, 1] for a slider with one end."""
    value = rng.normal(0, SLIDER_SIGMA, HEADS) * (rng.random(HEADS) < SLIDER_SHARE)
    return (np.abs(value) * ONE_SIDED if one_sided else value).clip(-1, 1)


def local_sliders(folder: Path) -> list[Slider]:
    """The sliders of the head from MakeHuman's own list."""
    root = folder / "mpfb2/targets"
    table = json.loads((root / "target.json").read_text())
    out = []
    for group in FOLDERS:
        for category in table[group]["categories"]:
            ends = category.get("opposites")
            if ends is None and len(category["targets"]) > 1:
                continue  # eyefold-concave-convex: no table of which file is which end
            if ends is None:
                files = (tuple(root / group / f"{t}.target.gz" for t in category["targets"]), ())
            else:
                files = tuple(
                    tuple(root / group / f"{ends[f'{sign}-{side}']}.target.gz"
                          for side in ("left", "right", "unsided") if ends[f"{sign}-{side}"])
                    for sign in ("positive", "negative")
                )  # fmt: skip
            if all(path.exists() for end in files for path in end) and files[0]:
                out.append(Slider(category["name"], *files))
    return out


def plausible(points: np.ndarray, template: np.ndarray, faces: np.ndarray) -> bool:
    """No outer face turned over against the template."""
    turned = (face_normals(points, faces) * face_normals(template, faces)).sum(axis=1) < 0
    return bool(turned.mean() <= MOST_FLIPPED)


def vertex_weights(template: np.ndarray, head: HeadSource, face: np.ndarray) -> np.ndarray:
    """(verts,) areas on the face, `BACK_WEIGHT` of them on other skin, nothing elsewhere."""
    skin = head.faces[head.face_runs["skin"]]
    area = np.zeros(len(template))
    for corner in range(3):
        np.add.at(area, skin[:, corner], face_areas(template, skin) / 3)
    area *= np.where(face, 1.0, BACK_WEIGHT)
    return area / area.sum()


def decompose(samples: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and `MODES` modes of one standard deviation, orthogonal under the weights."""
    mean = samples.mean(axis=0)
    flat = (samples - mean) * np.sqrt(weight)[:, None]
    gram = np.einsum("avd,bvd->ab", flat, flat, optimize=True)
    value, vector = np.linalg.eigh(gram)
    lead = vector[:, ::-1][:, :MODES]
    # Largest entry positive: eigenvectors are defined up to sign.
    lead *= np.sign(lead[np.abs(lead).argmax(axis=0), np.arange(MODES)])
    modes = np.einsum("am,avd->mvd", lead, samples - mean, optimize=True)
    return mean, modes / np.sqrt(len(samples) - 1)


def residual(
    samples: np.ndarray, mean: np.ndarray, modes: np.ndarray, weight: np.ndarray, face: np.ndarray
) -> float:
    """Area-weighted RMS distance over the face after the best fit of the modes, metres."""
    root = np.sqrt(weight)[:, None]
    rest = (samples - mean) * root
    if len(modes):
        basis, _ = np.linalg.qr((modes * root).reshape(len(modes), -1).T)
        flat = rest.reshape(len(rest), -1)
        rest = (flat - (flat @ basis) @ basis.T).reshape(rest.shape)
    squared = (rest[:, face] ** 2).sum(axis=(1, 2)) / weight[face].sum()
    return float(np.sqrt(squared.mean()))


def _asymmetry(folder: Path, head: HeadSource, rng: np.random.Generator) -> np.ndarray:
    """Offsets of MakeHuman's `asym` targets, each used to one side on some of the heads."""
    out = np.zeros((HEADS, *head.vertices.shape))
    crooked = rng.random(HEADS) < ASYMMETRIC_HEADS
    for left in sorted((folder / "mpfb2/targets/asym").glob("asym-*-l.target.gz")):
        right = left.with_name(left.name.replace("-l.target", "-r.target"))
        value = rng.normal(0, ASYM_SIGMA, HEADS) * (rng.random(HEADS) < ASYM_SHARE) * crooked
        for sign, path in ((1, left), (-1, right)):
            out += (sign * value).clip(0, 1)[:, None, None] * head.read_target(path)
    return out
