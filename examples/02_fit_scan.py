"""Fit a scan from Python: the same as `rigface scan`, with the result in your hands.

python examples/02_fit_scan.py scan.ply out/
"""

import sys
from pathlib import Path

import tyro

import rigface
from rigface.progress import open_progress


def main(scan: tyro.conf.Positional[Path], out: tyro.conf.Positional[Path]) -> None:
    """Fit SCAN and write the rigged head, the report and the numbers to OUT."""
    watch = open_progress(sys.stderr)
    try:
        result = rigface.fit_scan(rigface.load_scan(scan), progress=watch)
        rigface.write_outputs(result, out, progress=watch)
    finally:
        watch.close()
    errors = result.errors
    print(f"mean {errors.mean:.2f} mm, p95 {errors.p95:.2f} mm, coverage {errors.coverage:.1%}")
    print("accepted" if result.ok else f"not accepted: {result.reason}")
    for name, part in errors.by_region().items():
        print(f"  {name:<10} {part.mean:.2f} mm")


if __name__ == "__main__":
    tyro.cli(main)
