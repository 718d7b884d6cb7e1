"""Heads of all ages and ancestries from Anny's phenotypes and local changes.

The package `anny` (Apache-2.0 code on CC0 MakeHuman data) is needed to draw them, never to use
what was learned. Its head skin has the template's vertices in the template's order.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from rigface.errors import InputError
from rigface.geometry.mesh import face_normals
from rigface.geometry.similarity import align_points
from rigface.rig.template import Template

AGE_GROUPS: dict[str, tuple[float, float]] = {
    "infant": (0.0, 0.2),
    "child": (0.2, 0.5),
    "adult": (0.5, 0.8),
    "old": (0.8, 1.0),
}
"""Ranges of Anny's age slider: 0 is a baby, 1/3 a child, 2/3 a young adult, 1 very old."""
ANCESTRIES = ("african", "asian", "caucasian", "mixed")
SPREAD = {"muscle": 0.2, "weight": 0.2, "height": 0.15, "proportions": 0.2}
"""Standard deviation of a slider around its middle."""
FACE_CHANGES = (
    "cheek", "chin", "ear", "eyebrows", "eye", "forehead", "head", "mouth", "neck", "nose",
)  # fmt: skip
LEFT_OUT = ("head-age-incr", "head-trans", "mouth-trans-out", "nose-trans-out", "neck-trans")
"""Whole-head shifts, one-sided mouths and noses, and what the age slider says already."""
SLIDER_SHARE, SLIDER_SIGMA, SIDED_NOISE = 0.5, 0.2, 0.05
"""How many local sliders are off their middle, how far, and how much left and right differ."""
SKULL_SHARE = 0.5
"""Sliders of the whole skull go this much less far: their ends are caricatures."""
ONE_SIDED = (
    "-fat-incr",
    "-cleft-incr",
    "-double-incr",
    "-bag-incr",
    "-nubian-incr",
    "-dimples-out",
)
MOST_FLIPPED = 0.002
"""Share of outer faces that a plausible head may turn over against the template."""


@dataclass(frozen=True)
class AnnyHeads:
    """Skins in the template's topology, metres, each with its group."""

    heads: Float[np.ndarray, "heads verts 3"]
    ages: tuple[str, ...]
    ancestries: tuple[str, ...]


def sample_anny(template: Template, per_group: int, seed: int) -> AnnyHeads:
    """`per_group` heads of every age group and ancestry, the sexes in turn.

    Each head is Anny's rest pose plus what the template corrected on Anny's default head (lids
    that clear the eyeballs, exact symmetry), turned and scaled with the head. Heads that turn skin
    over are drawn again.

    Raises InputError if `anny` is not installed.
    """
    draw = _AnnyDraw.open(template)
    heads, ages, ancestries = [], [], []
    for number, (age, ancestry) in enumerate(
        (age, ancestry) for age in AGE_GROUPS for ancestry in ANCESTRIES
    ):
        rng = np.random.default_rng([seed, number])
        found: list[np.ndarray] = []
        while len(found) < per_group:
            batch = draw.heads(age, ancestry, 2 * per_group, rng)
            found += [head for head in batch if draw.plausible(head)]
        heads += found[:per_group]
        ages += [age] * per_group
        ancestries += [ancestry] * per_group
    return AnnyHeads(np.stack(heads), tuple(ages), tuple(ancestries))


