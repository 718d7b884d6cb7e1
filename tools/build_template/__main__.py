"""`python -m tools.build_template [PATH]`: rebuild the shipped template asset."""

import sys
import time
from pathlib import Path

from .build import write

SHIPPED = Path(__file__).parents[2] / "src/rigface/assets/template.safetensors"

if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED
    start = time.perf_counter()
    write(path)
    seconds = time.perf_counter() - start
    print(f"wrote {path}: {path.stat().st_size / 1e6:.2f} MB in {seconds:.0f} s")
