"""MakeHuman's phenotype space: products of interpolated traits, as Anny evaluates it."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from .makehuman import HeadSource

TRAITS = {
    "race": ("african", "asian", "caucasian"),
    "gender": ("male", "female"),
    "age": ("newborn", "baby", "child", "young", "old"),
    "muscle": ("minmuscle", "averagemuscle", "maxmuscle"),
    "weight": ("minweight", "averageweight", "maxweight"),
    "height": ("minheight", "maxheight"),
    "proportions": ("idealproportions", "uncommonproportions"),
}
ANCHORS = {
    "gender": np.linspace(0, 1, 2),
    "age": np.linspace(-1 / 3, 1, 5),
    "muscle": np.linspace(0, 1, 3),
    "weight": np.linspace(0, 1, 3),
    "height": np.linspace(0, 1, 2),
    "proportions": np.linspace(0, 1, 2),
}
DEFAULT = {name: 0.5 for name in (*ANCHORS, *TRAITS["race"])}
"""Anny's default phenotype: every slider in the middle, age between child and young adult."""

NEWBORN_SCALE = np.array([0.922, 0.75, 0.922])
"""Anny makes the newborn by shrinking the baby; x, y, z here (Anny's own order is x, z, y)."""
NEWBORN_SHARE = 3.0
"""The three target families that a newborn sums over."""


@dataclass(frozen=True)
class MacroTargets:
    """All phenotype targets of the head, and which trait values each is a product of."""

    traits: tuple[tuple[str, ...], ...]
    offsets: np.ndarray
    """(targets, verts, 3) metres."""

    def weights(self, sliders: dict[str, float]) -> np.ndarray:
        """(targets,) coefficients of slider values, all in [0, 1] (age from -1/3)."""
        value = _trait_values(DEFAULT | sliders)
        return np.array([np.prod([value[trait] for trait in traits]) for traits in self.traits])

    def offset(self, sliders: dict[str, float]) -> np.ndarray:
        """(verts, 3) displacement of the raw base mesh."""
        return np.einsum("k,kvd->vd", self.weights(sliders), self.offsets)


def read_macro_targets(folder: Path, head: HeadSource) -> MacroTargets:
    """Universal, ancestry, height and proportion targets (breast targets leave the head alone)."""
    root = folder / "mpfb2/targets/macrodetails"
    traits, offsets = [], []
    for combination, name in _target_files():
        loaded = head.read_target(root / f"{name}.target.gz")
        if "newborn" in combination:
            shrink = (NEWBORN_SCALE - 1) / NEWBORN_SHARE
            loaded = NEWBORN_SCALE * loaded + shrink * head.vertices
        traits.append(combination)
        offsets.append(loaded)
    return MacroTargets(tuple(traits), np.stack(offsets))


def _target_files() -> list[tuple[tuple[str, ...], str]]:
    files = []
    build = [TRAITS[name] for name in ("gender", "age", "muscle", "weight")]
    for gender, age, muscle, weight in product(*build):
        source = "baby" if age == "newborn" else age
        body = (gender, age, muscle, weight)
        stem = f"{gender}-{source}-{muscle}-{weight}"
        files.append((body, f"universal-{stem}"))
        files += [((*body, height), f"height/{stem}-{height}") for height in TRAITS["height"]]
        if age not in ("newborn", "baby"):
            kinds = TRAITS["proportions"]
            files += [((*body, kind), f"proportions/{stem}-{kind}") for kind in kinds]
    for race, gender, age in product(TRAITS["race"], TRAITS["gender"], TRAITS["age"]):
        source = "baby" if age == "newborn" else age
        files.append(((race, gender, age), f"{race}-{gender}-{source}"))
    return files


def _trait_values(sliders: dict[str, float]) -> dict[str, float]:
    out = {}
    for name, anchors in ANCHORS.items():
        basis = np.eye(len(anchors))
        for trait, hat in zip(TRAITS[name], basis, strict=True):
            out[trait] = float(np.interp(sliders[name], anchors, hat))
    share = np.array([sliders[race] for race in TRAITS["race"]])
    total = share.sum()
    share = share / total if total > 0 else np.full(3, 1 / 3)
    return out | dict(zip(TRAITS["race"], share.tolist(), strict=True))
