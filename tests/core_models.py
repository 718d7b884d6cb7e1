"""Face models on the shipped template, built once per process, and states to judge them at."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from scipy.spatial import Delaunay
from torch import Tensor

from rigface.models.asm import AsmModel, _surface_at
from rigface.models.face_model import FaceModel
from rigface.rig.chart import ChartLocator
from rigface.rig.rig import load_rig
from rigface.rig.template_io import load_template


@lru_cache(maxsize=8)
def asm(gaussians: int = 2, expressions: bool = False) -> AsmModel:
    """ASM in float64 on the CPU."""
    return AsmModel.build(load_template(), load_rig(k=gaussians), expressions)


@lru_cache(maxsize=8)
def coarse_asm(gaussians: int = 2, expressions: bool = False, step: int = 12) -> AsmModel:
    """All bones on every twelfth vertex, triangulated anew in the chart: cheap derivatives."""
    model = asm(gaussians, expressions)
    kept = torch.arange(0, len(model.template), step)
    template, chart = model.template[kept], model.chart[kept]
    triangles = np.ascontiguousarray(Delaunay(chart.numpy()).simplices, dtype=np.int64)
    faces = torch.from_numpy(triangles)
    locator = ChartLocator(chart.numpy(), triangles)
    anchor0, _ = _surface_at(locator, chart, faces, template, model.zeta0)
    return replace(
        model,
        faces=faces,
        template=template,
        chart=chart,
        locator=locator,
        anchor0=anchor0,
        shapes=model.shapes[:, kept],
    )


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
