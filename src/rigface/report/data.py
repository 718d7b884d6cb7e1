"""What a report shows, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class ScanLayer:
    """The scan in the frame of the fit: model space, metres."""

    vertices: Float[np.ndarray, "verts 3"]
    faces: Int[np.ndarray, "faces 3"] | None
    """None for a point cloud."""
    error_mm: Float[np.ndarray, " verts"]
    """Distance to the fit at each vertex; NaN outside the measured region."""
    colors: Float[np.ndarray, "verts 3"] | None = None
    """Linear RGB in [0, 1]."""


_SETTINGS = (
    *("input", "unit", "scale", "focal", "recipe"),
    *("model", "variables", "seed", "versions"),
)


@dataclass(frozen=True)
class Picture:
    """A picture on the page."""

    title: str
    png: bytes


@dataclass(frozen=True)
class ReportData:
    """One run, ready to be shown."""

    title: str
    glb: bytes
    """The fitted, rigged head: a GLB in model space."""
    scan: ScanLayer | None
    metrics: Mapping[str, Any]
    """Headline numbers by name. Endings tell the unit: `_mm`; `coverage` and `flipped` are shares;
    None is shown as not measured."""
    regions: Sequence[Mapping[str, Any]] = ()
    """Rows of one table: `name` and the same kind of numbers."""
    quality: Mapping[str, Any] = field(default_factory=dict)
    """Numbers about the mesh: flipped, self_intersections, lid_eyeball, lip_teeth, pruning_mm."""
    seconds: Mapping[str, float | int] = field(default_factory=dict)
    """Wall-clock seconds by stage; "fit/coarse" is a part of "fit"."""
    warnings: Sequence[str] = ()
    ok: bool = True
    reason: str | None = None
    """Why `ok` is False."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What was asked for and what ran; nested mappings are flattened."""
    credit: str = ""
    """A line that the licence of the data asks for."""
    pictures: Sequence[Picture] = ()
    headline: str = "Scan to fit"
    """What the metrics are about."""
    region_title: str = "By region, mm"

    @classmethod
    def from_result(
        cls,
        result: Mapping[str, Any],
        glb: bytes,
        scan: ScanLayer | None,
        title: str | None = None,
        credit: str = "",
    ) -> "ReportData":
        """From the content of `result.json`, so that page and file never differ."""
        settings = {
            key: result[key]
            for key in (
                "input",
                "unit",
                "scale",
                "focal",
                "recipe",
                "model",
                "variables",
                "seed",
                "versions",
            )
            if key in result
        }
        source = str(result.get("input", {}).get("path", "fit"))
        return cls(
            title=title or source.replace("\\", "/").rsplit("/", 1)[-1],
            glb=glb,
            scan=scan,
            metrics=result.get("metrics", {}),
            regions=result.get("regions", ()),
            quality={**result.get("quality", {}), **result.get("export", {})},
            seconds=result.get("seconds", {}),
            warnings=result.get("warnings", ()),
            ok=bool(result.get("ok", True)),
            reason=result.get("reason"),
            settings=settings,
            credit=credit,
        )
