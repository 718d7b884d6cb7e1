"""`train_skinning`: registered heads in; learned weights, a decoder and their model card out."""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.errors import InputError
from rigface.io.atomic import atomic_file
from rigface.learn.code_basis import CodeBasisConfig, learn_code_basis, sets_in_span
from rigface.learn.head_fit import HeadFit, fit_heads, vertex_errors
from rigface.learn.levers import LeverConfig, choose_levers, evened
from rigface.learn.linear_skinning import (
    LinearConfig,
    learn_linear,
    symmetric_variables,
)
from rigface.learn.neural_skinning import NeuralConfig, PatchStart, fit_with_code, train_neural
from rigface.learn.patch_fit import PATCHES, patch_decoder, skin_patches
from rigface.learn.skinning_card import skinning_card
from rigface.learn.skinning_heads import SkinningHeads, mixed_heads
from rigface.learn.stepper import ALONE, LOG, Ranks
from rigface.learn.support import Say
from rigface.learn.weight_sets import (
    WeightSetConfig,
    WeightSets,
    make_weight_sets,
    person_joints,
)
from rigface.models.jnr import JnrModel
from rigface.models.jnr_asset import (
    Skinning,
    field_of,
    load_jnr,
    load_jnr_rig,
    read_skinning,
    write_skinning,
)
from rigface.models.weight_field import WeightField, half_of
from rigface.progress import NullProgress, Progress
from rigface.rig.jnr_weights import SymmetricWeights
from rigface.rig.template import Template
from rigface.solve.threads import one_thread

Stage = Literal["linear", "neural"]


@dataclass(frozen=True)
class SkinningRecipe:
    """Everything that decides the file, beside the heads."""

    linear: LinearConfig = LinearConfig()
    lever: LeverConfig | None = LeverConfig()
    """None: joints without levers, as in the paper."""
    sets: WeightSetConfig = WeightSetConfig()
    code_basis: CodeBasisConfig | None = CodeBasisConfig()
    """Weight sets in the span of one basis for everybody, and a decoder by patches; none: each
    person's own weights and a decoder by groups, as the paper."""
    floats: int = 226_000
    """Of the whole file at most, where the decoder goes by patches."""
    patches: int = PATCHES
    """Of the half of the skin."""
    neural: NeuralConfig = NeuralConfig(autoencoder_steps=1_000, gan_steps=100, vertex_steps=15_000)
    """The decoder by patches starts where the paper's phases are to lead."""
    mixed: int = 515
    """People drawn from the directions of the training heads, besides these."""
    seed: int = 0


PAPER = SkinningRecipe(lever=None, code_basis=None, neural=NeuralConfig())
"""Section 3.2 as printed."""


def train_skinning(
    heads: SkinningHeads,
    template: Template,
    out: Path,
    folder: Path,
    recipe: SkinningRecipe = SkinningRecipe(),
    stage: Stage = "neural",
    progress: Progress | None = None,
    say: Say = lambda text: None,
    ranks: Ranks = ALONE,
) -> Skinning:
    """Learn from symmetrised `heads` and write `out` (safetensors) and its model card (.md).

    `folder` takes the log and what a killed run continues from. Raises InputError if it belongs to
    other heads or another recipe, or holds a damaged file.
    """
    watch = NullProgress() if progress is None else progress
    even = heads.symmetrised(template)
    folder.mkdir(parents=True, exist_ok=True)
    _same_run(folder, {"recipe": asdict(recipe), "source": heads.source, "names": heads.names})
    with watch.stage("linear"), one_thread():
        learned = _linear(even, template, folder, recipe, say)
    if stage == "neural":
        with watch.stage("weight sets"), one_thread():
            model = load_jnr(template, "jnr-linear", skinning=learned)
            made = _sets(even, model, learned, folder, recipe, say)
        with watch.stage("neural"), one_thread():
            half = model.at(half_of(learned.weights.mirror)).to(torch.float32)
            trained = train_neural(
                half,
                made.pool,
                made.x,
                made.sets,
                folder,
                recipe.neural,
                ranks,
                say,
                start=made.start,
            )
            assert trained is not None
        facts = {**learned.facts, "neural_cpu_s": round(trained[1])}
        learned = replace(learned, decoder=trained[0], facts=facts)
    with watch.stage("evaluate"), one_thread():
        learned = replace(learned, facts=_facts(learned, even, heads, template, recipe))
    if ranks.rank == 0:
        write_skinning(out, learned)
        with atomic_file(out.with_suffix(".md")) as partial:
            partial.write_text(skinning_card(learned), encoding="utf-8")
    return learned


