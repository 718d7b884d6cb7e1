"""`python -m tools.build_template.figures`: the pictures of docs/template.md."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from rigface.geometry.mesh import vertex_normals
from rigface.geometry.surface import Surface
from rigface.rig.template import Template
from rigface.rig.template_io import load_template

FIGURES = Path(__file__).parents[2] / "docs/figures"
SKIN, EYE, TEETH, TONGUE = (0.85, 0.70, 0.62), (0.9, 0.92, 1.0), (1.0, 1.0, 0.85), (0.9, 0.4, 0.45)
PART_COLOURS = {"skin": SKIN, "eyeball.L": EYE, "eyeball.R": EYE, "teeth.upper": TEETH,
                "teeth.lower": TEETH, "tongue": TONGUE}  # fmt: skip
REGION_COLOURS = {
    "forehead": (0.9, 0.7, 0.3), "brows": (0.5, 0.3, 0.1), "eyes": (0.3, 0.6, 1.0),
    "nose": (1.0, 0.4, 0.4), "cheeks": (1.0, 0.75, 0.8), "lips": (0.9, 0.2, 0.4),
    "jaw": (0.5, 0.8, 0.4), "ears": (0.7, 0.4, 0.9), "scalp": (0.6, 0.6, 0.6),
    "neck": (0.4, 0.8, 0.8), "inner": (0.1, 0.1, 0.1), "lid_rim.L": (1.0, 1.0, 0.0),
    "lid_rim.R": (1.0, 1.0, 0.0), "lip_ring": (1.0, 1.0, 0.0),
}  # fmt: skip


class View:
    """An orthographic picture; yaw turns the camera to the subject's left, degrees."""

    def __init__(self, yaw: float = 0, centre=(0, -0.02, -0.04), span=0.28, size=480):
        turn = np.radians(yaw)
        self.right = np.array([np.cos(turn), 0.0, -np.sin(turn)])
        self.back = np.array([np.sin(turn), 0.0, np.cos(turn)])
        self.centre, self.span, self.size = np.array(centre), span, size

    def pixel(self, point: np.ndarray) -> tuple[float, float]:
        """Column and row of a point."""
        at = point - self.centre
        scale = self.size / self.span
        across, up = float(at @ self.right), float(at[1])
        return self.size / 2 + scale * across, self.size / 2 - scale * up

    def draw(self, vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> Image.Image:
        """Shaded faces of the given colours on white."""
        axis = (np.arange(self.size) + 0.5) / self.size - 0.5
        across, down = np.meshgrid(axis * self.span, axis * self.span)
        origin = self.centre + across.reshape(-1, 1) * self.right + self.back
        origin = origin - down.reshape(-1, 1) * np.array([0.0, 1.0, 0.0])
        ahead = np.broadcast_to(-self.back, origin.shape).copy()
        surface = Surface(torch.from_numpy(vertices.copy()), torch.from_numpy(faces))
        hit, distance = surface.ray(torch.from_numpy(origin), torch.from_numpy(ahead))
        seen = np.flatnonzero(hit.numpy() >= 0)
        face = hit.numpy()[seen]
        point = origin[seen] + distance.numpy()[seen, None] * ahead[seen]
        normal = _interpolated(point, vertices, faces[face], vertex_normals(vertices, faces))
        light = np.abs(normal @ (0.8 * self.back - 0.35 * self.right + [0, 0.45, 0])).clip(0, 1)
        picture = np.ones((self.size**2, 3))
        picture[seen] = colours[face] * (0.25 + 0.75 * light[:, None])
        shape = (self.size, self.size, 3)
        return Image.fromarray((255 * picture.reshape(shape).clip(0, 1)).astype(np.uint8))


def main() -> None:
    """Write all figures."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    template = load_template()
    pictures = {
        "regions": _regions(template),
        "poses": _poses(template),
        "landmarks": _landmarks(template),
        "population": _population(template),
    }
    for name, picture in pictures.items():
        picture.quantize(160).save(FIGURES / f"template_{name}.png", optimize=True)


def _regions(template: Template) -> Image.Image:
    colours = np.tile(np.array(EYE), (len(template.mesh.faces), 1))
    for least in (1, 2):  # most corners decide; where three regions meet, any
        for name, colour in REGION_COLOURS.items():
            members = template.regions[name][template.mesh.faces].sum(axis=1)
            colours[members >= least] = colour
    views = [View(0), View(90), View(25, (0, -0.035, 0.02), 0.14)]
    faces = template.mesh.faces
    return _row([view.draw(template.mesh.vertices, faces, colours) for view in views])


def _poses(template: Template) -> Image.Image:
    shapes = template.expressions.dense(len(template.mesh.vertices))
    shapes = dict(zip(template.expressions.names, shapes, strict=True))
    colours = _part_colours(template)
    rows = []
    for names in (("", "eyeBlink", "jawOpen", "mouthSmile"), ("mouthPucker", "eyeLookDown",
                  "eyeWide", "mouthShrugLower")):  # fmt: skip
        row = []
        for name in names:
            vertices = template.mesh.vertices.copy()
            for sided in (name, f"{name}Left", f"{name}Right"):
                vertices += shapes.get(sided, 0.0)
            view = View(15, (0, -0.035, 0.02), 0.17, 360)
            row.append(view.draw(vertices, template.mesh.faces, colours))
        rows.append(_row(row))
    return _column(rows)


def _landmarks(template: Template) -> Image.Image:
    points = template.landmarks.positions(template.mesh.vertices, template.mesh.faces)
    out = []
    for view in (View(0, (0, -0.035, 0), 0.17, 640), View(45, (0.01, -0.035, 0), 0.17, 640)):
        picture = view.draw(template.mesh.vertices, template.mesh.faces, _part_colours(template))
        pen = ImageDraw.Draw(picture)
        for mark, point in enumerate(points):
            x, y = view.pixel(point)
            pen.ellipse([x - 2, y - 2, x + 2, y + 2], fill=(200, 0, 0))
            pen.text((x + 3, y - 5), str(mark), fill=(0, 0, 160))
        out.append(picture)
    return _row(out)


def _population(template: Template) -> Image.Image:
    rng, colours = np.random.default_rng(1), _part_colours(template)
    mean = template.mesh.vertices + template.shape_mean
    rows = []
    for count in range(3):
        heads = []
        for column in range(5):
            if count == 0:
                offset = template.shape_modes[column] * 2.0
            else:
                weight = rng.normal(size=len(template.shape_modes))
                offset = np.tensordot(weight, template.shape_modes, axes=1)
            view = View(20, (0, -0.02, -0.02), 0.3, 260)
            heads.append(view.draw(mean + offset, template.mesh.faces, colours))
        rows.append(_row(heads))
    return _column(rows)


def _part_colours(template: Template) -> np.ndarray:
    out = np.empty((len(template.mesh.faces), 3))
    for name, part in template.parts.items():
        out[part.faces] = PART_COLOURS[name]
    return out


def _interpolated(
    points: np.ndarray, vertices: np.ndarray, corners: np.ndarray, normals: np.ndarray
) -> np.ndarray:
    a, b, c = (vertices[corners[:, k]] for k in range(3))
    whole = np.cross(b - a, c - a)
    square = (whole**2).sum(axis=1)
    shares = [
        (np.cross(q - p, points - p) * whole).sum(axis=1) / square
        for p, q in ((b, c), (c, a), (a, b))
    ]
    out = sum(share[:, None] * normals[corners[:, k]] for k, share in enumerate(shares))
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def _row(pictures: list[Image.Image]) -> Image.Image:
    return Image.fromarray(np.concatenate([np.asarray(p) for p in pictures], axis=1))


def _column(pictures: list[Image.Image]) -> Image.Image:
    return Image.fromarray(np.concatenate([np.asarray(p) for p in pictures], axis=0))


if __name__ == "__main__":
    main()
