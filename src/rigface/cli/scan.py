"""`rigface scan SCAN -o DIR`: a mesh or a point cloud of a head becomes a rigged face."""

import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from rigface.cli.checks import check_rig_detail
from rigface.cli.messages import conclude
from rigface.cli.process import importing
from rigface.progress import open_progress

FORMATS = ("glb", "obj", "ply", "html")


def _formats(text: str) -> tuple[str, ...]:
    chosen = tuple(word.strip().lower() for word in text.split(",") if word.strip())
    unknown = [word for word in chosen if word not in FORMATS]
    if unknown or not chosen:
        raise ValueError(f"{text!r} is not a list of {', '.join(FORMATS)}, such as glb,obj")
    return chosen


ModelChoice = Literal["asm", "linear", "jnr", "jnr-linear", "jnr-neural"]
Formats = Annotated[
    tuple[str, ...],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=",".join(FORMATS),
        instance_from_str=lambda words: _formats(words[0]),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [",".join(value)],
    ),
]


@dataclass(frozen=True)
class ScanCommand:
    """Fit a scan of a head and write face.glb, fit.ply, params.safetensors, report.html and
    result.json."""

    scan: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SCAN")]
    """Mesh or point cloud, any orientation: OBJ, PLY, STL, GLB."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the results; created if it does not exist."""
    landmarks: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Landmarks on the scan, if you have them: iBUG 68 or 51, or named points."""
    unit: Literal["auto", "mm", "cm", "m", "inch"] = "auto"
    """Unit of the scan; auto decides it from the size of the face."""
    expression: Literal["neutral", "fit"] = "neutral"
    """Take the face as neutral, or fit its expression too."""
    recipe: Literal["default", "paper", "detail"] = "default"
    """default; the schedule of the ASM paper; default plus a smooth displacement layer."""
    model: ModelChoice = "asm"
    """Adaptive skinning model, a linear 3DMM, or the joint rig JNR with its initial weights,
    learned linear ones, or a person's own from the decoder."""
    symmetric: bool = False
    """JNR: move left and right as mirror images (105 variables instead of 184)."""
    k: Literal[1, 2, 3, 4, 5] = 2
    """Gaussians per bone of the skinning weights (ASM)."""
    lod: Literal[0, 1, 2] = 0
    """Level of detail of the skin: 4k, 17k or 67k vertices."""
    rig: Literal["baked", "asm"] = "baked"
    """Joints of face.glb: rigid ones on the fitted mesh, or the model's exact hierarchy."""
    save: Formats = ("glb",)
    """Formats of the rigged head (face.*). The report, the numbers, fit.ply and the parameters
    are always written."""
    seed: int = 0
    """Seed of everything that is drawn; same input, seed and machine: same parameters."""
    quiet: bool = False
    """Print errors only."""
    json: bool = False
    """Print the content of result.json on stdout and nothing else there."""

    def run(self) -> int:
        from rigface.io import check_writable, load_landmarks, load_scan

        # What cannot work is said before torch is even imported.
        check_rig_detail(self.rig, self.lod)
        check_writable(self.out)
        with closing(open_progress(sys.stderr, self.quiet)) as progress:
            with progress.stage("load"):
                scan = load_scan(self.scan)
                landmarks = None if self.landmarks is None else load_landmarks(self.landmarks)
            with progress.stage("start"), importing():
                from rigface.fit.scan import ScanConfig, fit_scan
                from rigface.report.outputs import write_outputs
            config = ScanConfig(
                unit=self.unit,
                expression=self.expression,
                recipe=self.recipe,
                model=self.model,
                gaussians=self.k,
                asymmetric=not self.symmetric,
                lod=self.lod,
                seed=self.seed,
            )
            result = fit_scan(scan, config, landmarks=landmarks, progress=progress)
            with progress.stage("write"):
                write_outputs(result, self.out, rig=self.rig, save=self.save, progress=progress)
        return conclude(self.out, describe, as_json=self.json, quiet=self.quiet)


def describe(summary: dict[str, Any]) -> list[str]:
    """How good the fit is."""
    metrics, unit = summary["metrics"], summary["unit"]
    figures = ", ".join(
        f"{name} {metrics[key]:{style}}"
        for name, key, style in (
            ("mean", "mean_mm", ".2f"),
            ("p95", "p95_mm", ".2f"),
            ("coverage", "coverage", ".1%"),
        )
        if metrics[key] is not None
    )
    return [
        f"error of the fit in mm: {figures}",
        f"unit of the scan: {unit['name']} ({unit['how']})",
        *(f"note: {text}" for text in summary.get("input", {}).get("notes", ())),
    ]
