"""What it costs to keep only the strongest influences of each vertex, in millimetres."""

from dataclasses import asdict, dataclass, replace

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from rigface.export.asset import RigAsset
from rigface.export.evaluate import posed_vertices, world_matrices
from rigface.export.influences import pruned_weights

JAW_ANGLE = np.deg2rad(20.0)
JITTER_SIGMA = 3e-3
JITTER_DRAWS = 8


@dataclass(frozen=True)
class PosePruning:
    """Distance between the pruned and the full rig over all vertices of one standard pose."""

    pose: str
    mean_mm: float
    p95_mm: float
    max_mm: float


@dataclass(frozen=True)
class PruningReport:
    """The price of `max_influences`, measured on standard poses.

    The poses are the rest pose, the joint `jaw` turned by 20 degrees about its x axis (where there
    is one), and every joint moved on its own by N(0, 3 mm) along each axis in model space, eight
    seeded draws together.
    """

    max_influences: int
    vertices_pruned: int
    """How many vertices had more influences than that."""
    kept_share_min: float
    """The smallest share of a vertex's weight that was kept, before renormalising."""
    poses: tuple[PosePruning, ...]

    def of(self, pose: str) -> PosePruning:
        """One pose by name: rest, jaw_20deg, joints_3mm."""
        return next(entry for entry in self.poses if entry.pose == pose)

    @property
    def mean_mm(self) -> float:
        """The worst mean of the poses."""
        return max(entry.mean_mm for entry in self.poses)

    @property
    def p95_mm(self) -> float:
        """The worst 95th percentile of the poses."""
        return max(entry.p95_mm for entry in self.poses)

    @property
    def max_mm(self) -> float:
        """The largest distance in any pose."""
        return max(entry.max_mm for entry in self.poses)

    def as_dict(self) -> dict:
        """Plain numbers for JSON."""
        plain = asdict(self)
        plain["poses"] = [asdict(entry) for entry in self.poses]
        return {**plain, "mean_mm": self.mean_mm, "p95_mm": self.p95_mm, "max_mm": self.max_mm}


def measure_pruning(asset: RigAsset, max_influences: int = 4, seed: int = 0) -> PruningReport:
    """Measure |v_pruned - v_full| on the standard poses of `PruningReport`."""
    full = sp.csr_array(asset.weights)
    pruned = pruned_weights(asset.weights, max_influences)
    counts = np.diff(full.indptr)
    kept = np.asarray(full.multiply(pruned > 0).sum(axis=1)).ravel()
    few = replace(asset, weights=pruned)
    poses = [_pose(asset, few, "rest", {})]
    if "jaw" in asset.joint_names:
        jaw = (np.cos(JAW_ANGLE / 2), np.sin(JAW_ANGLE / 2), 0.0, 0.0)
        poses.append(_pose(asset, few, "jaw_20deg", {"jaw": jaw}))
    poses.append(_summary("joints_3mm", _jitter_distances(asset, pruned - full, seed)))
    return PruningReport(
        max_influences=max_influences,
        vertices_pruned=int((counts > max_influences).sum()),
        kept_share_min=float(min(kept.min(), 1.0)),
        poses=tuple(poses),
    )


def _pose(full: RigAsset, pruned: RigAsset, name: str, rotations: dict) -> PosePruning:
    moved = posed_vertices(pruned, rotations) - posed_vertices(full, rotations)
    return _summary(name, np.linalg.norm(moved, axis=1))


def _jitter_distances(
    asset: RigAsset, difference: sp.csr_array, seed: int
) -> Float[np.ndarray, " samples"]:
    # A world translation t_j of joint j adds sum_j w_ij t_j, so the error needs no second skinning.
    skinning = (world_matrices(asset, {}) @ asset.inverse_bind)[:, :3]
    vertices = np.concatenate([asset.vertices, np.ones((len(asset.vertices), 1))], axis=1)
    rest = (difference @ skinning.reshape(len(skinning), 12)).reshape(-1, 3, 4)
    offset = np.einsum("vij,vj->vi", rest, vertices)
    moves = np.random.default_rng(seed).normal(
        scale=JITTER_SIGMA, size=(len(skinning), JITTER_DRAWS, 3)
    )
    moved = (difference @ moves.reshape(len(skinning), -1)).reshape(-1, JITTER_DRAWS, 3)
    return np.linalg.norm(moved + offset[:, None], axis=-1).ravel()


def _summary(name: str, distances: Float[np.ndarray, " samples"]) -> PosePruning:
    millimetres = 1e3 * distances
    return PosePruning(
        pose=name,
        mean_mm=float(millimetres.mean()),
        p95_mm=float(np.percentile(millimetres, 95)),
        max_mm=float(millimetres.max()),
    )
