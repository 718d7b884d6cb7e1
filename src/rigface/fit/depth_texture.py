"""The colour pictures of depth frames cast onto the fitted face as its texture."""

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import map_coordinates

from rigface.cameras import Camera
from rigface.errors import InputError
from rigface.evidence.depth import DepthFrame
from rigface.fit.depth import DepthResult
from rigface.fit.depth_cloud import find_person
from rigface.fit.texture import Dressed
from rigface.geometry.similarity import Similarity
from rigface.render.texture import TextureView, encode, unwrap

_MOST = 8
"""Pictures that are used, spread over the sequence."""


def dress_depth(result: DepthResult, size: int = 1024) -> Dressed | None:
    """Unwrap the colour pictures of the frames that took part; None if there are none."""
    used = []
    for frame, place in zip(result.evidence, result.frames, strict=True):
        if place.reference_from_frame is not None and frame.pixels is not None:
            used.append((frame, place.reference_from_frame))
    if not used:
        return None
    chosen = np.unique(np.linspace(0, len(used) - 1, min(_MOST, len(used))).round().astype(int))
    views = [texture_view(frame, pose, result) for frame, pose in (used[i] for i in chosen)]
    try:
        texture = unwrap(result.scan.template, views, size)
    except InputError:  # no picture shows the skin: the plain colours stay
        return None
    return Dressed(texture, encode(texture.image, "jpeg"), None)


def texture_view(frame: DepthFrame, pose: Similarity, result: DepthResult) -> TextureView:
    """One picture without lens distortion, its camera before the head in model space.

    `pose` is reference_from_frame. Where the person was not measured no colour is taken.
    """
    assert frame.pixels is not None
    pixels, mask = rectified(frame, frame.pixels, find_person(frame).kept)
    factor = frame.pixels.shape[1] / frame.depth.shape[1]
    model = pose.inverse() @ result.scan.scan_from_model
    camera = Camera(
        frame.camera.focal * factor,
        frame.camera.centre * factor,
        (frame.pixels.shape[1], frame.pixels.shape[0]),
        torch.from_numpy(np.ascontiguousarray(model.rotation)),
        torch.from_numpy(np.ascontiguousarray(model.translation)),
    )
    return TextureView(pixels, camera, result.scan.head.vertices, mask)


def rectified(
    frame: DepthFrame,
    pixels: UInt8[np.ndarray, "rows columns 3"],
    kept: Bool[np.ndarray, "height width"],
) -> tuple[UInt8[np.ndarray, "rows columns 3"], Bool[np.ndarray, "rows columns"]]:
    """Picture and mask as a pinhole camera would have them, both of the picture's size."""
    rows, columns = np.indices(pixels.shape[:2])
    factor = kept.shape[1] / pixels.shape[1]
    at: Float[np.ndarray, "rows columns 2"] = factor * (np.stack([columns, rows], axis=-1) + 0.5)
    if frame.lens is not None:
        at = frame.lens.seen(at)
    row, column = np.moveaxis(np.floor(at[..., ::-1]).astype(int), -1, 0)
    height, width = kept.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    mask = inside & kept[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    if frame.lens is None:
        return pixels, mask
    where = np.moveaxis(at[..., ::-1] / factor - 0.5, -1, 0)
    channels = [
        map_coordinates(pixels[..., channel].astype(np.float32), where, order=1, mode="nearest")
        for channel in range(3)
    ]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8), mask
