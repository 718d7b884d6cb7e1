"""Pictures for docs/rig.md: skeleton front and side, chart, weights. Needs matplotlib."""

import colorsys
import io
from pathlib import Path

import numpy as np
import torch

from rigface.geometry.mesh import face_normals
from rigface.geometry.surface import Surface
from rigface.rig.gmm import mixture_weights
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


def draw_figures(skin, rig, folder: Path) -> None:
    """All pictures of docs/rig.md."""
    folder.mkdir(parents=True, exist_ok=True)
    draw_skeleton(skin, rig, folder)
    draw_chart(skin, rig, folder)
    draw_weights(skin, rig, folder)
    draw_gaussians(skin, rig, folder)


def draw_skeleton(skin, rig, folder: Path) -> None:
    """One picture per view with every name; from the front the right side stays unlabelled."""
    plt = _pyplot()
    close = {"front": (0.0, -0.028, 0.062), "side": (-0.002, -0.028, 0.062)}
    for view in ("front", "side"):
        figure, panels = plt.subplots(1, 2, figsize=(26, 13))
        for axes, window in zip(panels, (None, close[view]), strict=True):
            image, extent = shaded(skin.vertices, skin.faces, view, window=window)
            axes.imshow(image, extent=extent)
            _draw_bones(axes, rig, view, extent, in_detail=window is not None, close=close[view])
            axes.set_axis_off()
        figure.tight_layout(pad=0)
        _save(plt, figure, folder / f"rig_skeleton_{view}.png", 60)


def _draw_bones(axes, rig, view, extent, in_detail: bool, close) -> None:
    at = project(rig.bind_positions, view)
    extra = project(rig.attachments.positions, view)
    places = dict(zip(rig.names, at, strict=True))
    places |= dict(zip(ATTACHMENT_NAMES, extra, strict=True))
    for bone, parent in enumerate(rig.parents):
        if parent >= 0:
            axes.plot(*at[[bone, parent]].T, color="tab:blue", lw=0.5, alpha=0.4)
    for name, parent in zip(ATTACHMENT_NAMES, ATTACHMENT_PARENTS, strict=True):
        pair = np.array([places[name], places[str(parent)]])
        axes.plot(*pair.T, color="tab:red", lw=0.7, alpha=0.5)
    group = np.array([name in GROUP_BONES for name in rig.names])
    axes.plot(*at[~group].T, "o", ms=4, color="tab:blue")
    axes.plot(*at[group].T, "s", ms=6, color="tab:green")
    axes.plot(*extra.T, "D", ms=5, color="tab:red")
    axes.set_xlim(*extent[:2])
    axes.set_ylim(*extent[2:])
    crowded = np.array(close[:2])
    labelled = {
        name: point
        for name, point in places.items()
        if not name.endswith(".R")
        and (np.abs(point - crowded).max() < close[2] * 0.97) == in_detail
    }
    _label(axes, labelled, 0.0024 if in_detail else 0.005)


def _label(axes, places: dict[str, np.ndarray], gap: float) -> None:
    """Names beside their points, pushed apart so that none covers another."""
    names = sorted(places, key=lambda name: -places[name][1])
    spots = np.array([places[name] for name in names]) + [gap, 0]
    lengths = np.array([len(name) for name in names]) * gap * 0.62
    for _ in range(300):
        moved = False
        for i in range(len(names)):
            for j in range(i + 1, len(names)):
                dy = spots[i, 1] - spots[j, 1]
                left, right = (i, j) if spots[i, 0] < spots[j, 0] else (j, i)
                if spots[right, 0] - spots[left, 0] < lengths[left] and abs(dy) < gap:
                    push = 0.25 * (gap - abs(dy)) * (1 if dy >= 0 else -1)
                    spots[i, 1] += push
                    spots[j, 1] -= push
                    moved = True
        if not moved:
            break
    for name, spot in zip(names, spots, strict=True):
        axes.plot(*np.stack([places[name], spot]).T, color="black", lw=0.4)
        axes.text(*spot, name, fontsize=10, va="center")


