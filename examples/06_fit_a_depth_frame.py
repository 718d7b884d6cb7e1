"""Fit depth frames of one person from Python: the same as `rigface depth`.

python examples/06_fit_a_depth_frame.py out/ frame.png [frame.png ...]
"""

from pathlib import Path

import tyro

import rigface
from rigface.report.depth_outputs import write_depth_outputs


def main(out: tyro.conf.Positional[Path], frames: tyro.conf.Positional[tuple[Path, ...]]) -> None:
    """Fit FRAMES (16-bit PNG with intrinsics beside them, or TrueDepth PLY), write to OUT."""
    result = rigface.fit_depth([rigface.load_depth(path) for path in frames])
    write_depth_outputs(result, out)
    print(f"mean {result.scan.errors.mean:.2f} mm, {'accepted' if result.ok else 'not accepted'}")
    for frame in result.frames:
        print(f"  {frame.name}: {'used' if frame.used else frame.reason}")


if __name__ == "__main__":
    tyro.cli(main)
