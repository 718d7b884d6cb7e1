"""Eyeballs, teeth and tongue follow the fitted skin, and never cut through it.

Each part moves rigidly with a uniform scale: the eyeballs with their lid rims, teeth and tongue
with the lip ring. Then eyeballs and teeth retreat into the head until nothing crosses, at rest, in
a blink and with the jaw open; blink offsets are lifted off the ball where they would enter it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from rigface.fit.eyeballs import Ball
from rigface.fit.lids import close_lids, closed_rest
from rigface.geometry.intersections import intersections
from rigface.geometry.similarity import Similarity, align_points
from rigface.metrics.mesh_quality import skin_faces_touching
from rigface.rig.template import Eyeball, SparseShapes, Template

_CLEARANCE = 2e-4
"""Metres between a lid vertex and the ball: the chord of a lid edge stays outside."""
_SHRINK = 0.006
_SHRINK_STEPS = 9
_STEP = 4e-4
_MAX_RETREAT = 1.2e-2
_CONTACT_POSES = ((), ("eyeBlinkLeft", "eyeBlinkRight"), ("jawOpen",))
_INWARD = np.array([0.0, 0.0, -1.0])


@dataclass(frozen=True)
class Head:
    """A fitted head in the template's topology: model space, metres."""

    vertices: Float[np.ndarray, "verts 3"]
    """All parts."""
    expressions: SparseShapes
    """The 52 shapes on this head, over all parts."""
    moved: dict[str, Similarity]
    """head_from_template of each part but the skin."""


def assemble_head(
    template: Template,
    skin: Float[np.ndarray, "skin 3"],
    skin_linear: Float[np.ndarray, "skin 3 3"],
    closure: Mapping[str, float] | None = None,
    eyeballs: Mapping[str, Ball] | None = None,
) -> Head:
    """Put the parts into a fitted skin. `skin_linear` maps template offsets to this head's.

    `closure` tells which lids the skin itself has closed already (eyeBlink* weights): the rest of
    the way is all that the blink shapes keep.
    """
    closed = {name: w for name, w in (closure or {}).items() if name.startswith("eyeBlink")}
    moved = follow(template, skin, closed)
    for side, ball in (eyeballs or {}).items():
        moved[f"eyeball.{side}"] = _onto(template.eyeballs[side], ball)
    shapes = _carry_offsets(template, skin_linear, moved)
    shapes = close_lids(template, skin, _shorten(shapes, closed))
    head = Head(_vertices(template, skin, moved), shapes, moved)
    for side in "LR":
        head = _clear_eyeball(template, head, side)
    return _clear_teeth(template, head)


def posed(head: Head, names: tuple[str, ...]) -> Float[np.ndarray, "verts 3"]:
    """The head with some shapes at weight 1."""
    vertices = head.vertices.copy()
    for name in names:
        index, offset = head.expressions.of(name)
        vertices[index] += offset
    return vertices


def contact_counts(template: Template, head: Head) -> dict[str, int]:
    """Crossing triangle pairs of lids with eyeballs and lips with teeth, over rest, blink, jaw."""
    lids = skin_faces_touching(template, ("eyes", "lid_rim.L", "lid_rim.R"))
    lips = skin_faces_touching(template, ("lips", "lip_ring"))
    balls = np.concatenate(
        [template.mesh.faces[template.parts[f"eyeball.{s}"].faces] for s in "LR"]
    )
    teeth = np.concatenate(
        [template.mesh.faces[template.parts[f"teeth.{row}"].faces] for row in ("upper", "lower")]
    )
    count = {"lid_eyeball": 0, "lip_teeth": 0}
    for pose in _CONTACT_POSES:
        vertices = posed(head, pose)
        count["lid_eyeball"] += len(intersections(vertices, lids, vertices, balls))
        count["lip_teeth"] += len(intersections(vertices, lips, vertices, teeth))
    return count


def _shorten(shapes: SparseShapes, closed: Mapping[str, float]) -> SparseShapes:
    offsets = shapes.offsets.copy()
    for name, weight in closed.items():
        run = shapes.names.index(name)
        offsets[shapes.starts[run] : shapes.starts[run + 1]] *= 1 - weight
    return replace(shapes, offsets=offsets)


def follow(
    template: Template,
    skin: Float[np.ndarray, "skin 3"],
    closed: Mapping[str, float] | None = None,
) -> dict[str, Similarity]:
    """head_from_template of each part but the skin, before anything retreats from it.

    `closed` tells which lids the skin has closed (eyeBlink* weights).
    """
    rest = closed_rest(template, closed or {})
    moved = {}
    for side in "LR":
        rim = np.flatnonzero(template.regions[f"lid_rim.{side}"][: len(skin)])
        moved[f"eyeball.{side}"] = align_points(rest[rim], skin[rim])
    ring = np.flatnonzero(template.regions["lip_ring"][: len(skin)])
    lips = align_points(rest[ring], skin[ring])
    return {**moved, **{name: lips for name in ("teeth.upper", "teeth.lower", "tongue")}}


