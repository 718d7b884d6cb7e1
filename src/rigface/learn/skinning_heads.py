"""The heads that JNR's weights are learned from: registered, in one frame, split."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from rigface.datasets.ict import IctFaceModel
from rigface.errors import InputError
from rigface.geometry.similarity import align_points
from rigface.io.scan import READERS, load_scan
from rigface.learn.ict_heads import CarriedIct, carry_ict, truncated_normal
from rigface.learn.population import symmetric
from rigface.rig.skin_metric import vertex_weights
from rigface.rig.template import Template

HEADS = 94
VALIDATION, TEST = 2, 7
LEAST_HEADS = 10


@dataclass(frozen=True)
class SkinningHeads:
    """Heads in the template's topology and frame, metres: training first, then validation, test."""

    vertices: Float[np.ndarray, "heads verts 3"]
    names: tuple[str, ...]
    validation: int
    test: int
    source: str
    skipped: tuple[str, ...] = ()
    """Files that could not be read, and why."""

    @property
    def train(self) -> Float[np.ndarray, "heads verts 3"]:
        """What is learned from."""
        return self.vertices[: len(self.vertices) - self.validation - self.test]

    @property
    def validated(self) -> Float[np.ndarray, "heads verts 3"]:
        """What decides when to stop."""
        end = len(self.vertices) - self.test
        return self.vertices[end - self.validation : end]

    @property
    def held_out(self) -> Float[np.ndarray, "heads verts 3"]:
        """What only reports see."""
        return self.vertices[len(self.vertices) - self.test :]

    def symmetrised(self, template: Template) -> "SkinningHeads":
        """Each head averaged with its mirror image."""
        return replace(self, vertices=symmetric(self.vertices, template))


def ict_skinning_heads(
    ict: IctFaceModel, template: Template, seed: int = 0, count: int = HEADS
) -> SkinningHeads:
    """`count` identities drawn once, with exact correspondences.

    Modes of ICT-FaceKit are symmetric or antisymmetric and the correspondence is its own mirror
    image, so averaging a head with its mirror image zeroes its antisymmetric modes.
    """
    carried = _upright(carry_ict(ict, template, seed=0), template)
    z = truncated_normal(np.random.default_rng(seed), (count, len(carried.modes)))
    names = tuple(f"ict_{index:02d}" for index in range(count))
    source = f"{count} identities of ICT-FaceKit (MIT), seed {seed}"
    return SkinningHeads(carried.heads(z), names, VALIDATION, TEST, source)


def _upright(carried: CarriedIct, template: Template) -> CarriedIct:
    """In the template's frame, its modes exactly symmetric or antisymmetric."""
    skin = template.parts["skin"].vertices
    face = template.regions["face"][skin]
    move = align_points(
        carried.mean[face],
        template.mesh.vertices[skin][face],
        vertex_weights(template)[face],
        with_scale=False,
    )
    even = symmetric(carried.modes, template)
    odd = carried.modes - even
    is_even = (even**2).sum((1, 2)) > (odd**2).sum((1, 2))
    modes = np.where(is_even[:, None, None], even, odd)
    return CarriedIct(
        symmetric(move.apply(carried.mean), template), modes @ move.rotation.T, carried.known
    )


def own_heads(folder: Path, template: Template) -> SkinningHeads:
    """Registered heads of a folder: the skin of the template, or `fit.ply` of `rigface scan`.

    Each is brought to the template's place and size over the face. A tenth is held out for the
    report, at least one head, and one for validation.

    Raises InputError for fewer than ten readable heads, or heads of different topologies.
    """
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in READERS)
    meshes, names, skipped = [], [], []
    for file in files:
        try:
            scan = load_scan(file)
        except InputError as error:
            skipped.append(f"{file.name}: {error}")
            continue
        meshes.append(scan)
        names.append(str(file.relative_to(folder)))
    _check_topology([len(m.vertices) for m in meshes], names, template)
    if len(meshes) < LEAST_HEADS:
        lost = f" {len(skipped)} more could not be read: {'; '.join(skipped)}" if skipped else ""
        raise InputError(
            f"{folder} holds {len(meshes)} readable heads; learning weights needs at least "
            f"{LEAST_HEADS}, or they would fit those few people only.{lost}"
        )
    skin = template.parts["skin"].vertices
    face = template.regions["face"][skin]
    rest, weight = template.mesh.vertices[skin], vertex_weights(template)[face]
    heads = []
    for scan in meshes:
        head = scan.vertices[skin]
        heads.append(align_points(head[face], rest[face], weight).apply(head))
    test = max(1, len(heads) // 10)
    source = f"{len(heads)} heads of {folder.name}"
    return SkinningHeads(np.stack(heads), tuple(names), 1, test, source, tuple(skipped))


def _check_topology(counts: list[int], names: list[str], template: Template) -> None:
    kinds = sorted(set(counts))
    if len(kinds) > 1:
        few = min(kinds, key=counts.count)
        odd = [name for name, count in zip(names, counts, strict=True) if count == few]
        raise InputError(
            f"the heads have different topologies: {', '.join(f'{k:,}' for k in kinds)} vertices; "
            f"for instance {odd[0]} has {few:,}. All have to be registered to one topology: run "
            "`rigface scan` on each and give its fit.ply."
        )
    skin = template.parts["skin"].vertices.stop
    eyes = [template.parts[f"eyeball.{side}"].vertices for side in ("L", "R")]
    known = (skin, skin + sum(e.stop - e.start for e in eyes), len(template.mesh.vertices))
    if kinds and kinds[0] not in known:
        raise InputError(
            f"the heads have {kinds[0]:,} vertices; expected the template's skin ({skin:,}, or "
            f"{known[1]:,} with eyeballs, as in fit.ply). Run `rigface scan` on each and give its "
            "fit.ply."
        )


def mixed_heads(
    heads: Float[np.ndarray, "heads verts 3"], count: int, rng: np.random.Generator
) -> Float[np.ndarray, "count verts 3"]:
    """New people: mean + sum of principal directions, as far as unseen heads go along them.

    The spread of the given heads along their own last directions is far below that of others
    (fewer heads than directions), so it is taken from each head in the directions of the rest.
    """
    rows = heads.reshape(len(heads), -1)
    mean = rows.mean(axis=0)
    left, sizes, directions = np.linalg.svd(rows - mean, full_matrices=False)
    del left
    spread = left_out_spread(rows)
    keep = sizes[: len(spread)] > 1e-9 * sizes[0]
    shares = rng.normal(size=(count, len(spread))) * spread * keep
    return (mean + shares @ directions[: len(spread)]).reshape(count, *heads.shape[1:])


def left_out_spread(rows: Float[np.ndarray, "heads numbers"]) -> Float[np.ndarray, " directions"]:
    """Root mean square of each head along the principal directions of the others, in their order.

    Through the Gram matrix: the directions of the others are combinations of their rows.
    """
    gram, count = rows @ rows.T, len(rows)
    total = np.zeros(count - 2)
    for out in range(count):
        others = np.delete(np.arange(count), out)
        centre = np.eye(count - 1) - 1 / (count - 1)
        inner = centre @ gram[np.ix_(others, others)] @ centre
        value, vector = np.linalg.eigh(inner)
        value, vector = value[::-1][: count - 2], vector[:, ::-1][:, : count - 2]
        # (head - mean of others) . direction, the direction being others^T centre vector / size
        towards = gram[others, out] - gram[np.ix_(others, others)].mean(axis=1)
        total += (vector.T @ (centre @ towards)) ** 2 / np.maximum(value, 1e-12 * value[0])
    return np.sqrt(total / count)
