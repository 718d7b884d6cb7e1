"""What a benchmark ran on: the machine and the versions that its numbers depend on."""

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """One line of context for every table. No date: the commit says when."""

    cpu: str
    cores: int
    """Cores this process may use."""
    memory_gib: float
    gpu: str
    system: str
    versions: dict[str, str]
    commit: str
    """Short hash, with + if the working tree differs from it; "unknown" outside a checkout."""

    def line(self) -> str:
        """For the head of a table."""
        packages = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gib:.0f} GiB, {self.gpu}; "
            f"{self.system}; {packages}; commit {self.commit}"
        )


def describe_machine() -> Machine:
    """Read from the running system; what cannot be found is "unknown"."""
    packages = {"torch": "torch", "warp": "warp-lang", "numpy": "numpy", "scipy": "scipy"}
    versions = {"python": platform.python_version()}
    versions |= {name: _version(package) for name, package in packages.items()}
    return Machine(
        cpu=_cpu_model(),
        cores=_usable_cores(),
        memory_gib=_memory_gib(),
        gpu=_gpu(),
        system=f"{platform.system()} {platform.machine()}",
        versions=versions,
        commit=_commit(Path(__file__).parent),
    )


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.split(":", 1)[1].split())
    except OSError:
        pass
    return platform.processor() or "unknown CPU"


def _memory_gib() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return float("nan")


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def _commit(folder: Path) -> str:
    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/src")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
