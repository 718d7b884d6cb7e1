"""Several depth frames of one head: where each camera stood, and one cloud of all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from rigface.errors import InputError
from rigface.fit.alignment import Alignment
from rigface.fit.depth_cloud import DepthCloud, Person
from rigface.fit.depth_face import find_in_depth
from rigface.fit.rigid import RigidFit, RigidTarget
from rigface.fit.target import FACE_CENTRE, REACH
from rigface.geometry.similarity import Similarity
from rigface.rig.template import Template

_SHARE = 0.6
"""Of a frame's head that must lie on its neighbour's surface."""
_MEDIAN = 0.003
"""Metres from it in the middle, at most."""
_TRIED = 3
"""Frames in which the face is searched for."""
_SURE = 3.0
"""Score of a face that needs no comparison with another frame's."""


@dataclass(frozen=True)
class FramePlace:
    """What became of one frame."""

    name: str
    used: bool
    reason: str | None
    """Why it was dropped."""
    reference_from_frame: Similarity | None
    """Rigid; metres."""
    share: float = float("nan")
    """Of its head that lies on the surface it was aligned with."""
    median_mm: float = float("nan")
    """Of the distances to that surface."""


@dataclass(frozen=True)
class PlacedFrame:
    """A frame that takes part."""

    person: Person
    cloud: DepthCloud
    pose: Similarity
    """reference_from_frame."""
    fit: RigidFit


def find_reference(
    persons: Sequence[Person], template: Template, seed: int
) -> tuple[int, Alignment]:
    """The frame that shows the face best, of the middle, the first and the last one.

    Raises InputError if none of them shows one.
    """
    count = len(persons)
    best: tuple[int, Alignment] | None = None
    refused: InputError | None = None
    for index in dict.fromkeys([(count - 1) // 2, 0, count - 1][:_TRIED]):
        try:
            found = find_in_depth(persons[index], template, seed)
        except InputError as error:
            refused = refused or error
            continue
        if best is None or found.score > best[1].score:
            best = index, found
        if found.score > _SURE:
            break
    if best is None:
        assert refused is not None
        raise refused
    return best


def place_frames(
    persons: Sequence[Person], reference: int, found: Alignment, template: Template, seed: int
) -> list[PlacedFrame | FramePlace]:
    """Every frame against its neighbour on the way to the reference; dropped ones say why."""
    first = PlacedFrame(
        persons[reference],
        persons[reference].cloud(),
        Similarity.identity(),
        RigidFit(Similarity.identity(), 1.0, 0.0),
    )
    placed: list[PlacedFrame | FramePlace] = [first] * len(persons)
    for way in (range(reference + 1, len(persons)), range(reference - 1, -1, -1)):
        neighbour = first
        for index in way:
            followed = _follow(persons[index], neighbour, found, template, seed)
            placed[index] = followed
            if isinstance(followed, PlacedFrame):
                neighbour = followed
    return placed


def _follow(
    person: Person, neighbour: PlacedFrame, found: Alignment, template: Template, seed: int
) -> PlacedFrame | FramePlace:
    cloud, target = person.cloud(), RigidTarget(neighbour.person.mesh())
    back = neighbour.pose.inverse()
    near = _near_face(cloud, neighbour.pose, found)
    fit = target.lay(near.points, near.toward, Similarity.identity())
    if not _good(fit):
        try:
            own = find_in_depth(person, template, seed).scan_from_model
        except InputError as error:
            return FramePlace(person.frame.name, False, str(error), None)
        start = _rigid(found.scan_from_model @ own.inverse(), own)
        near = _near_face(cloud, start, found)
        fit = target.lay(near.points, near.toward, back @ start)
    if not _good(fit):
        reason = (
            f"does not fit onto its neighbour: {fit.share:.0%} of the head lie on it, "
            f"{1e3 * fit.median:.1f} mm apart in the middle; the face may have moved"
        )
        return FramePlace(person.frame.name, False, reason, None, fit.share, 1e3 * fit.median)
    return PlacedFrame(person, cloud, neighbour.pose @ fit.surface_from_cloud, fit)


def _good(fit: RigidFit) -> bool:
    return fit.share > _SHARE and fit.median < _MEDIAN


def _rigid(pose: Similarity, own: Similarity) -> Similarity:
    """The pose at scale one that agrees with it in the middle of the face."""
    middle = own.apply(FACE_CENTRE)
    rotation = pose.rotation
    return Similarity(1.0, rotation, pose.apply(middle) - rotation @ middle)


def _near_face(cloud: DepthCloud, pose: Similarity, found: Alignment) -> DepthCloud:
    """The head without shoulders, which move on their own."""
    centre = found.scan_from_model.apply(FACE_CENTRE)
    reach = REACH * found.scan_from_model.scale
    return cloud.where(np.linalg.norm(pose.apply(cloud.points) - centre, axis=1) < reach)


def relay(
    frames: Sequence[PlacedFrame],
    surface: RigidTarget,
    centre: Float[np.ndarray, "3"],
    reach: float,
) -> list[PlacedFrame]:
    """Each frame's pose anew, on a surface (reference frame, metres) that all of them share."""
    out = []
    for frame in frames:
        near = np.linalg.norm(frame.pose.apply(frame.cloud.points) - centre, axis=1) < reach
        part = frame.cloud.where(near)
        fit = surface.lay(part.points, part.toward, frame.pose, (0.01, 0.007, *(0.005,) * 10))
        good = fit.share > _SHARE
        out.append(PlacedFrame(frame.person, frame.cloud, fit.surface_from_cloud, fit)
                   if good else frame)  # fmt: skip
    return out


def fuse(frames: Sequence[PlacedFrame]) -> DepthCloud:
    """All points in the reference frame, averaged in cubes as wide as a pixel, by 1 / sigma^2."""
    every = [frame.cloud.moved(frame.pose) for frame in frames]
    size = float(np.median([_cell(frame) for frame in frames]))
    floor = min(frame.person.noise.floor for frame in frames)
    colors = [cloud.colors for cloud in every if cloud.colors is not None]
    joined = DepthCloud(
        np.concatenate([cloud.points for cloud in every]),
        np.concatenate([cloud.toward for cloud in every]),
        np.concatenate([cloud.sigma for cloud in every]),
        np.concatenate(colors) if len(colors) == len(every) else None,
    )
    return joined.averaged(size, floor)


def _cell(frame: PlacedFrame) -> float:
    """Metres between neighbouring pixels in the middle of the person."""
    return float(np.nanmedian(frame.person.depth)) / float(frame.person.frame.camera.focal.mean())