def spatial_order(
    weights: SymmetricWeights, rest: Float[np.ndarray, "verts 3"]
) -> Int[np.ndarray, " free"]:
    """Free weights sorted by joint and, within a joint, along a curve that keeps neighbours close.

    The decoder deals its outputs to groups that share a matrix, so that neighbours, which want
    nearly the same numbers, get them from the same columns.
    """
    low, high = rest.min(axis=0), rest.max(axis=0)
    cell = ((rest - low) / (high - low) * 1023).astype(np.int64)
    curve = np.zeros(len(rest), dtype=np.int64)
    for bit in range(10):
        for axis in range(3):
            curve |= (cell[:, axis] >> bit & 1) << (3 * bit + axis)
    return np.lexsort((curve[weights.vertex], weights.joint))


def held_out_errors(
    learned: Skinning,
    heads: Float[np.ndarray, "heads verts 3"],
    template: Template,
    asymmetric: bool = False,
) -> dict[str, Float[np.ndarray, "heads verts"]]:
    """Millimetres per vertex of each kind of weights, all on the learned rest shape."""
    targets = torch.from_numpy(heads).float()
    rig = load_jnr_rig(template)
    initial = replace(learned, weights=rig.weights, decoder=None, lever=None)
    out = {}
    for name, skinning in (("initial", initial), ("linear", learned)):
        model = load_jnr(template, "jnr-linear", asymmetric, skinning=skinning).to(torch.float32)
        free = None if asymmetric else symmetric_variables(model)
        x = fit_heads(model, targets, model.table.zeros(len(targets)).float(), HeadFit(15), free)
        out[name] = vertex_errors(model, targets, x).double().numpy()
    if learned.decoder is not None:
        linear = load_jnr(template, "jnr-linear", asymmetric, skinning=learned).to(torch.float32)
        neural = load_jnr(template, "jnr-neural", asymmetric, skinning=learned).to(torch.float32)
        free = None if asymmetric else symmetric_variables(neural)
        x = fit_with_code(linear, neural, targets, free)
        out["neural"] = vertex_errors(neural, targets, x).double().numpy()
    return out


def _linear(
    heads: SkinningHeads, template: Template, folder: Path, recipe: SkinningRecipe, say: Say
) -> Skinning:
    path = folder / "linear.safetensors"
    if path.is_file():
        return read_skinning(path, template)
    rig = load_jnr_rig(template)
    model, began = load_jnr(template, "jnr"), time.process_time()
    found = learn_linear(heads.train, model, rig.weights, recipe.linear, say)
    weights = found.weights.reordered(spatial_order(found.weights, found.rest))
    lever = None
    if recipe.lever is not None:
        weights = evened(weights, recipe.lever.even)
        lever = choose_levers(weights, recipe.lever)
    seconds = round(time.process_time() - began)
    facts = {"train_mm": list(found.errors), "linear_cpu_s": seconds}
    learned = Skinning(found.rest, weights, None, lever, facts)
    write_skinning(path, learned)
    # what is read back is in single precision: a resumed run must see the same
    return read_skinning(path, template)


@dataclass(frozen=True)
class _Sets:
    """What the decoder is trained with: heads of the left half, their joints, weight sets."""

    pool: Float[Tensor, "heads half 3"]
    x: Float[Tensor, "heads params"]
    sets: WeightSets
    start: PatchStart | None


