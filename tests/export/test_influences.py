"""The strongest influences, and what dropping the others costs."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from rig_assets import jaw_open, make_rig

from rigface.export.evaluate import posed_vertices
from rigface.export.influences import pruned_weights, single_precision, top_influences
from rigface.export.pruning import measure_pruning


def test_keeps_the_largest_and_renormalises() -> None:
    weights = sp.csr_matrix(np.array([[0.1, 0.4, 0.2, 0.3], [0.0, 0.0, 1.0, 0.0]]))
    joints, values = top_influences(weights, 2)
    assert joints.tolist() == [[1, 3], [2, 0]]
    assert values == pytest.approx(np.array([[4 / 7, 3 / 7], [1.0, 0.0]]))


def test_ties_go_to_the_lower_joint_whatever_the_storage_order() -> None:
    shuffled = sp.csr_matrix(
        (np.full(5, 0.2), np.array([4, 0, 3, 1, 2]), np.array([0, 5])), shape=(1, 5)
    )
    assert top_influences(shuffled, 3)[0].tolist() == [[0, 1, 2]]


def test_input_is_left_alone_and_enough_influences_change_nothing() -> None:
    weights = make_rig().weights
    before = weights.toarray()
    full = pruned_weights(weights, len(make_rig().joint_names))
    assert np.array_equal(weights.toarray(), before)
    assert np.abs(full.toarray() - before).max() < 1e-15


def test_single_precision_sums_to_one_and_has_no_idle_joints(rng: np.random.Generator) -> None:
    values = rng.dirichlet(np.full(4, 0.05), size=5000)
    values = -np.sort(-values, axis=1)
    joints, rounded = single_precision(rng.integers(1, 80, size=values.shape), values)
    assert rounded.dtype == np.float32
    assert np.abs(rounded.sum(axis=1, dtype=np.float64) - 1).max() < 1e-7
    assert np.all(joints[rounded == 0] == 0) and np.any(rounded == 0)
    assert np.all(joints[rounded > 0] > 0)


def test_report_equals_the_distances_it_speaks_of() -> None:
    rig = make_rig("asm")
    report = measure_pruning(rig)
    for pose, rotations in (("rest", {}), ("jaw_20deg", {"jaw": jaw_open()})):
        apart = posed_vertices(rig, rotations) - posed_vertices(rig, rotations, max_influences=4)
        distance = 1e3 * np.linalg.norm(apart, axis=1)
        entry = report.of(pose)
        assert entry.mean_mm == pytest.approx(distance.mean())
        assert entry.p95_mm == pytest.approx(np.percentile(distance, 95))
        assert entry.max_mm == pytest.approx(distance.max())
    assert report.max_mm == max(entry.max_mm for entry in report.poses)
    counts = np.diff(rig.weights.indptr)
    assert report.vertices_pruned == (counts > 4).sum() > 0


def test_jitter_is_the_error_of_moving_every_joint_on_its_own() -> None:
    """Flat skeleton at rest: node translations are the world translations of the report."""
    rig = make_rig("baked")
    count = len(rig.joint_names)
    moves = np.random.default_rng(0).normal(scale=3e-3, size=(count, 8, 3))
    distances = []
    for draw in range(8):
        shift = np.zeros((count, 4, 4))
        shift[:, :3, 3] = moves[:, draw]
        # A translation in front of the inverse bind, carried through the bind at rest.
        moved = rig.inverse_bind + rig.inverse_bind @ shift
        jittered = replace(rig, inverse_bind=moved)
        apart = posed_vertices(jittered) - posed_vertices(jittered, max_influences=4)
        distances.append(1e3 * np.linalg.norm(apart, axis=1))
    entry = measure_pruning(rig).of("joints_3mm")
    assert entry.mean_mm == pytest.approx(np.mean(distances))
    assert entry.max_mm == pytest.approx(np.max(distances))


def test_more_influences_cost_less_and_all_cost_nothing() -> None:
    rig = make_rig("baked")
    errors = [measure_pruning(rig, count).mean_mm for count in (1, 4, 8, 13)]
    assert errors[0] > errors[1] > errors[2] > 0.001
    assert errors[3] < 1e-9


def test_without_a_jaw_there_is_no_jaw_pose() -> None:
    rig = make_rig()
    names = tuple("mandible" if name == "jaw" else name for name in rig.joint_names)
    report = measure_pruning(replace(rig, joint_names=names))
    assert [entry.pose for entry in report.poses] == ["rest", "joints_3mm"]
