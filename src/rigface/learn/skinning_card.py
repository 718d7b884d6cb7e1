"""The model card of learned JNR weights, written from the facts in their file."""

from rigface.models.jnr_asset import Skinning
from rigface.models.patch_decoder import PatchDecoder


def _decoder(learned: Skinning) -> str:
    if isinstance(learned.decoder, PatchDecoder):
        patches, units = len(learned.decoder.outputs), learned.decoder.hidden.shape[1]
        return (
            "Decoder: fields of a code solved\nfor in turns with joints and codes, cut to "
            f"{units:,} units of {patches} patches of the skin by singular values, then"
        )
    return "Decoder:"


def skinning_card(learned: Skinning) -> str:
    """Markdown: what it is, data, recipe, figures, limits."""
    facts = learned.facts
    train, validation, test = facts["heads"]
    linear, neural = facts["recipe"]["linear"], facts["recipe"]["neural"]
    errors = ", ".join(f"{name} {value:.3f} mm" for name, value in facts["held_out_mm"].items())
    decoder = (
        f"and a decoder of {facts['decoder_floats']:,} numbers from a code of "
        f"{learned.decoder.codes}"
        if learned.decoder is not None
        else "and no decoder"
    )
    levers = "" if learned.lever is None else f" + {learned.lever.size}"
    skipped = "".join(f"\n- skipped: {line}" for line in facts["skipped"])
    return f"""# Model card of the JNR skinning weights

Learned skinning weights of the 52-joint JNR rig on the shipped template:
{facts["free_weights"]:,} free weights (left and right share theirs) {decoder}. Made by
`rigface train skinning`, which wrote this card.

## Size

Counted as in the paper: template vertices count, faces and names do not; levers of the joints do.
Linear: {3 * len(learned.rest):,} + {facts["free_weights"]:,}{levers} =
{facts["linear_floats"]:,} floats; all: {facts["floats"]:,}. The paper has 24.7K and 225.4K for
5,236 vertices. Ours are {len(learned.rest):,} with more influences each: scaled by vertices the
paper's sizes would be {24.7 * len(learned.rest) / 5236:.1f}K and
{225.4 * len(learned.rest) / 5236:.1f}K.

## Data

{facts["source"]}; {train} for training, {validation} for validation, {test} held out; each averaged
with its mirror image, because a symmetric rig can show no other.{skipped}

## Recipe

Rest shape: mean of the training heads. Linear weights: {linear["cycles"]} turns of joints
(Levenberg-Marquardt) and weights (least squares on the simplex). {_decoder(learned)}
{neural["autoencoder_steps"]:,} steps of autoencoder and {neural["gan_steps"]:,} of adversarial
fine-tuning on {facts["recipe"]["sets"]["sets"]:,} synthetic weight sets, then
{neural["vertex_steps"]:,} steps on vertices, of the training heads and {facts["recipe"]["mixed"]}
people drawn from their directions. Seed {facts["recipe"]["seed"]}.

## Figures

Mean distance over all skin vertices of the held-out heads, symmetrised, with known
correspondences: {errors}.

## Limits

A code changes who a face can be, not what it does; expressions come on top. Weights of a person's
own need that person's geometry: from a photo alone the linear weights are the safer choice.
"""