def draw_chart(skin, rig, folder: Path) -> None:
    """Triangles of the chart with the anchors, and its middle enlarged."""
    plt = _pyplot()
    from matplotlib.collections import PolyCollection

    colour = np.full((len(skin.faces), 3), [0.92, 0.92, 0.88])
    colour[~skin.outer_faces] = [1.0, 0.65, 0.65]
    colour[skin.ear_faces] = [0.75, 0.95, 0.75]
    colour[skin.face_faces] = [0.65, 0.82, 1.0]
    figure, panels = plt.subplots(1, 2, figsize=(26, 13))
    whole = np.abs(rig.chart).max()
    nose = rig.zeta0[rig.index("nose_mid")]
    views = ((0, 0, whole), (0, nose[1], 0.7))
    for axes, (u, v, half) in zip(panels, views, strict=True):
        axes.add_collection(
            PolyCollection(rig.chart[skin.faces], facecolors=colour, edgecolors="k", linewidths=0.1)
        )
        axes.plot(*rig.zeta0.T, "o", ms=3, color="tab:blue")
        axes.set_xlim(u - half, u + half)
        axes.set_ylim(v - half, v + half)
        axes.set_aspect("equal")
        for name, point in zip(rig.names, rig.zeta0, strict=True):
            inside = np.abs(point - [u, v]).max() < half
            if not name.endswith(".R") and inside and half < whole:
                axes.annotate(name, point, (2, 2), textcoords="offset points", fontsize=8)
    figure.tight_layout()
    _save(plt, figure, folder / "rig_chart.png", 60)


def draw_weights(skin, rig, folder: Path) -> None:
    """Some bones and all of them: initial weights above, Gaussians below."""
    plt = _pyplot()
    fitted = mixture_weights(rig.chart, rig.zeta0, rig.mixture)
    some = ("lip_upper_mid", "lip_corner.L", "eyelid_middle.L", "apple_center.L", "jaw.L", "head")
    colours = _bone_colours(len(rig.names))
    figure, panels = plt.subplots(2, len(some) + 2, figsize=(4 * (len(some) + 2), 8.4))
    for row, (weights, title) in enumerate(((rig.weights0, "heat"), (fitted, "Gaussians, K = 2"))):
        face_weights = weights[skin.faces].mean(axis=1)
        pictures = [("front", face_weights @ colours, "all bones"),
                    ("side", face_weights @ colours, "all bones")]  # fmt: skip
        heat = plt.get_cmap("magma_r")
        pictures += [
            ("side" if n == "jaw.L" else "front", heat(face_weights[:, rig.index(n)])[:, :3], n)
            for n in some
        ]
        for axes, (view, colour, name) in zip(panels[row], pictures, strict=True):
            image, extent = shaded(skin.vertices, skin.faces, view, 500, color=colour)
            axes.imshow(image, extent=extent)
            axes.set_title(f"{name}: {title}", fontsize=11)
            axes.set_axis_off()
    figure.tight_layout()
    figure.savefig(folder / "rig_weights.png", dpi=55)
    plt.close(figure)


def draw_gaussians(skin, rig, folder: Path) -> None:
    """One-sigma ellipses over the chart's middle, opacity by amplitude."""
    plt = _pyplot()
    from matplotlib.patches import Ellipse

    figure, axes = plt.subplots(figsize=(12, 12))
    axes.triplot(*rig.chart.T, skin.faces, lw=0.15, color="0.7")
    colours = _bone_colours(len(rig.names))
    for bone in range(len(rig.names)):
        for log_pi, mu, (l11, l21, l22) in zip(
            rig.log_pi[bone], rig.mu[bone], rig.chol[bone], strict=True
        ):
            axis, length, _ = np.linalg.svd(np.array([[l11, 0], [l21, l22]]))
            angle = np.degrees(np.arctan2(axis[1, 0], axis[0, 0]))
            shade = float(np.clip(0.5 + 0.1 * log_pi, 0.08, 1))
            center = rig.zeta0[bone] + mu
            axes.add_patch(
                Ellipse(center, *(2 * length), angle=angle, fill=False, color=colours[bone],
                        alpha=shade, lw=1.2)
            )  # fmt: skip
    half = 1.15
    v = rig.zeta0[rig.index("nose_mid"), 1]
    axes.plot(*rig.zeta0.T, "k.", ms=3)
    axes.set_xlim(-half, half)
    axes.set_ylim(v - half, v + half)
    axes.set_aspect("equal")
    figure.tight_layout()
    _save(plt, figure, folder / "rig_gaussians.png", 60)


def _bone_colours(count: int) -> np.ndarray:
    """Saturated, well separated colours in a fixed order."""
    hue = (np.arange(count) * 0.618034) % 1
    value = np.where(np.arange(count) % 2, 0.75, 1.0)
    return np.array([colorsys.hsv_to_rgb(h, 0.8, v) for h, v in zip(hue, value, strict=True)])


def _pyplot():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def _save(plt, figure, path: Path, dpi: int) -> None:
    """A palette picture: a third of the bytes. The octree keeps the few saturated pixels."""
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi)
    plt.close(figure)
    Image.open(buffer).convert("RGB").quantize(256, Image.Quantize.FASTOCTREE).save(
        path, optimize=True
    )
