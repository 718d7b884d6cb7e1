"""What a fit hands back: the head, where it is in the scan, how good it is and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from rigface.fit.parts import Head
from rigface.fit.stages import StageReport
from rigface.fit.unit import ScanUnit
from rigface.geometry.similarity import Similarity
from rigface.metrics.distance import ErrorSamples
from rigface.models.posed import PosedModel
from rigface.rig.layout import RigLayout
from rigface.rig.template import Template


@dataclass(frozen=True)
class FittedRig:
    """Bones of a fitted skin in model space, metres."""

    layout: RigLayout
    weights: Float[np.ndarray, "skin bones"]
    joints: Float[np.ndarray, "bones 3"]
    """Fitted bone positions, the origins of M_j."""
    bind: Float[np.ndarray, "bones 3"]
    """psi_j on the template."""
    node_translation: Float[np.ndarray, "bones 3"]
    """Local TRS of the model's exact hierarchy: parent_from_bone = T R S."""
    node_rotation: Float[np.ndarray, "bones 4"]
    node_scale: Float[np.ndarray, "bones 3"]
    metric_scale: float
    """Model metres per template metre, applied above the root bone."""
    skin_linear: Float[np.ndarray, "skin 3 3"]
    """What a template offset of each skin vertex becomes on the fitted head."""


@dataclass(frozen=True)
class ScanResult:
    """A fitted head. Model space: metres, +Y up, +Z out of the face, true size."""

    source: str
    template: Template
    model: PosedModel
    x: Float[Tensor, " params"]
    """All parameters, the pose in the fit frame first."""
    variables: int
    head: Head
    rig: FittedRig
    scan_from_model: Similarity
    """Model metres to the scan's own frame and unit."""
    unit: ScanUnit
    errors: ErrorSamples
    vertex_error_mm: Float[np.ndarray, " scan_verts"]
    """NaN outside the measured region."""
    quality: Mapping[str, Any]
    ok: bool
    reason: str | None
    warnings: tuple[str, ...]
    stages: tuple[StageReport, ...]
    settings: Mapping[str, Any]
    scan_vertices: Float[np.ndarray, "scan_verts 3"]
    scan_faces: Int[np.ndarray, "scan_faces 3"] | None
    scan_colors: Float[np.ndarray, "scan_verts 3"] | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    expression: Mapping[str, float] = field(default_factory=dict)
    """Fitted ARKit weights above 0.01, if they were fitted."""
    notes: tuple[str, ...] = ()
    """What the reader repaired or ignored in the file."""

    @property
    def vertices(self) -> Float[np.ndarray, "verts 3"]:
        """All parts in model space, metres."""
        return self.head.vertices

    @property
    def vertices_in_scan(self) -> Float[np.ndarray, "verts 3"]:
        """All parts in the scan's own frame and unit."""
        return self.scan_from_model.apply(self.head.vertices)
