"""Build the JNR rig of the shipped template: python -m tools.build_jnr.

Writes src/rigface/assets/jnr_rig.safetensors the tables and the pictures of docs/jnr.md.
"""

import torch
from tools.build_rig.__main__ import ROOT

from rigface.models.jnr_asset import load_jnr_rig
from rigface.rig.template_io import load_template

from .build import build, write_asset
from .expression_figure import draw_expressions
from .expressions import motions_table, shapes_table
from .figures import draw_skeleton
from .report import joints_table, replace_block, variables_table


def main() -> None:
    """Asset and picture."""
    torch.set_num_threads(1)
    skin, joints, weights = build()
    write_asset(ROOT / "src" / "rigface" / "assets" / "jnr_rig.safetensors", joints, weights)
    page = ROOT / "docs" / "jnr.md"
    replace_block(page, "variables", variables_table())
    replace_block(page, "joints", joints_table(load_jnr_rig(load_template())))
    replace_block(page, "expressive", motions_table(load_template()))
    replace_block(page, "shapes", shapes_table(load_template()))
    draw_skeleton(skin, joints, ROOT / "docs" / "figures" / "jnr_skeleton.png")
    draw_expressions(ROOT / "docs" / "figures" / "jnr_expressions.png")


if __name__ == "__main__":
    main()
