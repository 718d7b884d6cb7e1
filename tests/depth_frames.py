"""Depth frames of a head that is known exactly: rendered, then spoiled as a sensor spoils them."""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from synthetic_fits import SHORT, random_head

from rigface.cameras import Camera, looking_at
from rigface.evidence.depth import DepthFrame
from rigface.fit.depth import SENSOR, DepthConfig, DepthResult, fit_depth
from rigface.geometry.similarity import Similarity
from rigface.render.rasterise import rasterise
from rigface.rig.template_io import load_template

SIZE = (160, 200)
QUICK = DepthConfig(
    samples=1000,
    registration=replace(
        SENSOR, fine_steps=SHORT.fine_steps, bone_steps=SHORT.bone_steps, repair_rounds=1
    ),
)


@dataclass(frozen=True)
class Shot:
    """A frame and where its camera stood."""

    frame: DepthFrame
    cam_from_model: Similarity


def camera_at(side: float, height: float = -0.02, distance: float = 0.35) -> Camera:
    """A camera `side` metres beside the face's axis, looking at the face."""
    return looking_at((0.0, -0.03, 0.05), (side, height, distance + 0.05), 210.0, SIZE)


def shot(side: float = 0.0, seed: int = 0, noise: float = 0.0003, spoiled: bool = True) -> Shot:
    """One frame of a head: noise, steps of 1/8 mm, holes, flying pixels, and a wall behind."""
    vertices = torch.from_numpy(random_head(0))
    camera = camera_at(side)
    depth = rasterise(vertices, torch.from_numpy(load_template().mesh.faces), camera).depth
    depth = depth.double().numpy()
    head = np.isfinite(depth)
    depth[~head] = 1.5
    if spoiled:
        rng = np.random.default_rng(seed)
        depth = depth + noise * rng.standard_normal(depth.shape)
        edge = head & ~np.roll(head, 1, axis=1)
        depth[edge] = 0.5 * (depth[edge] + 1.5)
        depth = np.round(depth * 8000) / 8000
        depth[rng.random(depth.shape) < 0.01] = np.nan
        depth[95:100, 70:78] = np.nan
    still = Camera(
        camera.focal, camera.centre, SIZE, torch.eye(3).double(), torch.zeros(3).double()
    )
    pose = Similarity(1.0, camera.rotation.numpy(), camera.translation.numpy())
    return Shot(DepthFrame(depth, still), pose)


@lru_cache(maxsize=1)
def fitted_shot() -> DepthResult:
    """The spoiled frame fitted with a short schedule."""
    return fit_depth([shot().frame], QUICK)


def write_png(path: Path, frame: DepthFrame, **more: object) -> Path:
    """A 16-bit PNG in tenths of millimetres and the JSON of its name; `more` overrides keys."""
    codes = np.round(np.nan_to_num(frame.depth, nan=0.0) * 1e4).astype(np.uint16)
    Image.fromarray(codes).save(path)
    width, height = frame.camera.size
    (fx, fy), (cx, cy) = frame.camera.focal.tolist(), frame.camera.centre.tolist()
    content = (
        dict(fx=fx, fy=fy, cx=cx, cy=cy, width=width, height=height, depth_scale=1e-4, **{}) | more
    )
    path.with_suffix(".json").write_text(json.dumps(content))
    return path
