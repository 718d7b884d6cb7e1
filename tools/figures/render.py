"""A small software renderer for pictures in the documentation: ray casting, soft studio light."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from rigface.geometry.mesh import vertex_normals
from rigface.geometry.surface import Surface

KEY, FILL, RIM = (np.array(v) for v in ([-0.5, 0.7, 0.9], [0.9, 0.1, 0.7], [0.6, 0.7, -0.6]))
REACH = 0.08
"""Metres within which a surface shades another (ambient occlusion)."""


@dataclass(frozen=True)
class View:
    """A perspective camera that looks at `target` from `distance`, turned by yaw and pitch."""

    target: tuple[float, float, float] = (0.0, -0.035, 0.0)
    yaw: float = 0.0
    """Degrees; positive shows the subject's left side."""
    pitch: float = 0.0
    """Degrees; positive looks down."""
    height: float = 0.27
    """Metres of the scene that the picture's height spans at the target."""
    distance: float = 1.0

    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Right, up and towards-the-viewer directions."""
        yaw, pitch = np.radians([self.yaw, self.pitch])
        back = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
        right = np.cross([0.0, 1.0, 0.0], back)
        right /= np.linalg.norm(right)
        return right, np.cross(back, right), back

    def eye(self) -> np.ndarray:
        """Where the camera stands."""
        return np.array(self.target) + self.distance * self.axes()[2]

    def rays(self, width: int, height: int) -> np.ndarray:
        """Unit directions of all pixels, row by row: (height * width, 3)."""
        right, up, back = self.axes()
        unit = self.height / height
        u = (np.arange(width) + 0.5 - width / 2) * unit
        v = (height / 2 - np.arange(height) - 0.5) * unit
        grid = u[None, :, None] * right + v[:, None, None] * up - self.distance * back
        flat = grid.reshape(-1, 3)
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    def project(self, points: np.ndarray, width: int, height: int) -> np.ndarray:
        """Pixel coordinates (x, y) of 3-D points."""
        right, up, back = self.axes()
        offset = points - self.eye()
        size = self.distance * height / (self.height * -(offset @ back))
        return np.column_stack(
            [width / 2 + size * (offset @ right), height / 2 - size * (offset @ up)]
        )


@dataclass(frozen=True)
class Look:
    """Colours of a mesh, linear RGB: one per vertex, or one per face where `faces` is given."""

    vertices: Float[np.ndarray, "verts 3"] | None = None
    faces: Float[np.ndarray, "faces 3"] | None = None
    shine: Float[np.ndarray, " faces"] | None = None
    """Strength of the highlight by face; 0.15 where not given."""


def render(
    vertices: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
    look: Look,
    view: View,
    size: tuple[int, int],
    samples: int = 3,
    flat: bool = False,
) -> Float[np.ndarray, "height width 4"]:
    """Linear RGBA of a mesh; `samples` squared rays per pixel; `flat` shows the facets."""
    width, height = size[0] * samples, size[1] * samples
    surface = Surface(torch.tensor(vertices), torch.tensor(faces))
    rays = view.rays(width, height)
    origin = torch.tensor(np.broadcast_to(view.eye(), rays.shape).copy())
    face, distance = surface.ray(origin, torch.tensor(rays))
    face, hit = face.numpy(), (face >= 0).numpy()
    out = np.zeros((len(rays), 4))
    place = view.eye() + distance.numpy()[hit, None] * rays[hit]
    out[hit, :3] = _shade(vertices, faces, look, surface, place, face[hit], rays[hit], flat)
    out[hit, 3] = 1.0
    return out.reshape(size[1], samples, size[0], samples, 4).mean(axis=(1, 3))


def _shade(vertices, faces, look, surface, place, face, rays, flat) -> np.ndarray:
    corners = faces[face]
    bary = _barycentric(place, vertices[corners])
    smooth = vertex_normals(vertices, faces)
    if flat:
        edge = vertices[corners[:, 1:]] - vertices[corners[:, :1]]
        normal = np.cross(edge[:, 0], edge[:, 1])
    else:
        normal = np.einsum("nc,ncd->nd", bary, smooth[corners])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    normal *= np.where((normal * rays).sum(1) > 0, -1.0, 1.0)[:, None]
    if look.faces is not None:
        base = look.faces[face]
    else:
        assert look.vertices is not None
        base = np.einsum("nc,ncd->nd", bary, look.vertices[corners])
    open_sky = np.einsum("nc,nc->n", bary, _openness(vertices, smooth, surface)[corners])
    shine = np.full(len(face), 0.15) if look.shine is None else look.shine[face]
    return _lit(base, normal, rays, open_sky, shine)


def _lit(base, normal, rays, open_sky, shine) -> np.ndarray:
    """Three lamps, a sky dimmed where the surface is enclosed, and a soft highlight."""
    key, fill, rim = (v / np.linalg.norm(v) for v in (KEY, FILL, RIM))
    sky = (0.5 + 0.5 * normal[:, 1]) * 0.35 + 0.2
    light = sky * open_sky + open_sky**0.5 * (
        0.75 * np.maximum(normal @ key, 0) + 0.22 * np.maximum(normal @ fill, 0)
    )
    light += 0.15 * open_sky * np.maximum(normal @ rim, 0)
    half = key - rays
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    gloss = np.maximum((normal * half).sum(1), 0)
    spark = shine * open_sky * (0.25 * gloss**18 + np.where(shine > 0.5, 0.9 * gloss**150, 0))
    return base * light[:, None] + spark[:, None]


def _openness(vertices, normals, surface, count: int = 128) -> Float[np.ndarray, " verts"]:
    """Share of the half space over each vertex that is free within REACH."""
    turn = np.pi * (1 + 5**0.5) * np.arange(count)
    z = 1 - (2 * np.arange(count) + 1) / count
    ring = np.sqrt(1 - z * z)
    sphere = np.column_stack([ring * np.cos(turn), ring * np.sin(turn), z])
    start = torch.tensor(vertices + 4e-4 * normals)
    free = surface.escape_share(start, torch.tensor(sphere), REACH).numpy()
    return np.clip(2 * free, 0.0, 1.0)


def _barycentric(points: np.ndarray, triangles: np.ndarray) -> Float[np.ndarray, "points 3"]:
    a, b, c = triangles.transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    area = np.maximum((normal * normal).sum(1), 1e-20)
    u = (np.cross(c - b, points - b) * normal).sum(1) / area
    v = (np.cross(a - c, points - c) * normal).sum(1) / area
    out = np.clip(np.column_stack([u, v, 1 - u - v]), 0, 1)
    return out / out.sum(axis=1, keepdims=True)


def over(
    image: Float[np.ndarray, "height width 4"], background: tuple[float, float, float] | np.ndarray
) -> np.ndarray:
    """The picture on a background (linear), as 8-bit sRGB. Colours are premultiplied."""
    alpha = image[..., 3:]
    linear = np.clip(image[..., :3] + (1 - alpha) * np.asarray(background), 0, 1)
    srgb = np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * srgb).astype(np.uint8)


def linear_from_hex(color: str) -> Float[np.ndarray, "3"]:
    """A web colour as linear RGB."""
    value = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value < 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def silhouette(image: Float[np.ndarray, "height width 4"]) -> Bool[np.ndarray, "height width"]:
    """Pixels that the mesh covers."""
    return image[..., 3] > 0.5
