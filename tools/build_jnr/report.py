"""The tables of docs/jnr.md, from the code that the model uses."""

import math
import re
from pathlib import Path

import numpy as np

from rigface.models.jnr_asset import JnrRig
from rigface.rig.jnr_skeleton import JNR_NAMES, JNR_PARENTS
from rigface.rig.jnr_variables import Motion, symmetric_motions

_SHORT = {"rotation": "R", "translation": "T", "log_scale": "S"}


def variables_table() -> str:
    """One row per motion: joint, what it may do, sides, limits, unit."""
    lines = ["| joint | motion | axes | variables | sides | limit |", "|---|---|---|---|---|---|"]
    for motion in symmetric_motions():
        sides = "pair, mirrored" if len(motion.joints) == 2 else "middle"
        lines.append(
            f"| {motion.name} | {_SHORT[motion.kind]} | {motion.axes} | {len(motion.axes)} | "
            f"{sides} | {_limit(motion)} |"
        )
    total = sum(len(motion.axes) for motion in symmetric_motions())
    return "\n".join([*lines, f"| all | | | {total} | | |"])


def joints_table(rig: JnrRig) -> str:
    """Index, name, parent, place."""
    lines = ["| index | joint | parent | x, y, z (mm) |", "|---|---|---|---|"]
    for index, (name, parent) in enumerate(zip(JNR_NAMES, JNR_PARENTS, strict=True)):
        above = JNR_NAMES[parent] if parent >= 0 else "-"
        place = ", ".join(f"{c:.1f}" for c in 1e3 * rig.joints[index] + np.zeros(3))
        lines.append(f"| {index} | {name} | {above} | {place} |")
    return "\n".join(lines)


def replace_block(path: Path, name: str, content: str) -> None:
    """Between `<!-- NAME -->` and `<!-- /NAME -->`."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
    text = path.read_text(encoding="utf-8")
    assert pattern.search(text), f"{path} has no block {name}"
    new = pattern.sub(lambda _: f"{start}\n{content}\n{end}", text)
    path.write_text(new, encoding="utf-8")


def _limit(motion: Motion) -> str:
    if motion.kind == "rotation":
        return f"±{math.degrees(motion.limit):.0f}°"
    if motion.kind == "translation":
        return f"±{1e3 * motion.limit:.0f} mm"
    return f"1/{math.exp(motion.limit):.0f} to {math.exp(motion.limit):.0f}"
