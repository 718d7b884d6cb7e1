"""Build the JNR rig of the shipped template: python -m tools.build_jnr.

Writes src/rigface/assets/jnr_rig.safetensors and the picture of docs/jnr.md.
"""

import torch

from tools.build_rig.__main__ import ROOT

from .build import build, write_asset
from .figures import draw_skeleton


def main() -> None:
    """Asset and picture."""
    torch.set_num_threads(1)
    skin, joints, weights = build()
    write_asset(ROOT / "src" / "rigface" / "assets" / "jnr_rig.safetensors", joints, weights)
    draw_skeleton(skin, joints, ROOT / "docs" / "figures" / "jnr_skeleton.png")


if __name__ == "__main__":
    main()
