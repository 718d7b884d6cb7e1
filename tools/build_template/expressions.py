"""The 52 ARKit shapes over all parts, corrected so that lids and teeth cut nothing."""

from pathlib import Path

import numpy as np

from rigface.rig.template import SparseShapes

from .eyes import calm_corner, clear_facets, close_lids, fit_ball, lift_off, turn, unit
from .lips import Lips, part_lips
from .mouth import move_rigidly
from .neutral import Corrector

FOLDER = "faceunits01/targets/faceunits"
SMALLEST = 2e-6
"""Offsets below this (metres) are dropped: MakeHuman writes micrometres."""
RIGID_PARTS = ("teeth.upper", "teeth.lower")


def read_expressions(
    folder: Path, fix: Corrector, lips: Lips, raw: np.ndarray, rest: np.ndarray
) -> dict[str, np.ndarray]:
    """Name -> (verts, 3) offsets on the corrected head `rest`; `raw` is the head before that."""
    files = sorted((folder / FOLDER).glob("*.target"))
    source = {file.stem: fix.head.read_target(file) for file in files}
    assert len(source) == 52
    out = {}
    for name, offset in source.items():
        if name.endswith("Right"):
            continue
        twin = fix.flip(source[_other_side(name)])
        out[name] = _correct(name, 0.5 * (offset + twin), fix, raw, rest)
        # mouthClose shuts an open jaw and means nothing without it.
        base = rest + out["jawOpen"] if name == "mouthClose" else rest
        out[name] = part_lips(base + out[name], lips) - base
        if name.endswith("Left"):
            out[_other_side(name)] = fix.flip(out[name])
        else:
            out[name] = fix.symmetrised(out[name])
    return {name: _without_dust(out[name]) for name in sorted(out)}


def sparse(shapes: dict[str, np.ndarray]) -> SparseShapes:
    """Only the vertices that move."""
    moved = [np.flatnonzero(np.abs(offset).max(axis=1) > 0) for offset in shapes.values()]
    return SparseShapes(
        names=tuple(shapes),
        starts=np.cumsum([0, *map(len, moved)]),
        indices=np.concatenate(moved),
        offsets=np.concatenate([o[m] for o, m in zip(shapes.values(), moved, strict=True)]),
    )


def _other_side(name: str) -> str:
    return name[:-4] + "Right" if name.endswith("Left") else name


def _correct(
    name: str, offset: np.ndarray, fix: Corrector, raw: np.ndarray, rest: np.ndarray
) -> np.ndarray:
    out = offset.copy()
    for part in RIGID_PARTS:
        run = fix.head.vertex_runs[part]
        out[run] = move_rigidly(raw[run], offset[run], rest[run])
    run = fix.head.vertex_runs["tongue"]
    bend = offset[run] - move_rigidly(raw[run], offset[run], raw[run])
    out[run] = move_rigidly(raw[run], offset[run], rest[run]) + bend
    for side in range(2):
        # The second pass works on the mirror image: the right eye as a left one.
        here = rest if side == 0 else fix.flip(rest)
        out = _clear_left_eye(name if side == 0 else "", out, fix, raw, here)
        out = fix.flip(out)
    return out


def _clear_left_eye(
    name: str, offset: np.ndarray, fix: Corrector, raw: np.ndarray, rest: np.ndarray
) -> np.ndarray:
    eye, ball = fix.eye, fix.left_ball(rest)
    out = offset.copy()
    if np.abs(offset[eye.ball]).max() > 0:
        out[eye.ball] = _gaze(raw[eye.ball], offset[eye.ball], rest[eye.ball], eye.pupil)
        out = calm_corner(out, eye.grid)
    if name == "eyeBlinkLeft":
        out = close_lids(rest, out, ball, eye.grid, eye.clearance)
    moving = np.isfinite(eye.clearance) & (np.abs(out).max(axis=1) > 0)
    if not moving.any():
        return out
    lid = lift_off(rest + out, ball, np.where(moving, eye.clearance, -np.inf))
    return clear_facets(lid, eye.faces, ball, eye.movable) - rest


def _gaze(raw: np.ndarray, offset: np.ndarray, rest: np.ndarray, pupil: np.ndarray) -> np.ndarray:
    """Offsets of a pure rotation about the ball's centre by the angle the pupil turns."""
    centre = fit_ball(raw).centre
    before = unit((raw[pupil] - centre).mean(axis=0))
    after = unit((raw + offset)[pupil].mean(axis=0) - centre)
    rotation = turn(before, after)
    ahead = fit_ball(rest).centre
    return (rest - ahead) @ rotation.T + ahead - rest


def _without_dust(offset: np.ndarray) -> np.ndarray:
    return np.where(np.abs(offset).max(axis=1, keepdims=True) < SMALLEST, 0.0, offset)
