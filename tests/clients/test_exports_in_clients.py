"""Blender, three.js and the Khronos validator agree with `posed_vertices` on both GLB modes."""

from dataclasses import replace
from pathlib import Path

import client_driver
import numpy as np
import pytest
from rig_assets import jaw_open, make_rig, make_shipped_rig

from rigface.export.glb import encode_glb

pytestmark = pytest.mark.clients

# 34 degrees about the axis (1, -2, 2) / 3.
_TURN = [np.cos(0.3), np.sin(0.3) / 3, -2 * np.sin(0.3) / 3, 2 * np.sin(0.3) / 3]
_MIXED = {
    "name": "mixed",
    "rotations": {"jaw": jaw_open(12.0), "lip_corner.L": _TURN},
    "morphs": {"jawOpen": 0.5, "mouthSmileLeft": 1.0, "eyeBlinkLeft": 0.7},
}
_SHIPPED_MIXED = {
    "name": "mixed",
    "rotations": {"jaw": jaw_open(12.0), "eyeball.L": _TURN},
    "morphs": {"jawOpen": 0.5, "mouthSmileLeft": 1.0, "browInnerUp": 0.7},
}


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """Skip where a client is missing, unless `clients/run.sh` promised it."""
    client_driver.skip_or_fail()


@pytest.fixture(
    scope="module", params=["synthetic-baked", "synthetic-asm", "shipped-baked", "shipped-asm"]
)
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, client_driver.Expected]:
    kind, mode = request.param.split("-")
    folder = tmp_path_factory.mktemp(request.param)
    asset = make_rig(mode) if kind == "synthetic" else make_shipped_rig(mode)
    mixed = _MIXED if kind == "synthetic" else _SHIPPED_MIXED
    encoded = encode_glb(asset)
    (folder / "head.glb").write_bytes(encoded.data)
    client_driver.write_expected(
        asset, encoded, folder / "expected.npz", (*client_driver.CASES, mixed)
    )
    return folder / "head.glb", client_driver.read_expected(folder / "expected.npz")


def test_cases_move_the_face(exported: tuple[Path, client_driver.Expected]) -> None:
    _, expected = exported
    for name, vertices in expected.vertices.items():
        moved = np.linalg.norm(vertices - expected.vertices["rest"], axis=1).max()
        assert name == "rest" or moved > 0.01, f"{name} would agree with anything"


def test_validator_finds_nothing(exported: tuple[Path, client_driver.Expected]) -> None:
    issues = client_driver.validator_issues(exported[0])
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
    # The eye material has no texture, yet keeps its UV for whoever paints it.
    assert {message["code"] for message in issues["messages"]} <= {"UNUSED_OBJECT"}


def test_three_draws_our_vertices(exported: tuple[Path, client_driver.Expected]) -> None:
    errors = client_driver.three_errors(*exported)
    assert len(errors) == 2 * 4
    assert max(errors.values()) < client_driver.TOLERANCE, errors


def test_blender_draws_our_vertices(exported: tuple[Path, client_driver.Expected]) -> None:
    errors = client_driver.blender_errors(*exported)
    assert len(errors) == 4
    assert max(errors.values()) < client_driver.TOLERANCE, errors


def test_a_wrong_pose_is_noticed(tmp_path: Path) -> None:
    """The driver measures something: a tenth of a degree more in the jaw is above the tolerance."""
    asset = make_rig()
    encoded = encode_glb(asset)
    (tmp_path / "head.glb").write_bytes(encoded.data)
    turned = {"name": "jaw_20deg", "rotations": {"jaw": jaw_open(20.1)}, "morphs": {}}
    client_driver.write_expected(
        asset, encoded, tmp_path / "expected.npz", (client_driver.CASES[0], turned)
    )
    wrong = client_driver.read_expected(tmp_path / "expected.npz")
    asked = replace(wrong, cases=list(client_driver.CASES[:2]))
    errors = client_driver.three_errors(tmp_path / "head.glb", asked)
    assert errors["rest/cpu"] < client_driver.TOLERANCE < errors["jaw_20deg/cpu"]