def _onto(eyeball: Eyeball, ball: Ball) -> Similarity:
    """The template's eyeball with the place and size of `ball`, looking as the head does."""
    scale = ball.radius / eyeball.radius
    return Similarity(scale, np.eye(3), ball.centre - scale * eyeball.centre)


def _vertices(template: Template, skin: np.ndarray, moved: dict[str, Similarity]) -> np.ndarray:
    out = template.mesh.vertices.copy()
    out[: len(skin)] = skin
    for name, similarity in moved.items():
        run = template.parts[name].vertices
        out[run] = similarity.apply(out[run])
    return out


def _carry_offsets(
    template: Template, skin_linear: np.ndarray, moved: dict[str, Similarity]
) -> SparseShapes:
    shapes = template.expressions
    offsets = shapes.offsets.copy()
    on_skin = shapes.indices < len(skin_linear)
    linear = skin_linear[shapes.indices[on_skin]]
    offsets[on_skin] = np.einsum("nij,nj->ni", linear, offsets[on_skin])
    for name, similarity in moved.items():
        run = template.parts[name].vertices
        mine = (shapes.indices >= run.start) & (shapes.indices < run.stop)
        offsets[mine] = similarity.scale * similarity.rotate(offsets[mine])
    return replace(shapes, offsets=offsets)


def _clear_eyeball(template: Template, head: Head, side: str) -> Head:
    """Make room between ball and lids: lift the blink, then shrink the ball, last push it back."""
    name = f"eyeball.{side}"
    blink = "eyeBlinkLeft" if side == "L" else "eyeBlinkRight"
    faces = template.mesh.faces[template.parts[name].faces]
    lids = skin_faces_touching(template, ("eyes", f"lid_rim.{side}"))

    def crossings(tried: Head) -> int:
        poses = [posed(tried, pose) for pose in _CONTACT_POSES]
        return sum(len(intersections(vertices, lids, vertices, faces)) for vertices in poses)

    for attempt in range(_SHRINK_STEPS):
        smaller = _shrink_part(template, head, side, 1 - attempt * _SHRINK)
        lifted = _lift_off(template, smaller, blink, side, _CLEARANCE * (1 + attempt / 3))
        if crossings(lifted) == 0:
            return lifted
    for attempt in range(int(_MAX_RETREAT / _STEP)):
        moved = _shift_part(template, smaller, name, (attempt + 1) * _STEP * _INWARD)
        lifted = _lift_off(template, moved, blink, side, 2 * _CLEARANCE)
        if crossings(lifted) == 0:
            break
    return lifted


def _shrink_part(template: Template, head: Head, side: str, factor: float) -> Head:
    """The eyeball scaled about its centre."""
    name = f"eyeball.{side}"
    old = head.moved[name]
    centre = old.apply(template.eyeballs[side].centre)
    vertices = head.vertices.copy()
    run = template.parts[name].vertices
    vertices[run] = centre + factor * (vertices[run] - centre)
    translation = centre + factor * (old.translation - centre)
    moved = {**head.moved, name: replace(old, scale=factor * old.scale, translation=translation)}
    return replace(head, vertices=vertices, moved=moved)


def _lift_off(template: Template, head: Head, shape: str, side: str, clearance: float) -> Head:
    """Lid vertices that the shape moves into the ball are put onto it."""
    index, offset = head.expressions.of(shape)
    ball, placed = template.eyeballs[side], head.moved[f"eyeball.{side}"]
    skin = index < template.parts["skin"].vertices.stop
    centre, radius = placed.apply(ball.centre), placed.scale * ball.radius + clearance
    target = head.vertices[index] + offset
    radial = target - centre
    distance = np.linalg.norm(radial, axis=-1)
    inside = skin & (distance < radius) & (np.linalg.norm(offset, axis=-1) > 1e-4)
    lifted = offset.copy()
    lifted[inside] += radial[inside] * (radius / distance[inside] - 1)[:, None]
    run = head.expressions.names.index(shape)
    offsets = head.expressions.offsets.copy()
    offsets[head.expressions.starts[run] : head.expressions.starts[run + 1]] = lifted
    return replace(head, expressions=replace(head.expressions, offsets=offsets))


def _clear_teeth(template: Template, head: Head) -> Head:
    """Both rows and the tongue retreat together until the lips clear them."""
    lips = skin_faces_touching(template, ("lips", "lip_ring"))
    rows = ("teeth.upper", "teeth.lower")
    teeth = np.concatenate([template.mesh.faces[template.parts[row].faces] for row in rows])
    retreat = 0.0
    while retreat < _MAX_RETREAT:
        crossing = 0
        for pose in _CONTACT_POSES:
            vertices = posed(head, pose)
            crossing += len(intersections(vertices, lips, vertices, teeth))
        if crossing == 0:
            break
        retreat += 2 * _STEP
        for part in (*rows, "tongue"):
            head = _shift_part(template, head, part, 2 * _STEP * _INWARD)
    return head


def _shift_part(template: Template, head: Head, name: str, shift: np.ndarray) -> Head:
    vertices = head.vertices.copy()
    vertices[template.parts[name].vertices] += shift
    old = head.moved[name]
    moved = {**head.moved, name: replace(old, translation=old.translation + shift)}
    return replace(head, vertices=vertices, moved=moved)