@dataclass(frozen=True)
class _AnnyDraw:
    model: object
    changes: tuple[str, ...]
    template: Float[np.ndarray, "verts 3"]
    raw: Float[np.ndarray, "verts 3"]
    """Anny's default head, aligned to the template."""
    face: np.ndarray
    outer_faces: np.ndarray

    @staticmethod
    def open(template: Template) -> "_AnnyDraw":
        try:
            import anny  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise InputError(
                "drawing Anny's heads needs the package `anny`: pip install anny==0.6.2"
            ) from error
        model = anny.Anny(
            rig="makehuman", topology="head", facial_actions="all", local_changes="all",
            phenotypes="all",
        )  # fmt: skip
        skin = template.parts["skin"].vertices
        rest, outer = template.mesh.vertices[skin], template.regions["outer"][skin]
        faces = template.mesh.faces[template.parts["skin"].faces]
        face = template.regions["face"][skin]
        raw = _rest(model, {}, {}, len(rest))[0]
        raw = align_points(raw[face], rest[face], with_scale=False).apply(raw)
        changes = tuple(n for n in model.local_change_labels if _moves_face(n))
        return _AnnyDraw(model, changes, rest, raw, face, faces[outer[faces].all(axis=1)])

    def heads(
        self, age: str, ancestry: str, count: int, rng: np.random.Generator
    ) -> Float[np.ndarray, "heads verts 3"]:
        """Random heads of one group, upright, corrected as the template is."""
        traits = {name: rng.normal(0.5, s, count).clip(0, 1) for name, s in SPREAD.items()}
        traits["age"] = rng.uniform(*AGE_GROUPS[age], count)
        traits["gender"] = (np.arange(count) % 2) * 0.7 + rng.uniform(0, 0.3, count)
        shares = _ancestry_shares(ancestry, count, rng)
        traits |= dict(zip(ANCESTRIES[:3], shares.T, strict=True))
        raw = _rest(self.model, traits, self._local(count, rng), len(self.template))
        out = []
        for head in raw:
            template_from_head = align_points(head[self.face], self.raw[self.face])
            back = template_from_head.inverse()
            corrected = template_from_head.apply(head) + self.template - self.raw
            # Back to its own size and place: scale is a variable of its own later on.
            out.append(back.apply(corrected))
        return np.stack(out)

    def plausible(self, head: np.ndarray) -> bool:
        normals = face_normals(self.template, self.outer_faces)
        turned = (face_normals(head, self.outer_faces) * normals).sum(axis=1) < 0
        return bool(turned.mean() <= MOST_FLIPPED)

    def _local(self, count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        out: dict[str, np.ndarray] = {}
        common: dict[str, np.ndarray] = {}
        for name in self.changes:
            plain = name[2:] if name[:2] in ("l-", "r-") else name
            if plain not in common:
                value = rng.normal(0, SLIDER_SIGMA, count) * (rng.random(count) < SLIDER_SHARE)
                value *= SKULL_SHARE if plain.startswith("head-") else 1.0
                common[plain] = np.abs(value) if name.endswith(ONE_SIDED) else value
            noise = rng.normal(0, SIDED_NOISE, count) if plain != name else 0.0
            out[name] = (common[plain] + noise).clip(-1, 1)
        return out


def _moves_face(name: str) -> bool:
    plain = name[2:] if name[:2] in ("l-", "r-") else name
    return plain.split("-")[0] in FACE_CHANGES and not plain.startswith(LEFT_OUT)


def _ancestry_shares(
    ancestry: str, count: int, rng: np.random.Generator
) -> Float[np.ndarray, "heads 3"]:
    """Mostly one ancestry (at least 70 %), or an even draw over all mixtures."""
    mixture = rng.dirichlet(np.ones(3), count)
    if ancestry == "mixed":
        return mixture
    pure = np.eye(3)[ANCESTRIES.index(ancestry)]
    return 0.7 * pure + 0.3 * mixture


def _rest(model, traits: dict, local: dict, verts: int) -> Float[np.ndarray, "heads verts 3"]:
    """Rest skins; Anny has +Z up and looks along -Y."""
    import torch

    def tensors(values: dict[str, np.ndarray]) -> dict:
        return {name: torch.as_tensor(v, dtype=model.dtype) for name, v in values.items()}

    with torch.no_grad():
        posed = model(phenotype_kwargs=tensors(traits), local_changes_kwargs=tensors(local))
    skin = posed["rest_vertices"][:, :verts].double().numpy()
    return skin[..., [0, 2, 1]] * [1.0, 1.0, -1.0]
