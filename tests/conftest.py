"""Fixtures for every test: offline, seeded, two threads at most."""

import os

# Before torch or numpy are imported: a worker of pytest-xdist has one core to itself.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
os.environ.setdefault("MPLBACKEND", "Agg")

from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public scans that is not in the repository; RIGFACE_DATA names another."""
    path = Path(os.environ.get("RIGFACE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no scan data at {path}; set RIGFACE_DATA to the folder that holds it")
    return path


@pytest.fixture
def rng() -> np.random.Generator:
    """The same numbers in every run."""
    return np.random.default_rng(0)
