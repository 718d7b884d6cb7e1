"""A painted head: procedural skin with brows and lips, eyes with iris and pupil, teeth, tongue.

Colours are a function of the place on the *rest* template, so they follow every identity and
expression: each vertex carries its rest position, a pixel interpolates it and is painted there.
Not a likeness of anybody; detectors and people recognise a face in it.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.render.attributes import interpolate
from rigface.rig.template import Template

MM = 1e-3
IRIS_RADIUS = 5.85 * MM
"""Half of the human iris' diameter, 11.7 mm (perception: the metric scale of a photo)."""
_PUPIL_RADIUS = 1.9 * MM
_RIGHT_BROW, _LEFT_BROW = range(17, 22), range(26, 21, -1)
_BROW_HEIGHT = np.array([1.2, 2.6, 3.2, 3.4, 2.6]) * MM
"""Half the height of the hair, from the outer end to the inner."""
_BROW_EDGE = 1.0 * MM
_BROW_DROP = 1.0 * MM
"""The landmarks lie above the middle of the hair."""
_LIP_EDGE = 0.12
"""Half the width of the lips' border, as share of the mesh rings beside it."""
_PARTS = ("skin", "eyeball.L", "eyeball.R", "teeth.upper", "teeth.lower", "tongue")
_SKIN, _EYE_L, _EYE_R = 0, 1, 2


@dataclass(frozen=True)
class Palette:
    """Linear RGB of everything on a head."""

    skin: tuple[float, float, float] = (0.55, 0.34, 0.25)
    lips: tuple[float, float, float] = (0.42, 0.13, 0.12)
    brows: tuple[float, float, float] = (0.05, 0.03, 0.02)
    sclera: tuple[float, float, float] = (0.72, 0.70, 0.67)
    iris: tuple[float, float, float] = (0.10, 0.055, 0.025)
    pupil: tuple[float, float, float] = (0.005, 0.005, 0.005)
    teeth: tuple[float, float, float] = (0.72, 0.66, 0.55)
    tongue: tuple[float, float, float] = (0.45, 0.15, 0.14)
    mouth: tuple[float, float, float] = (0.12, 0.025, 0.02)

    @staticmethod
    def of_tone(tone: float) -> "Palette":
        """From very light (0) to very dark skin (1), with brows, lips and eyes that go with it."""

        def between(light: tuple, dark: tuple) -> tuple[float, float, float]:
            a, b = np.log(light), np.log(dark)
            red, green, blue = np.exp(a + float(np.clip(tone, 0, 1)) * (b - a))
            return float(red), float(green), float(blue)

        return Palette(
            skin=between((0.70, 0.50, 0.41), (0.085, 0.042, 0.026)),
            lips=between((0.52, 0.20, 0.18), (0.085, 0.028, 0.025)),
            brows=between((0.12, 0.07, 0.035), (0.008, 0.006, 0.005)),
            iris=between((0.13, 0.17, 0.19), (0.025, 0.012, 0.006)),
        )


