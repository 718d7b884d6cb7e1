"""Both layouts of the exported rig pose to the fitted head, at rest and with shapes."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from synthetic_fits import fitted

from rigface.errors import UsageError
from rigface.export.evaluate import posed_vertices
from rigface.fit.models import build_models
from rigface.fit.outcome import refined
from rigface.fit.parts import Head, assemble_head, posed
from rigface.fit.registration_result import Registration
from rigface.fit.result import FittedRig
from rigface.fit.rig_asset import asm_asset, baked_asset, rig_asset
from rigface.fit.rig_pose import fitted_rig
from rigface.models.face_model import FaceModel
from rigface.models.posed import POSE, PosedModel
from rigface.rig.jnr_skeleton import JNR_NAMES
from rigface.rig.template import Template
from rigface.rig.template_io import load_template


@dataclass(frozen=True)
class Fitted:
    """A head that no scan was needed for."""

    template: Template
    model: FaceModel
    head: Head
    rig: FittedRig


@lru_cache(maxsize=1)
def jnr_head() -> Fitted:
    """Somebody in JNR's variables, a tenth larger than the template."""
    template = load_template()
    models = build_models(template, "jnr-neural", 2, False)
    model = PosedModel.build(models.face)
    noise = torch.randn(
        model.table.size, generator=torch.Generator().manual_seed(2), dtype=torch.float64
    )
    x = 0.5 * noise * model.table.column("sigma")
    x[: POSE.size] = 0.0
    rig = fitted_rig(models, Registration(model, x, ()), 1.1)
    skin = 1.1 * model.inner.vertices(x[POSE.size :]).numpy()
    return Fitted(template, model.inner, assemble_head(template, skin, rig.skin_linear), rig)


@pytest.mark.parametrize(("build", "metres"), [(baked_asset, 1e-9), (asm_asset, 1e-8)])
def test_jnr_heads_rest_on_their_own_joints(build, metres):
    asset = build(jnr_head())
    assert set(JNR_NAMES) < set(asset.joint_names)
    np.testing.assert_allclose(posed_vertices(asset), jnr_head().head.vertices, rtol=0, atol=metres)
    assert all(parent < joint for joint, parent in enumerate(asset.joint_parents))
    np.testing.assert_allclose(np.asarray(asset.weights.sum(axis=1)).ravel(), 1.0)


def test_the_jaw_of_a_jnr_head_takes_the_chin_along():
    half = np.deg2rad(20) / 2
    turn = {"jaw": np.array([np.cos(half), np.sin(half), 0.0, 0.0])}
    moved = posed_vertices(baked_asset(jnr_head()), turn) - jnr_head().head.vertices
    size, template = np.linalg.norm(moved, axis=1), load_template()
    assert size[template.parts["teeth.lower"].vertices].min() > 5e-3
    np.testing.assert_allclose(size[template.parts["teeth.upper"].vertices], 0, atol=1e-12)
    assert size[template.regions["forehead"]].max() < 1e-4


def test_the_exact_layout_poses_as_jnr_does():
    """Nodes of the file are JNR's own transforms: other variables, other face."""
    asset, fit = asm_asset(jnr_head()), jnr_head().rig
    place = [asset.joint_names.index(name) for name in JNR_NAMES]
    np.testing.assert_allclose(asset.node_translation[place], fit.node_translation, atol=1e-12)
    np.testing.assert_allclose(asset.node_scale[place], fit.node_scale, atol=1e-12)


# The exact layout leaves out weights below 1e-7, which is some nanometres.
@pytest.mark.parametrize(("build", "metres"), [(baked_asset, 1e-9), (asm_asset, 1e-8)])
def test_rest_is_the_fitted_head(build, metres):
    actual = posed_vertices(build(fitted()))
    np.testing.assert_allclose(actual, fitted().vertices, rtol=0, atol=metres)


@pytest.mark.parametrize("shape", ["jawOpen", "eyeBlinkLeft", "tongueOut"])
@pytest.mark.parametrize("build", [baked_asset, asm_asset])
def test_a_shape_adds_the_head_s_own_offsets(build, shape):
    actual = posed_vertices(build(fitted()), morph_weights={shape: 1.0})
    np.testing.assert_allclose(actual, posed(fitted().head, (shape,)), atol=1e-8)


@pytest.mark.parametrize("build", [baked_asset, asm_asset])
def test_rig_is_well_formed(build):
    asset = build(fitted())
    np.testing.assert_allclose(np.asarray(asset.weights.sum(axis=1)).ravel(), 1.0)
    assert asset.weights.min() >= 0
    assert asset.joint_parents[0] == -1
    assert all(parent < joint for joint, parent in enumerate(asset.joint_parents))
    assert sum(parent < 0 for parent in asset.joint_parents) == 1
    assert len(set(asset.joint_names)) == len(asset.joint_names)
    assert len(asset.morphs) == 52
    np.testing.assert_allclose(np.linalg.norm(asset.node_rotation, axis=1), 1.0)


def test_jaw_carries_chin_and_lower_teeth_and_leaves_the_brow():
    half = np.deg2rad(20) / 2
    turn = {"jaw": np.array([np.cos(half), np.sin(half), 0.0, 0.0])}
    moved = posed_vertices(baked_asset(fitted()), turn) - fitted().vertices
    template = load_template()
    size = np.linalg.norm(moved, axis=1)
    assert size[template.parts["teeth.lower"].vertices].min() > 5e-3
    np.testing.assert_allclose(size[template.parts["teeth.upper"].vertices], 0, atol=1e-12)
    assert size[template.regions["forehead"]].max() < 1e-4
    chin = template.landmarks.names.index("ibug.8")
    corners = template.mesh.faces[template.landmarks.face[chin]]
    assert moved[corners, 1].max() < -5e-3


def test_asm_rest_is_the_template_itself():
    np.testing.assert_array_equal(asm_asset(fitted()).vertices, load_template().mesh.vertices)


def test_a_detail_layer_reaches_both_layouts():
    result, skin = fitted(), load_template().parts["skin"].vertices
    vertices = result.vertices.copy()
    vertices[skin] += 2e-4 * np.sin(200 * vertices[skin])
    detailed = replace(result, head=replace(result.head, vertices=vertices))
    for build in (baked_asset, asm_asset):
        np.testing.assert_allclose(posed_vertices(build(detailed)), vertices, atol=1e-9)


@pytest.mark.parametrize("lod", [1, 2])
def test_finer_levels_are_the_subdivided_head(lod):
    asset = rig_asset(fitted(), "baked", lod)
    expected = refined(load_template(), fitted().vertices, lod)
    np.testing.assert_allclose(posed_vertices(asset), expected, atol=1e-12)
    assert asset.faces.max() < len(asset.vertices)
    assert len(asset.uv_faces) == len(asset.faces) == len(asset.face_material)


def test_the_exact_layout_has_one_level():
    with pytest.raises(UsageError, match="--lod 0"):
        rig_asset(fitted(), "asm", 1)
