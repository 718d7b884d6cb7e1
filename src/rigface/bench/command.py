"""How long `rigface photo` takes, from the shell to the files, and how much memory."""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

NAN = float("nan")
_POLL = 0.05
"""Seconds between looks at the memory, whose high-water mark the system keeps."""


@dataclass(frozen=True)
class CommandTime:
    """With warm caches; NaN if it failed, or where nobody tells."""

    wall: float = NAN
    """Seconds of the whole command."""
    peak_gb: float = NAN
    """Largest resident memory, 10^9 bytes."""
    fit: float = NAN
    """Seconds of its stage "fit"."""
    reason: str | None = None


TIMED = 3
FASTEST = f"whole command, warm caches, fastest of {TIMED}"
"""What a row of its time is called."""


def time_photo_command(write: Callable[[Path], Sequence[Path]], runs: int = TIMED) -> CommandTime:
    """The fastest of `runs` runs in processes of their own, after one that warms the caches.

    What else a machine does only adds to the time of a run.

    `write` puts the photos into a folder and names them.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = write(Path(folder))
        timed = []
        for _ in range(1 + runs):
            timed.append(run_photo(files, Path(folder) / "out"))
            if timed[-1].reason is not None:
                return timed[-1]
        return min(timed[1:], key=lambda run: run.wall)


def run_photo(files: Sequence[Path], out: Path) -> CommandTime:
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
            told = json.loads((out / "result.json").read_text(encoding="utf-8"))
            return CommandTime(wall, peak, float(told["seconds"]["fit"]))
        messages.seek(0)
        last = (messages.read().strip() or "no message").splitlines()[-1]
    return CommandTime(reason=f"exit code {process.returncode}: {last}")


def _high_water(pid: int, before: float) -> float:
    """Largest resident memory of a process so far, 10^9 bytes; `before` where nobody tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return before
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    return before if found is None else int(found[1]) * 1024 / 1e9
