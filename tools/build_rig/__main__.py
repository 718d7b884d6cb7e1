"""Build the rig of the shipped template: python -m tools.build_rig [--quick].

Writes src/rigface/assets/rig.safetensors, docs/rig.md and its pictures. Deterministic: one thread,
no random start; needs the template asset, scipy and torch, and matplotlib for the pictures.
"""

import argparse
import sys
import time
from pathlib import Path

import torch

from rigface.rig.rig import load_rig
from rigface.rig.template_io import load_template

from .build import build_arrays, build_mixtures, write_asset
from .figures import draw_figures
from .report import write_report
from .skin import skin_of

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Arrays, asset, report, pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few steps, no pictures: for tests")
    parser.add_argument("--out", type=Path, default=ROOT, help="folder that takes the results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began = time.time()
    skin = skin_of(load_template())
    arrays, weights = build_arrays(skin, steps=10 if arguments.quick else 80)
    _say(began, "chart, bones and weights")
    for k, part in build_mixtures(skin, arrays, weights, 10 if arguments.quick else 600):
        arrays |= part
        _say(began, f"K = {k}")
    asset = arguments.out / "src" / "rigface" / "assets" / "rig.safetensors"
    write_asset(asset, arrays)
    if arguments.quick or arguments.out != ROOT:
        return
    folder = ROOT / "docs" / "figures"
    rigs = [load_rig(k=k) for k in range(1, 6)]
    write_report(ROOT / "docs" / "rig.md", skin, rigs)
    draw_figures(skin, rigs[1], folder)
    _say(began, "report and pictures")


def _say(began: float, what: str) -> None:
    print(f"{time.time() - began:6.1f} s  {what}", file=sys.stderr)


if __name__ == "__main__":
    main()
