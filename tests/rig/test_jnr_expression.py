"""The choice of expressive joints and shapes: found again, in the page, in the model."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rigface.errors import InputError
from rigface.models.jnr_asset import load_jnr
from rigface.models.jnr_expressive import Expression, ExpressionSpace
from rigface.rig.jnr_expression import EXPRESSION_SHAPES, EXPRESSIVE_JOINTS
from rigface.rig.jnr_skeleton import JNR_NAMES, other_side
from rigface.rig.template_io import load_template


def test_12_joints_and_24_shapes_with_both_sides():
    assert len(set(EXPRESSIVE_JOINTS)) == 12
    assert set(EXPRESSIVE_JOINTS) <= set(JNR_NAMES)
    assert {other_side(name) for name in EXPRESSIVE_JOINTS} == set(EXPRESSIVE_JOINTS)
    assert len(set(EXPRESSION_SHAPES)) == 24
    swapped = {n.replace("Left", "#").replace("Right", "Left").replace("#", "Right")
               for n in EXPRESSION_SHAPES}  # fmt: skip
    assert swapped == set(EXPRESSION_SHAPES)


def test_the_shapes_are_found_again_by_what_the_joints_leave_of_them():
    tool = pytest.importorskip("tools.build_jnr.expressions")
    assert tool.chosen(load_template()) == EXPRESSION_SHAPES


def test_the_page_has_the_tables_that_the_code_makes():
    tool = pytest.importorskip("tools.build_jnr.expressions")
    page = (Path(__file__).parents[2] / "docs" / "jnr.md").read_text(encoding="utf-8")
    assert tool.shapes_table(load_template()) in page
    assert tool.motions_table(load_template()) in page


def test_the_model_has_these_shapes_in_this_order():
    template = load_template()
    model = load_jnr(template, "jnr", asymmetric=True, expressions=True)
    for name in ("cheekPuff", "noseSneerRight"):
        index, offset = template.expressions.of(name)
        want = np.zeros((len(model.rest), 3))
        want[index[index < len(want)]] = offset[index < len(want)]
        shape = model.shapes[EXPRESSION_SHAPES.index(name)]
        np.testing.assert_allclose(shape.numpy(), want, atol=1e-12)


def test_an_expression_is_an_offset_that_stays_within_the_limits():
    model = load_jnr(load_template(), "jnr", asymmetric=True, expressions=True)
    space = ExpressionSpace.of(model)
    assert len(space.variables) == 37
    generator = torch.Generator().manual_seed(0)
    identity = 0.3 * torch.randn(model.table.size, generator=generator, dtype=torch.float64)
    identity = space.neutral(identity * model.table.column("sigma"))
    own = torch.randn(2, 37, generator=generator, dtype=torch.float64) * space.sigma[:37]
    made = Expression(space.variables, 0.3 * own, torch.full((2, 24), 0.25).double())
    x = space.expressed(identity, made)
    again = space.between(identity, x)
    torch.testing.assert_close(again.offsets, made.offsets)
    torch.testing.assert_close(again.shapes, made.shapes)
    kept = torch.ones(model.table.size, dtype=torch.bool)
    kept[torch.cat([space.columns, space.shapes])] = False
    torch.testing.assert_close(x[:, kept], identity[kept].expand(2, -1), atol=0, rtol=0)
    torch.testing.assert_close(space.expressed(identity, made[1]), x[1])
    far = space.expressed(identity, Expression(space.variables, 100 * own, 100 * made.shapes))
    assert bool((far >= space.lower).all()) and bool((far <= space.upper).all())


def test_models_that_cannot_express_are_refused_with_the_way_out():
    template = load_template()
    with pytest.raises(InputError, match="expressions=True"):
        ExpressionSpace.of(load_jnr(template, "jnr", asymmetric=True))
    with pytest.raises(InputError, match="asymmetric=True"):
        ExpressionSpace.of(load_jnr(template, "jnr", expressions=True))
