"""Our pages, opened from disk in Chromium and used: they work, and ask the network for nothing."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import client_driver
import numpy as np
import pytest
from rig_assets import make_rig

from rigface.export.glb import encode_glb
from rigface.export.html import save_html
from rigface.report.data import ReportData, ScanLayer
from rigface.report.page import write_report

pytestmark = pytest.mark.clients

WEB = Path(__file__).parents[2] / "tools" / "web"
SHIPPED = Path(__file__).parents[2] / "src" / "rigface" / "assets" / "web" / "viewer.min.js"


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """Skip without Node and its packages, unless `clients/run.sh` promised them."""
    there = shutil.which("node") and (client_driver.CLIENTS / "node_modules").is_dir()
    if not there and os.environ.get("RIGFACE_CLIENTS_REQUIRED"):
        pytest.fail("node or the packages of clients/ are missing")
    if not there:
        pytest.skip("node or the packages of clients/ are missing; run clients/run.sh")


def used(page: Path) -> dict[str, Any]:
    """What `clients/page_check.mjs` saw."""
    command = ["node", str(client_driver.CLIENTS / "page_check.mjs"), str(page)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def assert_alone_and_quiet(seen: dict[str, Any], page: Path) -> None:
    # A texture inside the GLB passes through a blob address, which is memory.
    outside = [url for url in seen["requests"] if not url.startswith("blob:")]
    assert set(outside) == {page.as_uri()[:60]}, outside
    assert seen["problems"] == []
    assert all(state["drawn"] > 0.01 for state in seen["states"].values())
    assert set(seen["overflow"].values()) == {0}  # no sideways scrolling at any width


def differ(seen: dict[str, Any], first: str, second: str) -> bool:
    return seen["states"][first]["sum"] != seen["states"][second]["sum"]


@pytest.mark.parametrize("points", [False, True], ids=["mesh", "points"])
def test_report(tmp_path: Path, points: bool) -> None:
    rig = make_rig(rings=48)
    skin = rig.vertices[: 48 * 96]
    faces = None if points else rig.faces[rig.face_material == 0]
    error = np.where(skin[:, 2] > -0.02, 20 * np.abs(skin[:, 0]), np.nan)
    data = ReportData(
        title="head.ply",
        glb=encode_glb(rig).data,
        scan=ScanLayer(skin * 1.002, faces, error, np.abs(np.sin(90 * skin))),
        metrics={"mean_mm": 0.5},
        warnings=["A warning."],
    )
    page = tmp_path / "report.html"
    write_report(page, data)
    seen = used(page)
    assert_alone_and_quiet(seen, page)
    for first, second in (
        ("start", "scale"),
        ("start", "plain"),
        ("plain", "both"),
        ("both", "fit"),
        ("fit", "bones"),
        ("bones", "hover"),
        ("neutral", "jawOpen"),
        ("neutral", "joint"),
        ("neutral", "wireframe"),
    ):
        assert differ(seen, first, second), f"{second} looks like {first}"
    assert not differ(seen, "neutral", "reset") and not differ(seen, "fit", "neutral")
    assert seen["tooltip"] == "lip_corner.L under head"
    assert sorted(seen["sliders"]) == sorted(morph.name for morph in rig.morphs)
    assert seen["groups"] == ["Eyes", "Jaw and tongue", "Mouth"]
    assert "A warning." in seen["text"] and "0.50" in seen["text"]


def test_shared_page(tmp_path: Path) -> None:
    page = tmp_path / "head.html"
    save_html(make_rig(), page)
    seen = used(page)
    assert_alone_and_quiet(seen, page)
    assert differ(seen, "neutral", "jawOpen") and differ(seen, "start", "bones")


def test_shipped_script_is_built_from_its_sources(tmp_path: Path) -> None:
    built = tmp_path / "viewer.min.js"
    command = ["node", "build.mjs", str(built)]
    subprocess.run(command, cwd=WEB, check=True, capture_output=True, timeout=60)
    assert built.read_bytes() == SHIPPED.read_bytes(), "run `npm ci && npm run build` in tools/web"
