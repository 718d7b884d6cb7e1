"""Face models on the shipped template, built once per process, and states to judge them at."""

from functools import lru_cache

import torch
from torch import Tensor

from rigface.models.asm import AsmModel
from rigface.models.face_model import FaceModel
from rigface.rig.rig import load_rig
from rigface.rig.template_io import load_template


@lru_cache(maxsize=8)
def asm(gaussians: int = 2, expressions: bool = False) -> AsmModel:
    """ASM in float64 on the CPU."""
    return AsmModel.build(load_template(), load_rig(k=gaussians), expressions)


def random_state(model: FaceModel, *batch: int, sigmas: float = 0.5, seed: int = 0) -> Tensor:
    """Gaussian offsets of so many sigmas of the parameter table."""
    generator = torch.Generator().manual_seed(seed)
    size = (*batch, model.table.size)
    draw = torch.randn(size, generator=generator, dtype=torch.float64)
    return sigmas * model.table.column("sigma") * draw


def block_direction(model: FaceModel, name: str, seed: int = 0) -> Tensor:
    """A random direction in one block of parameters, whitened by its sigma."""
    direction = random_state(model, sigmas=1.0, seed=seed)
    return direction * model.table.mask([name])
