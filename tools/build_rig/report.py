"""docs/rig.md: what the rig is, and every figure measured on it by this build."""

from pathlib import Path

import numpy as np
import torch

from rigface.geometry.surface import Surface
from rigface.rig.rig import Rig
from rigface.rig.subdivision import subdivide

from .chart import chart_quality
from .quality import mixture_quality
from .weights import EAR_DELAY, GROUP_SHARE, SHARPNESS

_TEXT = """# The rig

*Written by `python -m tools.build_rig`; every number below was measured by that run on the asset
that it wrote.* `load_rig("anny", k=2)` gives the arrays.

## Skeleton

![All bones from the front](figures/rig_skeleton_front.png)
![All bones from the left](figures/rig_skeleton_side.png)

The 84 bones are those of the ASM supplement, Table 1, in its order (row 19, printed as a second
`lip_corner.L`, is `lip_corner.R`). Blue dots are bones under the skin, green squares carry other
bones and sit at pivots inside the head, red diamonds are attachment joints, which ASM does not
have and a game head needs. Left and right are exact mirror images. All bind rotations are the
identity, axes parallel to the model's; the supplement turns the root, which a rigid bind does not
need.

Every bone has an anchor on the outer skin, inside a triangle (barycentrics of at least
{bary:.2f}), so that dynamic binding has one derivative there. The template's midline is a line
of edges: anchors of midline bones lie in the triangle to its left, at most {midline:.1f} mm away,
while their joints lie on the midline exactly.

{bones}

## Chart

![The chart](figures/rig_chart.png)

A disc without seams: Tutte's embedding, then reweighted symmetric Dirichlet steps (SLIM) towards
the size that each triangle has on the head, with the scalp, neck and ears allowed to shrink. One
chart unit is 100 mm on the face. Blue is the face, pink the skin inside mouth, lids and nostrils:
the chart keeps the mouth and the eyes open, which is what separates the lips and the lids.

{chart}

## Initial weights

![Initial weights and their Gaussians](figures/rig_weights.png)

Stand-in for the supplement's Blender weights: bone heat on the skin, (L + M H) w = M H p with
H = {sharpness:g} / d^2, d the distance over the surface to the nearest bone. Group bones own what
no other bone reaches (head: scalp, root: nape, mouth: mouth bag, eye: socket) and {share:.0%} of
what their children hold; an ear's heat starts {delay:.0f} mm late so that it stays on the ear. A
vertex holds {held:.1f} influences on average.

## Gaussians

`variables` is 84 (11 + 6 K). Residuals are against the initial weights over the outer skin, by
area. `outside 4` is the weight that a 4-influence export drops; `pruning` what that costs when
every bone moves 3 mm (RMS) in a direction of its own. `across slits` is the largest weight of any
lip or lid bone on the opposite contact line, 4 mm around the shared corners left out; `share` is
the same as part of the bone's whole weight.

{mixtures}

Standard deviations in chart units for K = 2: {sigma_low:.3f} to {sigma_high:.2f}.

![Standard deviations of the K = 2 Gaussians](figures/rig_gaussians.png)

## Levels of detail

Fine vertices lie on the Loop limit surface of control points that were moved beforehand so that
the surface passes through the level-0 vertices. The operator is fixed and sparse; it is applied to
the posed skin.

{levels}
"""


def write_report(path: Path, skin, rigs: list[Rig]) -> None:
    """Measure and write the page."""
    rig = rigs[1]
    middle = np.array([not name.endswith((".L", ".R")) for name in rig.names])
    anchors = np.einsum("bc,bcd->bd", rig.anchor_bary, skin.vertices[rig.faces[rig.anchor_face]])
    deviations = _deviations(rig)
    text = _TEXT.format(
        bary=rig.anchor_bary.min(),
        midline=1e3 * np.abs(anchors[middle, 0]).max(),
        bones=_bone_table(rig),
        chart=_table(("figure", "value"), chart_quality(skin, rig.chart).items()),
        sharpness=SHARPNESS,
        share=GROUP_SHARE,
        delay=1e3 * EAR_DELAY,
        held=(rig.weights0 > 0).sum(axis=1).mean(),
        mixtures=_mixture_table(skin, rigs),
        sigma_low=deviations.min(),
        sigma_high=deviations.max(),
        levels=_level_table(skin),
    )
    path.write_text(text)


def _deviations(rig: Rig) -> np.ndarray:
    factor = np.zeros((*rig.chol.shape[:2], 2, 2))
    factor[..., 0, 0], factor[..., 1, 0], factor[..., 1, 1] = np.moveaxis(rig.chol, -1, 0)
    return np.linalg.svd(factor, compute_uv=False)


def _table(head, rows) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _bone_table(rig: Rig) -> str:
    rows = []
    for bone, name in enumerate(rig.names):
        parent = rig.names[rig.parents[bone]] if bone else "-"
        rows.append((bone, name, parent, _millimetres(rig.bind_positions[bone])))
    joints = rig.attachments
    for name, parent, position in zip(joints.names, joints.parents, joints.positions, strict=True):
        rows.append(("-", name, parent, _millimetres(position)))
    return _table(("index", "bone", "parent", "x, y, z (mm)"), rows)


def _millimetres(position: np.ndarray) -> str:
    return ", ".join(f"{1e3 * value:.1f}" for value in position + 0.0)


def _mixture_table(skin, rigs: list[Rig]) -> str:
    rows = []
    for rig in rigs:
        k = rig.log_pi.shape[1]
        q = mixture_quality(skin, rig.chart, rig.zeta0, rig.mixture, rig.weights0)
        rows.append(
            (k, 84 * (11 + 6 * k), f"{q['rms']:.3f}", f"{q['max']:.2f}", f"{q['tail']:.1%}",
             f"{q['prune_mean_mm']:.3f} / {q['prune_max_mm']:.2f}",
             f"{q['leak_max']:.2%}", f"{q['leak_share']:.2%}")
        )  # fmt: skip
    head = ("K", "variables", "RMS per vertex", "max", "outside 4", "pruning mean / max (mm)",
            "across slits", "share")  # fmt: skip
    return _table(head, rows)


def _level_table(skin) -> str:
    verts = len(skin.vertices)
    operators = [subdivide(skin.faces, level, verts) for level in range(3)]
    limit, faces = operators[2][0] @ skin.vertices, operators[2][1]
    surface = Surface(torch.tensor(limit), torch.tensor(faces))
    rows = []
    for level, (operator, fine) in enumerate(operators):
        centers = (operator @ skin.vertices)[fine].mean(axis=1)
        gap = 1e3 * surface.closest(torch.tensor(centers)).distance
        outer = torch.tensor(np.repeat(skin.outer_faces, 4**level))
        rows.append(
            (level, operator.shape[0], len(fine), f"{operator.nnz / operator.shape[0]:.0f}",
             "-" if level == 2 else f"{gap[outer].mean():.3f} / {gap[outer].max():.2f}")
        )  # fmt: skip
    head = ("level", "vertices", "faces", "entries per row",
            "face centres to level 2, outer skin, mean / max (mm)")  # fmt: skip
    return _table(head, rows)
