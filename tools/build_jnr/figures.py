"""The joints on the head, front and side. Needs matplotlib."""

from pathlib import Path

import numpy as np
from tools.build_rig.figures import _label, _pyplot, _save, project, shaded
from tools.build_rig.skin import Skin

from rigface.rig.jnr_skeleton import JNR_NAMES, JNR_PARENTS, other_side


def draw_skeleton(skin: Skin, joints: np.ndarray, path: Path) -> None:
    """Every joint with its bone to the parent; names of the left and the middle."""
    plt = _pyplot()
    figure, panels = plt.subplots(1, 2, figsize=(26, 13))
    for axes, view in zip(panels, ("front", "side"), strict=True):
        image, extent = shaded(skin.vertices, skin.faces, view)
        axes.imshow(image, extent=extent)
        at = project(joints, view)
        for joint, parent in enumerate(JNR_PARENTS):
            if parent >= 0:
                axes.plot(*at[[joint, parent]].T, color="tab:blue", lw=0.8, alpha=0.5)
        axes.plot(*at.T, "o", ms=5, color="tab:blue")
        left = {n: at[i] for i, n in enumerate(JNR_NAMES) if _left(n)}
        _label(axes, left, 0.0045)
        axes.set_xlim(*extent[:2])
        axes.set_ylim(*extent[2:])
        axes.set_axis_off()
    figure.tight_layout(pad=0)
    _save(plt, figure, path, 50)


def _left(name: str) -> bool:
    return other_side(name) == name or name.startswith("L_") or name == "Mouth_Left_Corner"
