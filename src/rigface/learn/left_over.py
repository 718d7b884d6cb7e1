"""What the modes of a prior leave of heads that it was not learned from, along finer directions."""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float

from rigface.learn.evaluate import fit_modes
from rigface.learn.population import vertex_weights
from rigface.models.finer_identity import FinerDirections
from rigface.models.identity import AsmIdentity
from rigface.rig.template import Template


def left_variance(
    model: AsmIdentity,
    finer: FinerDirections,
    heads: Iterable[Float[np.ndarray, "verts 3"]],
    template: Template,
) -> Float[np.ndarray, " count"]:
    """Mean square of what is left of the heads along every direction, m^2.

    `heads` are skins in correspondence, aligned as a `Population` is; `model` has no expressions.
    Over `finer.size` this is `models.finer_identity.LEFT`, as long as the directions describe it.
    """
    face = template.regions["face"][template.parts["skin"].vertices]
    ids, weight = np.flatnonzero(face), vertex_weights(template)[face]
    root, squares = np.sqrt(finer.weight)[:, None], []
    for head in heads:
        miss = (head - fit_modes(model, head, ids, weight)[0])[finer.where]
        along = torch.from_numpy((root * miss).ravel()) @ finer.motion
        squares.append(along.square().numpy())
    return np.mean(squares, axis=0)
