"""How much of the skin a turning jaw takes along, learnt from the template's own jawOpen shape.

Bones of the lower face hold the outer skin only: the lining of the lip and the floor of the mouth
belong to the mouth's group bone, which does not turn. The shape knows better where the jaw acts.
"""

import numpy as np
from jaxtyping import Float

from rigface.geometry.similarity import align_points
from rigface.rig.template import Template


def jaw_share(template: Template) -> Float[np.ndarray, " verts"]:
    """0 where jawOpen leaves a vertex alone, 1 where it moves like the lower teeth.

    The teeth give the rigid motion of the jaw; a vertex's share is its offset's part along what
    that motion would do to it.
    """
    rest = template.mesh.vertices
    offset = np.zeros_like(rest)
    index, values = template.expressions.of("jawOpen")
    offset[index] = values
    teeth = template.parts["teeth.lower"].vertices
    rigid = align_points(rest[teeth], rest[teeth] + offset[teeth]).apply(rest) - rest
    along = (offset * rigid).sum(axis=1) / np.maximum((rigid * rigid).sum(axis=1), 1e-12)
    return np.clip(along, 0.0, 1.0)


def follow_jaw(
    weights: Float[np.ndarray, "verts joints"],
    share: Float[np.ndarray, " verts"],
    below_jaw: list[int],
    jaw: int,
    head: int,
) -> Float[np.ndarray, "verts joints"]:
    """Weights whose sum over the jaw and all joints below it is `share`.

    What is missing goes to `jaw` itself, taken from the joints that stay; what is too much goes
    to `head`, taken from those below the jaw.
    """
    out = weights.copy()
    held = out[:, below_jaw].sum(axis=1)
    grow = share > held
    stay = np.ones(out.shape[1], dtype=bool)
    stay[below_jaw] = False
    out[np.ix_(grow, stay)] *= ((1 - share) / np.maximum(1 - held, 1e-12))[grow, None]
    out[np.ix_(~grow, ~stay)] *= (share / np.maximum(held, 1e-12))[~grow, None]
    out[grow, jaw] += (share - held)[grow]
    out[~grow, head] += (held - share)[~grow]
    return out