@dataclass(frozen=True)
class HeadPaint:
    """The painted template as an `Albedo`; metres, the template's model space."""

    faces: Int[Tensor, "faces 3"]
    part: Int[Tensor, " faces"]
    """0 skin, 1 and 2 eyeballs L and R, 3 and 4 teeth, 5 tongue."""
    rest: Float[Tensor, "verts 3"]
    fields: Float[Tensor, "verts 2"]
    """Redness of the lips (1 inside their border, one half on it) and of the mouth's inside."""
    brows: Float[Tensor, "2 knots 3"]
    """Middle lines of the hair from the outer ends, right and left: x, y and half the height."""
    balls: Float[Tensor, "2 7"]
    """Of L and R: centre, gaze, radius."""
    palette: Palette = field(default_factory=Palette)
    mottle: float = 0.05
    """Relative strength of the irregularities of the skin; 0 paints it even."""
    scalp: Float[Tensor, " verts"] | None = None
    """1 where hair of the brows' colour grows, 0 elsewhere; None paints a bald head."""

    @staticmethod
    def of_template(
        template: Template,
        palette: Palette | None = None,
        mottle: float = 0.05,
        hair: bool = False,
    ) -> "HeadPaint":
        """Paint for all parts of a template, in its own face order."""
        mesh = template.mesh
        part = np.zeros(len(mesh.faces), dtype=np.int64)
        for number, name in enumerate(_PARTS):
            part[template.parts[name].faces] = number
        balls = [template.eyeballs[side] for side in "LR"]
        return HeadPaint(
            torch.from_numpy(mesh.faces),
            torch.from_numpy(part),
            torch.from_numpy(mesh.vertices),
            torch.from_numpy(_fields(template)),
            torch.from_numpy(_brow_lines(template)),
            torch.tensor([[*ball.centre, *ball.gaze, ball.radius] for ball in balls]).double(),
            palette or Palette(),
            mottle,
            torch.from_numpy(template.regions["scalp"].astype(np.float64)) if hair else None,
        )

    def with_irises(self, times: float) -> "HeadPaint":
        """With irises and pupils so many times as wide."""
        balls = self.balls.clone()
        balls[:, 6] /= times  # rings are measured on a ball of this radius
        return replace(self, balls=balls)

    def only(self, faces: Int[np.ndarray, " kept"]) -> "HeadPaint":
        """For a list of some of these faces."""
        kept = torch.from_numpy(faces)
        return replace(self, faces=self.faces[kept], part=self.part[kept])

    def at(
        self, face: Int[Tensor, " pixels"], bary: Float[Tensor, "pixels 3"]
    ) -> Float[Tensor, "pixels 3"]:
        """Linear RGB at points on faces."""
        place = interpolate(self.rest, self.faces, face, bary)
        part = self.part[face]
        plain = [self.palette.skin, *2 * [self.palette.sclera], *2 * [self.palette.teeth]]
        colour = torch.tensor([*plain, self.palette.tongue]).to(place)[part]
        skin = part == _SKIN
        fields = interpolate(self.fields, self.faces, face[skin], bary[skin])
        colour[skin] = self._skin(place[skin], fields)
        for ball, number in zip(self.balls, (_EYE_L, _EYE_R), strict=True):
            mine = part == number
            colour[mine] = self._eye(place[mine], ball)
        return colour if self.scalp is None else self._hairy(colour, self.scalp, face, bary)

    def _skin(self, place: Tensor, fields: Tensor) -> Tensor:
        base = torch.tensor(self.palette.skin).to(place).expand_as(place)
        waves = torch.sin(place @ _WAVES.to(place)).mean(dim=-1, keepdim=True)
        colour = base * (1 + self.mottle * waves)
        colour = _mix(colour, self.palette.brows, 0.92 * self._brow_cover(place))
        colour = _mix(colour, self.palette.lips, _step(fields[:, 0], 0.5, _LIP_EDGE))
        return _mix(colour, self.palette.mouth, _step(fields[:, 1], 0.5, 0.5))

    def _hairy(self, colour: Tensor, scalp: Tensor, face: Tensor, bary: Tensor) -> Tensor:
        share = interpolate(scalp[:, None], self.faces, face, bary)
        cover = ((share - 0.3) / 0.4).clamp(0, 1)
        return colour * (1 - cover) + cover * torch.tensor(self.palette.brows).to(share)

    def _brow_cover(self, place: Tensor) -> Tensor:
        """1 under the hair, 0 beside it: the nearest of the discs strung along the line."""
        best = torch.full_like(place[:, 0], -torch.inf)
        for line in self.brows.to(place):
            for start, end in zip(line[:-1], line[1:], strict=True):
                along = end - start
                t = ((place[:, :2] - start[:2]) @ along[:2]) / (along[:2] @ along[:2])
                near = start + t.clamp(0, 1)[:, None] * along
                inside = near[:, 2] - (place[:, :2] - near[:, :2]).norm(dim=-1)
                best = torch.maximum(best, inside)
        front = (place[:, 2] > 0).to(place)
        return _step(best, 0.0, _BROW_EDGE) * front

    def _eye(self, place: Tensor, ball: Tensor) -> Tensor:
        """Rings about the gaze axis: pupil, iris with a dark rim, sclera that reddens outwards."""
        centre, gaze, radius = ball[:3].to(place), ball[3:6].to(place), ball[6].to(place)
        ray = torch.nn.functional.normalize(place - centre, dim=-1)
        away = radius * torch.linalg.cross(ray, gaze.expand_as(ray)).norm(dim=-1)
        away = torch.where(ray @ gaze > 0, away, radius)
        sclera = torch.tensor(self.palette.sclera).to(place).expand_as(place)
        tint = torch.tensor([0.0, -0.12, -0.14]).to(place)
        colour = sclera * (1 + tint * (away / radius)[:, None].clamp(0, 1) ** 2)
        inside = 1 - _step(away, IRIS_RADIUS, 0.35 * MM)
        colour = _mix(colour, self.palette.iris, inside)
        rim = inside * _step(away, 0.86 * IRIS_RADIUS, 0.6 * MM)
        colour = colour * (1 - 0.6 * rim[:, None])
        return _mix(colour, self.palette.pupil, 1 - _step(away, _PUPIL_RADIUS, 0.25 * MM))


_WAVES = torch.from_numpy(
    np.random.default_rng(7).normal(size=(3, 24)) * np.geomspace(60.0, 900.0, 24)
)
"""Wave vectors of the irregular skin, 1/m."""


def _fields(template: Template) -> Float[np.ndarray, "verts 2"]:
    """The lips' red, ring by ring from their border inwards, and the inside of the mouth."""
    verts = len(template.mesh.vertices)
    faces = template.mesh.faces[template.parts["skin"].faces]
    border = np.zeros(verts, dtype=bool)
    border[template.loops["lip.border"]] = True
    mouth = template.regions["mouth_cavity"]
    red = template.regions["lip_ring"].copy()
    while True:  # grow over the rings until the border stops it
        touched = red[faces].any(axis=1)
        grown = np.zeros(verts, dtype=bool)
        grown[faces[touched]] = True
        grown = (grown & ~border & ~mouth) | red
        if (grown == red).all():
            break
        red = grown
    return np.stack([red + 0.5 * border + 1.0 * mouth, mouth * 1.0], axis=1)


def _brow_lines(template: Template) -> Float[np.ndarray, "2 knots 3"]:
    mesh, marks = template.mesh, template.landmarks
    points = marks.positions(mesh.vertices, mesh.faces)
    lines = []
    for numbers in (_RIGHT_BROW, _LEFT_BROW):
        flat = points[[marks.names.index(f"ibug.{number}") for number in numbers], :2]
        flat = flat - np.array([0.0, _BROW_DROP])
        lines.append(np.column_stack([flat, _BROW_HEIGHT]))
    return np.array(lines)


def _step(value: Tensor, threshold: float, half_width: float) -> Tensor:
    """0 below, 1 above, smooth between."""
    t = ((value - threshold) / (2 * half_width) + 0.5).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _mix(colour: Tensor, other: tuple[float, float, float], share: Tensor) -> Tensor:
    return colour + share[:, None] * (torch.tensor(other).to(colour) - colour)
