"""What a depth run leaves behind: the files of a scan, a texture, and a line for each frame."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rigface.fit.depth import DepthResult
from rigface.fit.depth_fusion import FramePlace
from rigface.fit.texture import Dressed
from rigface.progress import Progress
from rigface.report.outputs import write_outputs


def write_depth_outputs(
    result: DepthResult,
    out: Path | str,
    dressed: Dressed | None = None,
    rig: str = "baked",
    save: Sequence[str] = ("glb",),
    progress: Progress | None = None,
    unread: Mapping[str, str] | None = None,
) -> None:
    """face.glb, fit.ply (frame of the reference camera, metres), params.safetensors, report.html,
    result.json, texture.png with a texture, and what `save` asks for.

    `unread` are files that gave no frame, and why.
    """
    refused = [FramePlace(name, False, why, None) for name, why in (unread or {}).items()]
    more = {
        "frames": [frame_row(place) for place in (*result.frames, *refused)],
        "reference": result.frames[result.reference].name,
        "frame": "camera of the reference: x right, y down, z forward, metres",
    }
    write_outputs(result.scan, out, rig, save, progress, dressed, more)


def frame_row(place: FramePlace) -> dict[str, Any]:
    """A frame in result.json; null where nothing was measured."""
    pose = place.reference_from_frame
    return {
        "name": place.name,
        "used": place.used,
        "reason": place.reason,
        "reference_from_frame": None if pose is None else pose.matrix().tolist(),
        "on_surface": _number(place.share),
        "median_mm": _number(place.median_mm),
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