def _sets(
    heads: SkinningHeads,
    model: JnrModel,
    learned: Skinning,
    folder: Path,
    recipe: SkinningRecipe,
    say: Say,
) -> _Sets:
    """Made once per run folder."""
    path, mirror = folder / "sets.pt", learned.weights.mirror
    half = half_of(mirror)
    small = model.at(half).to(torch.float32)
    field = None if recipe.code_basis is None else field_of(model, mirror).to(torch.float32)
    if path.is_file():
        try:
            kept = torch.load(path, weights_only=True)
        except Exception as error:  # what a damaged archive raises is not documented
            raise InputError(
                f"{path} cannot be read; it may be truncated. Remove it to make the sets again."
            ) from error
    else:
        kept = _made(heads, small, half, field, recipe, say)
        with atomic_file(path) as partial:
            torch.save(kept, partial)
    start = None
    if field is not None:
        patch = skin_patches(small.rest, kept["fields"], recipe.patches, recipe.seed)
        room = recipe.floats - learned.linear_floats
        decoder = patch_decoder(kept["fields"], patch, room)
        start = PatchStart(decoder, field, kept["code"])
    return _Sets(kept["pool"], kept["x"], WeightSets(**kept["sets"]), start)


def _made(
    heads: SkinningHeads,
    small: JnrModel,
    half: Tensor,
    field: WeightField | None,
    recipe: SkinningRecipe,
    say: Say,
) -> dict[str, Any]:
    rng = np.random.default_rng(recipe.seed)
    pool = np.concatenate([heads.train, mixed_heads(heads.train, recipe.mixed, rng)])
    targets = torch.from_numpy(pool)[:, half].float()
    free = symmetric_variables(small)
    generator = torch.Generator().manual_seed(recipe.seed)
    if recipe.code_basis is not None:
        assert field is not None
        basis = learn_code_basis(small, field, targets, free, recipe.code_basis, say)
        count, spread = recipe.sets.sets, recipe.code_basis.spread
        sets = sets_in_span(basis, field, count, generator, spread)
        made = {"x": basis.x, "code": basis.code, "fields": basis.fields}
        return {"pool": targets, "sets": vars(sets), **made}
    # joints are few: every third vertex finds them as well as all
    few = torch.arange(0, targets.shape[1], 3)
    start, first = small.table.zeros(len(targets)).float(), HeadFit(recipe.linear.first_steps)
    x = fit_heads(small.at(few), targets[:, few], start, first, free)
    say(f"{len(pool)} heads: {float(vertex_errors(small, targets, x).mean()):.3f} mm")
    joints = person_joints(small.at(few), targets[:, few], x, free, recipe.sets)
    sets = make_weight_sets(small, targets, joints, recipe.sets, generator, say)
    return {"pool": targets, "x": joints[-1], "sets": vars(sets)}


def _facts(
    learned: Skinning,
    even: SkinningHeads,
    heads: SkinningHeads,
    template: Template,
    recipe: SkinningRecipe,
) -> dict[str, Any]:
    errors = held_out_errors(learned, even.held_out, template)
    return {
        **learned.facts,
        "source": heads.source,
        "heads": [len(even.train), heads.validation, heads.test],
        "skipped": list(heads.skipped),
        "recipe": asdict(recipe),
        "free_weights": len(learned.weights),
        "decoder_floats": 0 if learned.decoder is None else learned.decoder.floats,
        "linear_floats": learned.linear_floats,
        "floats": learned.floats,
        "held_out_mm": {name: round(float(e.mean()), 4) for name, e in errors.items()},
    }


def _same_run(folder: Path, run: dict[str, Any]) -> None:
    """The folder's run.json, or the InputError that says it is another run's."""
    path = folder / "run.json"
    text = json.dumps(run, sort_keys=True, default=list)
    if path.is_file():
        if path.read_text(encoding="utf-8") != text:
            raise InputError(
                f"{folder} holds a run with other heads or another recipe; give another --run "
                f"folder, or remove this one (its log is {LOG}) to start again."
            )
        return
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
