"""How long `rigface photo` takes on five photos of 2 million pixels, and how much memory."""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from rigface.bench.views_cases import FEW, NAN
from rigface.bench.views_heads import ViewsHead
from rigface.bench.views_pictures import shots, take_view
from rigface.render.sensor import SENSOR_NOISE

SIDE = 1420
"""Pixels; its square is 2 million."""
_POLL = 0.05
"""Seconds between looks at the memory, whose high-water mark the system keeps."""


@dataclass(frozen=True)
class ViewsCommandTime:
    """One run with warm caches; NaN if it failed, or where the system does not tell."""

    wall: float = NAN
    """Seconds, from the shell to the files."""
    peak_gb: float = NAN
    """Largest resident memory, 10^9 bytes."""
    reason: str | None = None


def time_views_command(head: ViewsHead, runs: int = 2) -> ViewsCommandTime:
    """The last of `runs` runs in processes of their own: the first ones warm the caches."""
    with tempfile.TemporaryDirectory() as folder:
        files = write_views(head, Path(folder))
        timed = ViewsCommandTime(reason="never run")
        for _ in range(runs):
            timed = run_photo(files, Path(folder) / "out")
            if timed.reason is not None:
                break
        return timed


def write_views(head: ViewsHead, folder: Path) -> list[Path]:
    """The first views of the head's first draw as JPEG files."""
    rng = np.random.default_rng(0)
    files = []
    for shot in shots(head.name, 0, FEW):
        small = Image.fromarray(take_view(head.painted, shot, "fixed").pixels)
        large = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32)
        grain = rng.normal(scale=SENSOR_NOISE, size=large.shape)
        files.append(folder / shot.file.with_suffix(".jpg"))
        Image.fromarray(np.clip(large + grain, 0, 255).astype(np.uint8)).save(files[-1], quality=95)
    return files


def run_photo(files: Sequence[Path], out: Path) -> ViewsCommandTime:
    """One run of the command on these photos."""
    words = [sys.executable, "-m", "rigface", "photo", *map(str, files), "-o", str(out), "--quiet"]
    start, peak = time.perf_counter(), NAN
    with tempfile.TemporaryFile("w+") as messages:
        with subprocess.Popen(words, stdout=messages, stderr=messages) as process:
            while process.poll() is None:
                peak = _high_water(process.pid, peak)
                try:
                    process.wait(_POLL)
                except subprocess.TimeoutExpired:
                    continue
        wall = time.perf_counter() - start
        if process.returncode == 0:
            json.loads((out / "result.json").read_text(encoding="utf-8"))
            return ViewsCommandTime(wall, peak)
        messages.seek(0)
        last = (messages.read().strip() or "no message").splitlines()[-1]
    return ViewsCommandTime(reason=f"exit code {process.returncode}: {last}")


def _high_water(pid: int, before: float) -> float:
    """Largest resident memory of a process so far, 10^9 bytes; `before` where nobody tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return before
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    return before if found is None else int(found[1]) * 1024 / 1e9
