"""How the 24 expression shapes were found: by what the 12 expressive joints leave of each."""

from dataclasses import dataclass

import numpy as np
import torch

from rigface.models.jnr_asset import load_jnr
from rigface.rig.jnr_expression import EXPRESSION_SHAPES, EXPRESSIVE_JOINTS, expresses
from rigface.rig.template import Template

OUT = ("eyeLook", "tongue")
"""Gaze and tongue hardly move skin."""


@dataclass(frozen=True)
class Choice:
    """A shape, or a pair of shapes, and what is left of it."""

    name: str
    members: tuple[str, ...]
    explained: float
    """Share of its squared motion that the joints make."""
    left_mm: float
    """Largest residual of a vertex after the joints."""
    rank_mm: float
    """Root of the summed squared residual after the joints and the shapes before it."""
    chosen: bool


def joint_motions(template: Template) -> np.ndarray:
    """(outer verts * 3, variables): linearised motion of the expressive joints, initial weights."""
    model = load_jnr(template, "jnr", asymmetric=True)
    runs = [
        range(run.start, run.stop)
        for name, run in model.table.slices.items()
        if expresses(*name.partition(".")[::2])
    ]
    _, columns = model.columns(model.table.zeros())
    outer = torch.from_numpy(template.regions["outer"][: len(model.rest)].copy())
    return columns[np.concatenate(runs)][:, outer].flatten(1).numpy().T


def ranked(template: Template) -> list[Choice]:
    """All candidates, greedily by residual; the first that fit into 24 are chosen."""
    names, outer = template.expressions.names, template.regions["outer"]
    dense = template.expressions.dense(len(template.mesh.vertices))[:, outer]
    shape = {name: 1e3 * dense[i].ravel() for i, name in enumerate(names)}
    basis, _ = np.linalg.qr(joint_motions(template))
    groups: dict[str, list[str]] = {}
    for name in names:
        if not name.startswith(OUT):
            groups.setdefault(_group(name, names), []).append(name)
    whole = {g: np.stack([shape[n] for n in members], axis=1) for g, members in groups.items()}
    after = {g: s - basis @ (basis.T @ s) for g, s in whole.items()}
    left, out, room = dict(after), [], len(EXPRESSION_SHAPES)
    while left:
        best = max(left, key=lambda g: _size(left[g]))
        fits = len(groups[best]) <= room
        room -= len(groups[best]) * fits
        share = 1 - (_size(after[best]) / _size(whole[best])) ** 2
        reach = float(np.linalg.norm(after[best].reshape(-1, 3, len(groups[best])), axis=1).max())
        members = tuple(groups[best])
        out.append(Choice(best, members, share, reach, _size(left[best]), fits))
        direction, _ = np.linalg.qr(left.pop(best))
        if fits:
            left = {g: s - direction @ (direction.T @ s) for g, s in left.items()}
    return out


def chosen(template: Template) -> tuple[str, ...]:
    """The shapes of `EXPRESSION_SHAPES`, found again."""
    found = {name for choice in ranked(template) if choice.chosen for name in choice.members}
    return tuple(name for name in template.expressions.names if name in found)


def shapes_table(template: Template) -> str:
    """One row per shape or pair, in the order of choice."""
    lines = [
        "| ARKit shape | shapes | made by the joints | left at most (mm) | chosen |",
        "|---|---|---|---|---|",
    ]
    for row in ranked(template):
        lines.append(
            f"| {row.name} | {len(row.members)} | {100 * row.explained:.0f} % | {row.left_mm:.1f} "
            f"| {'yes' if row.chosen else '-'} |"
        )
    return "\n".join(lines)


def motions_table(template: Template) -> str:
    """Expressive joints and what they do."""
    table = load_jnr(template, "jnr", asymmetric=True).table
    short = {"rotation": "R", "translation": "T"}
    lines = ["| joint | motion | variables |", "|---|---|---|"]
    total = 0
    for joint in EXPRESSIVE_JOINTS:
        own = [p for p in table.parameters if expresses(*p.name.partition(".")[::2])]
        own = [p for p in own if p.name.startswith(f"{joint}.")]
        motions = ", ".join(f"{short[p.name.partition('.')[2]]} {p.meaning}" for p in own)
        lines.append(f"| {joint} | {motions} | {sum(p.size for p in own)} |")
        total += sum(p.size for p in own)
    return "\n".join([*lines, f"| all | | {total} |"])


def _group(name: str, names: tuple[str, ...]) -> str:
    """A pair's common part; mouthLeft and mouthRight are a pair of their own."""
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(side) and name.removesuffix(side) + other in names:
            return name.removesuffix(side) + "Left/Right"
    return name


def _size(shapes: np.ndarray) -> float:
    """Root of the summed squares, averaged over a pair."""
    return float(np.sqrt((shapes**2).sum() / shapes.shape[1]))
