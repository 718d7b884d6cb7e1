"""A fitted model in front of its similarity, as the recipes of `fit` hand it on."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rigface.fit.eyeballs import Ball
from rigface.fit.stages import StageReport
from rigface.geometry.similarity import Similarity
from rigface.models.posed import PosedModel


@dataclass(frozen=True)
class Registration:
    """A fitted model and how it came about."""

    model: PosedModel
    x: Float[Tensor, " params"]
    reports: tuple[StageReport, ...]
    closure: Float[Tensor, " shapes"] | None = None
    """Expression weights of the shape space; the face model may have none, or others."""
    detail: Float[np.ndarray, "verts 3"] | None = None
    """Displacement layer on top of the model, in the fit frame."""
    eyeballs: dict[str, Ball] | None = None
    """By side, in the fit frame; None leaves their place to the lids."""

    @property
    def vertices(self) -> Float[np.ndarray, "verts 3"]:
        """Skin in the fit frame."""
        with torch.no_grad():
            skin = self.model.vertices(self.x).numpy()
        return skin if self.detail is None else skin + self.detail

    def fit_from_inner(self) -> Similarity:
        """The global similarity in front of the face model."""
        linear, translation = self.model.similarity(self.x)
        scale = float(torch.linalg.det(linear) ** (1 / 3))
        return Similarity(scale, (linear / scale).numpy(), translation.numpy())

    def expression(self, names: tuple[str, ...]) -> dict[str, float]:
        """Fitted weights of the named shapes above one percent."""
        own = None
        if "expression" in self.model.table:
            own = self.x[self.model.table.slices["expression"]]
        known = [w for w in (own, self.closure) if w is not None and len(w) == len(names)]
        if not known:
            return {}
        pairs = zip(names, known[0].tolist(), strict=True)
        return {name: weight for name, weight in pairs if weight > 0.01}
