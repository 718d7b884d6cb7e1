"""Pictures for docs/rig.md: skeleton front and side, chart, weights. Needs matplotlib."""

from pathlib import Path

import numpy as np
import torch

from rigface.geometry.mesh import face_normals
from rigface.geometry.surface import Surface
from rigface.rig.skeleton import ATTACHMENT_NAMES, ATTACHMENT_PARENTS, GROUP_BONES

_VIEWS = {
    "front": (np.array([1.0, 0, 0]), np.array([0.0, 0, 1]), np.array([0.0, -0.012, 0.135])),
    "side": (np.array([0.0, 0, -1]), np.array([1.0, 0, 0]), np.array([0.062, -0.012, 0.135])),
}


def shaded(vertices, faces, view: str, size: int = 1000, window=None, color=None):
    """Orthographic grey picture and its extent (left, right, bottom, top) in metres."""
    right, towards, full = _VIEWS[view]
    u0, v0, half = full if window is None else window
    grid = ((np.arange(size) + 0.5) / size * 2 - 1) * half
    u, v = np.meshgrid(grid + u0, v0 - grid)
    origin = u[..., None] * right + v[..., None] * [0, 1, 0] + 0.5 * towards
    directions = np.broadcast_to(-towards, (size * size, 3)).copy()
    surface = Surface(torch.tensor(vertices), torch.tensor(faces))
    face, _ = surface.ray(torch.tensor(origin.reshape(-1, 3)), torch.tensor(directions))
    face = face.numpy().reshape(size, size)
    light = 0.45 + 0.55 * np.abs(face_normals(vertices, faces) @ towards)
    base = np.full((len(faces), 3), 0.95) if color is None else color
    image = np.where((face >= 0)[..., None], (base * light[:, None])[face], 1.0)
    return image, (u0 - half, u0 + half, v0 - half, v0 + half)


def project(points: np.ndarray, view: str) -> np.ndarray:
    """Picture coordinates of 3-D points."""
    return np.stack([points @ _VIEWS[view][0], points[:, 1]], axis=1)


def draw_skeleton(skin, rig, folder: Path) -> None:
    """One labelled picture per view; the right half is not labelled from the front."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    for view in ("front", "side"):
        figure, axes = plt.subplots(figsize=(17, 17))
        image, extent = shaded(skin.vertices, skin.faces, view)
        axes.imshow(image, extent=extent)
        at = project(rig.bind_positions, view)
        extra = project(rig.attachments.positions, view)
        for bone, parent in enumerate(rig.parents):
            if parent >= 0:
                axes.plot(*at[[bone, parent]].T, color="tab:blue", lw=0.4, alpha=0.5)
        everything = dict(zip(rig.names, at, strict=True))
        everything |= dict(zip(ATTACHMENT_NAMES, extra, strict=True))
        for name, parent in zip(ATTACHMENT_NAMES, ATTACHMENT_PARENTS, strict=True):
            pair = np.array([everything[name], everything[str(parent)]])
            axes.plot(*pair.T, color="tab:red", lw=0.6, alpha=0.6)
        group = np.array([name in GROUP_BONES for name in rig.names])
        axes.plot(*at[~group].T, "o", ms=4, color="tab:blue")
        axes.plot(*at[group].T, "s", ms=6, color="tab:green")
        axes.plot(*extra.T, "D", ms=5, color="tab:red")
        for name, point in everything.items():
            if not name.endswith(".R"):
                axes.annotate(name, point, (3, 2), textcoords="offset points", fontsize=9)
        axes.set_axis_off()
        figure.tight_layout(pad=0)
        figure.savefig(folder / f"rig_skeleton_{view}.png", dpi=70)
        plt.close(figure)
