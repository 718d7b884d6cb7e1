"""`python -m tools.figures.prior`: the mean of the identity prior and its first modes."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rigface.geometry.similarity import align_points
from rigface.models.identity import AsmIdentity
from rigface.rig.template import Template
from rigface.rig.template_io import load_template

from .render import Look, View, linear_from_hex, over, render

MODES, SIGMAS = 6, 2.0
PANEL = (170, 210)
VIEWS = (
    View(target=(0.0, -0.03, 0.0), height=0.29),
    View(target=(0.0, -0.03, -0.02), yaw=-60, height=0.29),
)
PAGE = linear_from_hex("#f4f6f9")
SKIN, BALL = (0.42, 0.36, 0.33), (0.62, 0.62, 0.62)


def head(
    model: AsmIdentity, template: Template, mode: int, amount: float
) -> tuple[np.ndarray, np.ndarray, Look]:
    """Outer skin of one point of the prior, with eyeballs that follow their lids."""
    x = model.table.zeros()
    x[mode] = amount
    skin, rest = model.vertices(x).numpy(), template.mesh.vertices
    parts, faces = [skin], [model.faces.numpy()]
    for side in "LR":
        rim = np.flatnonzero(template.regions[f"lid_rim.{side}"])
        ball = template.parts[f"eyeball.{side}"]
        move = align_points(rest[rim], skin[rim])
        offset = sum(map(len, parts)) - ball.vertices.start
        parts.append(move.apply(rest[ball.vertices]))
        faces.append(template.mesh.faces[ball.faces] + offset)
    colors = np.concatenate(
        [np.tile(c, (len(f), 1)) for c, f in zip((SKIN, BALL, BALL), faces, strict=True)]
    )
    return np.concatenate(parts), np.concatenate(faces), Look(faces=colors)


def draw(path: Path) -> None:
    """prior_modes.png: plus above minus, front beside side, mode by mode."""
    model, template = AsmIdentity.build(expressions=False), load_template()
    columns = [(0, 0.0), *((mode, SIGMAS) for mode in range(MODES))]
    width, height, top = PANEL[0], PANEL[1], 30
    page = tuple(over(np.zeros((1, 1, 4)), PAGE)[0, 0].tolist())
    sheet = Image.new("RGB", (width * len(columns), top + 4 * height), page)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for column, (mode, amount) in enumerate(columns):
        for row, sign in enumerate((1, -1)):
            if column == 0 and row:
                continue
            vertices, faces, look = head(model, template, mode, sign * amount)
            for turn, view in enumerate(VIEWS):
                picture = over(render(vertices, faces, look, view, PANEL, samples=2), PAGE)
                place = (column * width, top + (2 * row + turn) * height)
                sheet.paste(Image.fromarray(picture), place)
        title = "mean" if column == 0 else f"mode {mode + 1}"
        pen.text((column * width + width // 2, 15), title, "#27303f", font, anchor="mm")
    for row, text in enumerate((f"+{SIGMAS:g} sigma", f"-{SIGMAS:g} sigma")):
        pen.text((width + 4, top + 2 * row * height + 4), text, "#4a5565", font)
    sheet.quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    draw(Path(__file__).parents[2] / "docs" / "figures" / "prior_modes.png")
