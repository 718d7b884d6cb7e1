"""`rigface depth DEPTH... -o DIR`: frames of a depth camera become a rigged face."""

import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from rigface.cli.checks import check_rig_detail
from rigface.cli.messages import conclude
from rigface.cli.scan import Formats, ModelChoice
from rigface.cli.scan import describe as describe_scan
from rigface.errors import UsageError
from rigface.progress import open_progress


@dataclass(frozen=True)
class DepthCommand:
    """Fit one head to one or several depth frames of a person who holds still, and write face.glb,
    fit.ply, params.safetensors, report.html and result.json."""

    frames: Annotated[
        tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(name="depth", metavar="DEPTH...")
    ]
    """16-bit PNG with intrinsics beside them, or TrueDepth PLY frames; in the order taken."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the results; created if it does not exist."""
    intrinsics: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """JSON with fx, fy, cx, cy, width, height, depth_scale; default: the JSON of the frame's name,
    else intrinsics.json beside it."""
    expression: Literal["neutral", "fit"] = "neutral"
    """Take the face as neutral, or fit its expression too."""
    model: ModelChoice = "asm"
    """Adaptive skinning model, a linear 3DMM, or the joint rig JNR with its initial weights,
    learned ones, or learned ones and a decoder."""
    k: Literal[1, 2, 3, 4, 5] = 2
    """Gaussians per bone of the skinning weights (ASM)."""
    lod: Literal[0, 1, 2] = 0
    """Level of detail of the skin: 4k, 17k or 67k vertices."""
    rig: Literal["baked", "asm"] = "baked"
    """Joints of face.glb: rigid ones on the fitted mesh, or the model's exact hierarchy."""
    save: Formats = ("glb",)
    """Formats of the rigged head (face.*). The report, the numbers, fit.ply and the parameters
    are always written."""
    plain: bool = False
    """Leave the colour pictures of the frames out: no texture."""
    seed: int = 0
    """Seed of everything that is drawn; same input, seed and machine: same parameters."""
    quiet: bool = False
    """Print errors only."""
    json: bool = False
    """Print the content of result.json on stdout and nothing else there."""

    def run(self) -> int:
        from rigface.io import check_writable
        from rigface.io.depth import load_depth_frames

        check_rig_detail(self.rig, self.lod)
        if not self.frames:
            raise UsageError("at least one frame is needed: rigface depth FRAME [FRAME...] -o DIR")
        check_writable(self.out)
        with closing(open_progress(sys.stderr, self.quiet)) as progress:
            with progress.stage("load"):
                frames, unread = load_depth_frames(self.frames, self.intrinsics)
            with progress.stage("start"):
                from rigface.fit.depth import DepthConfig, fit_depth
                from rigface.fit.depth_texture import dress_depth
                from rigface.report.depth_outputs import write_depth_outputs
            config = DepthConfig(
                expression=self.expression,
                model=self.model,
                gaussians=self.k,
                lod=self.lod,
                seed=self.seed,
            )
            result = fit_depth(frames, config, progress)
            with progress.stage("texture"):
                dressed = None if self.plain else dress_depth(result)
            with progress.stage("write"):
                write_depth_outputs(
                    result, self.out, dressed, self.rig, self.save, progress, unread
                )
        return conclude(self.out, describe, as_json=self.json, quiet=self.quiet)


def describe(summary: dict[str, Any]) -> list[str]:
    """How good the fit is, and of what."""
    frames = summary["frames"]
    used = sum(frame["used"] for frame in frames)
    dropped = [frame for frame in frames if not frame["used"]]
    return [
        f"frames: {used} of {len(frames)} used, in the frame of {summary['reference']}",
        *(f"dropped {frame['name']}: {frame['reason']}" for frame in dropped),
        *describe_scan(summary),
    ]
