"""Blender, three.js and the validator on a head that `fit_scan` made, in both layouts."""

from pathlib import Path

import client_driver
import pytest
from synthetic_fits import fitted

from rigface.export.glb import encode_glb
from rigface.fit.rig_asset import rig_asset

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """Skip where a client is missing, unless `clients/run.sh` promised it."""
    client_driver.skip_or_fail()


@pytest.mark.parametrize("layout", ["baked", "asm"])
def test_every_client_draws_the_fitted_head(layout: str, tmp_path: Path) -> None:
    asset = rig_asset(fitted(), layout)
    encoded = encode_glb(asset)
    glb = tmp_path / "face.glb"
    glb.write_bytes(encoded.data)
    client_driver.write_expected(asset, encoded, tmp_path / "expected.npz")
    expected = client_driver.read_expected(tmp_path / "expected.npz")
    issues = client_driver.validator_issues(glb)
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
    errors = client_driver.three_errors(glb, expected) | {
        f"Blender {name}": error
        for name, error in client_driver.blender_errors(glb, expected).items()
    }
    assert len(errors) == 2 * 3 + 3
    assert max(errors.values()) < client_driver.TOLERANCE, errors
