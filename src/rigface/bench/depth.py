"""A face from one TrueDepth frame, measured on other frames of the same head.

Frame 40 of the mannequin is fitted. Every other frame is laid on the fit by rigid motion, and the
distances of its face-region pixels to the fit's outer skin and eyeballs count. Beside it: the mean
head after the same alignment (with scale), and frame 40 itself as a surface (rigid ICP), which is
what sensor and alignment leave at least. Nothing was tuned on frames 41 to 49.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from rigface.bench.table import Grid, Row, format_number
from rigface.fit.depth import DepthConfig, DepthResult, fit_depth
from rigface.fit.depth_cloud import DepthCloud, Person, find_person
from rigface.fit.rigid import REACHES, RigidTarget
from rigface.geometry.mesh import Mesh
from rigface.geometry.similarity import Similarity, align_points
from rigface.io.depth import load_depth
from rigface.metrics.closest import closest_on_mesh
from rigface.metrics.outer import outer_surface
from rigface.metrics.region import REGION_RADIUS
from rigface.rig.template import Template

FOLDER = Path("depth", "truedepth_mannequin")
FITTED = 40
DEFAULT = DepthConfig()
OTHERS = tuple(range(41, 50))
LIMIT_MM = 1.2
HEADER = ("surface", "median mm", "p90 mm", "mean mm", "frames, median mm")
_HEAD = 0.12
"""Metres around the nose tip that are laid on frame 40 to find the pose."""


@dataclass(frozen=True)
class HeldOut:
    """Face-region pixels of a frame that no fit has seen."""

    cloud: DepthCloud
    pose: Similarity
    """Of rigid ICP on the fitted frame: reference_from_frame."""
    residual_mm: Float[np.ndarray, " points"]
    """Distances of that ICP."""


@dataclass(frozen=True)
class Distances:
    """Of the pixels of every frame to one surface, millimetres."""

    name: str
    frames: list[Float[np.ndarray, " _"]]

    @property
    def every(self) -> Float[np.ndarray, " points"]:
        return np.concatenate(self.frames)

    def cells(self) -> tuple[str, ...]:
        """A line of the table."""
        every = self.every
        numbers = (np.median(every), np.percentile(every, 90), every.mean())
        middle = [float(np.median(frame)) for frame in self.frames]
        return (
            self.name,
            *(format_number(float(number)) for number in numbers),
            f"{min(middle):.2f} to {max(middle):.2f}",
        )


def depth_report(
    data: Path, others: Sequence[int] = OTHERS, config: DepthConfig = DEFAULT
) -> tuple[list[Row], Grid, list[str]]:
    """Rows, table and notes. Raises InputError where the frames are not there."""
    frame = load_depth(frame_path(data, FITTED))
    fitted = fit_depth([frame], config)
    nose = nose_tip(fitted)
    held = hold_out([find_person(load_depth(frame_path(data, n))) for n in others],
                    find_person(frame), nose)  # fmt: skip
    template, placed = fitted.scan.template, fitted.scan.vertices_in_scan
    ours = against(placed, template, held, "rigface depth, frame 40")
    mean = against(mean_head(fitted), template, held, "mean head, same alignment")
    frames = Distances("frame 40 itself, rigid ICP", [each.residual_mm for each in held])
    on = f"TrueDepth mannequin, frames {min(others)} to {max(others)}"
    every = ours.every
    rows = [
        Row("one depth frame, median distance", on, float(np.median(every)), "mm", LIMIT_MM),
        Row("one depth frame, p90", on, float(np.percentile(every, 90)), "mm"),
        Row("mean head, median distance", on, float(np.median(mean.every)), "mm"),
        Row("frame-to-frame rigid ICP, median distance", on, float(np.median(frames.every)), "mm"),
    ]
    table = [ours.cells(), mean.cells(), frames.cells()]
    notes = [
        f"Depth: frame 40 is fitted ({fitted.scan.variables:,} variables), every other frame laid "
        f"on it by rigid ICP; pixels within {1e3 * REGION_RADIUS:.0f} mm of the nose tip of frame "
        "40, carried over by frame-to-frame ICP. The mean head keeps the fit's similarity."
    ]
    return rows, Grid("One depth frame, measured on others of the same head", HEADER, table), notes


def frame_path(data: Path, number: int) -> Path:
    """Of one frame of the mannequin."""
    return data / FOLDER / f"frame-{number:03d}.ply"


def nose_tip(fitted: DepthResult) -> Float[np.ndarray, "3"]:
    """In the frame of the fitted camera."""
    template = fitted.scan.template
    place = template.landmarks.names.index("ibug.30")
    return template.landmarks.positions(fitted.scan.vertices_in_scan, template.mesh.faces)[place]


def mean_head(fitted: DepthResult) -> Float[np.ndarray, "verts 3"]:
    """All parts of the mean of the population, laid on the fit by a similarity of the face."""
    template = fitted.scan.template
    head = template.mesh.vertices + template.shape_mean
    face = template.regions["face"]
    return align_points(head[face], fitted.scan.vertices_in_scan[face]).apply(head)


def hold_out(
    persons: Sequence[Person], reference: Person, nose: Float[np.ndarray, "3"]
) -> list[HeldOut]:
    """Each frame on the reference by rigid ICP, started from the one before, and its face."""
    mesh = reference.mesh()
    target, pose, out = RigidTarget(mesh), Similarity.identity(), []
    for person in persons:
        cloud = person.cloud()
        head = cloud.where(np.linalg.norm(pose.apply(cloud.points) - nose, axis=1) < _HEAD)
        pose = target.lay(head.points, head.toward, pose).surface_from_cloud
        moved = pose.apply(cloud.points)
        face = np.linalg.norm(moved - nose, axis=1) < REGION_RADIUS
        found = closest_on_mesh(moved[face], mesh.vertices, mesh.faces)
        out.append(HeldOut(cloud.where(face), pose, 1e3 * found.distance))
    return out


def against(
    head: Float[np.ndarray, "verts 3"], template: Template, held: Sequence[HeldOut], name: str
) -> Distances:
    """Every frame laid on a head (frame of the reference) by rigid ICP, and its distances."""
    skin, faces = outer_surface(template).skin_faces, _shown_faces(template)
    target = RigidTarget(Mesh(head, skin))
    frames = []
    for each in held:
        points, toward = each.cloud.points, each.cloud.toward
        pose = target.lay(points, toward, each.pose, REACHES).surface_from_cloud
        frames.append(1e3 * closest_on_mesh(pose.apply(points), head, faces).distance)
    return Distances(name, frames)


def _shown_faces(template: Template) -> Int[np.ndarray, "faces 3"]:
    """Outer skin and eyeballs."""
    balls = [template.mesh.faces[template.parts[f"eyeball.{side}"].faces] for side in "LR"]
    return np.concatenate([outer_surface(template).skin_faces, *balls])
