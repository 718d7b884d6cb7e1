"""Expressions of one face, and the same on another: docs/figures/jnr_expressions.png."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rigface.cameras.camera import orbiting
from rigface.fit.jnr_expression import fit_expressions
from rigface.fit.parts import follow
from rigface.fit.retarget import retarget
from rigface.models.jnr import JnrModel
from rigface.models.jnr_asset import load_jnr
from rigface.models.jnr_expressive import Expression, ExpressionSpace
from rigface.render.head import render_head
from rigface.rig.jnr_expression import EXPRESSION_SHAPES
from rigface.rig.jnr_skeleton import JNR_NAMES
from rigface.rig.template import Template
from rigface.rig.template_io import load_template

SEEDS, SPREAD = (4, 11), 0.8
"""Heads drawn from the shape space of the template: nobody's faces."""
SIDE = 300
JAW = JNR_NAMES.index("Jaw_Root")
BELOW_JAW = ("teeth.lower", "tongue")
EXPRESSIONS: tuple[dict[str, float], ...] = (
    {},
    {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.6,
     "cheekSquintRight": 0.6, "jawOpen": 0.12, "L_Brow_Outer.translation.y": 0.002,
     "R_Brow_Outer.translation.y": 0.002},
    {"jawOpen": 0.7, "Jaw_Root.rotation.x": 0.03, "Brow_Center.translation.y": 0.006,
     "L_Brow_Outer.translation.y": 0.006, "R_Brow_Outer.translation.y": 0.006},
    {"browDownLeft": 1.0, "browDownRight": 1.0, "noseSneerLeft": 1.0, "noseSneerRight": 1.0,
     "mouthStretchLeft": 0.9, "mouthStretchRight": 0.9, "jawForward": 0.4},
    {"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.7, "mouthPucker": 0.9,
     "R_Brow_Outer.translation.y": 0.006},
)  # fmt: skip


def draw_expressions(path: Path) -> None:
    """One row of pictures per person."""
    template = load_template()
    model = load_jnr(template, "jnr-neural", asymmetric=True, expressions=True)
    people = [_person(template, model, seed) for seed in SEEDS]
    made = _expression(model, EXPRESSIONS)
    space = ExpressionSpace.of(model)
    worn = space.between(people[0], space.expressed(people[0], made))
    sheet = Image.new("RGB", (SIDE * len(EXPRESSIONS), SIDE * len(people)))
    for row, identity in enumerate(people):
        for column, x in enumerate(retarget(worn, model, identity)):
            vertices = _whole_head(template, model, identity, x)
            size = (SIDE, SIDE)
            camera = orbiting((0.0, -0.015, 0.0), np.radians(18), 0.0, 0.8, 2.5 * SIDE, size)
            picture = render_head(template, vertices, camera, background=(0.85, 0.87, 0.9))
            sheet.paste(Image.fromarray(picture), (column * SIDE, row * SIDE))
    sheet.quantize(256).save(path, optimize=True)


def _person(template: Template, model: JnrModel, seed: int) -> Tensor:
    """Identity fitted to a drawn, neutral head."""
    modes = np.asarray(template.shape_modes, dtype=np.float64)
    amounts = SPREAD * np.random.default_rng(seed).standard_normal(len(modes))
    head = template.mesh.vertices + template.shape_mean + np.tensordot(amounts, modes, axes=1)
    return fit_expressions(model, head[None, : len(model.rest)], neutral=(0,)).identity


def _expression(model: JnrModel, wanted: tuple[dict[str, float], ...]) -> Expression:
    space = ExpressionSpace.of(model)
    rows = [[face.get(name, 0.0) for name in space.variables] for face in wanted]
    shapes = [[face.get(name, 0.0) for name in EXPRESSION_SHAPES] for face in wanted]
    kind = torch.float64
    return Expression(
        space.variables, torch.tensor(rows, dtype=kind), torch.tensor(shapes, dtype=kind)
    )


def _whole_head(template: Template, model: JnrModel, identity: Tensor, x: Tensor) -> Tensor:
    """Skin, and the parts where the neutral skin has them; what hangs on the jaw goes with it."""
    with torch.no_grad():
        neutral, skin = model.vertices(identity).numpy(), model.vertices(x)
        jaw = model.world_from_joint(x)[JAW] @ model.world_from_joint(identity)[JAW].inverse()
        weights = x[ExpressionSpace.of(model).shapes].numpy()
    rest = template.mesh.vertices.copy()
    for name, weight in zip(EXPRESSION_SHAPES, weights, strict=True):
        index, offset = template.expressions.of(name)
        rest[index] += weight * offset
    out = torch.from_numpy(rest)
    out[: len(skin)] = skin
    for name, moved in follow(template, neutral).items():
        run = template.parts[name].vertices
        place = torch.from_numpy(moved.apply(rest[run]))
        out[run] = place @ jaw[:3, :3].T + jaw[:3, 3] if name in BELOW_JAW else place
    return out
