import numpy as np
import pytest

from rigface.bench.ict_heads import ict_heads
from rigface.bench.registration_data import data_dir as find_data
from rigface.bench.registration_data import named_scan, simulated_pairs
from rigface.errors import InputError
from rigface.geometry.mesh import boundary_edges

HIDDEN = {
    "lee_perry_smith": (0.3, 0.45),  # a mouth bag and eye pockets
    "meshmonk_fullres": (0.0, 0.01),
    "meshmonk_10k": (0.0, 0.01),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_real_scans_show_a_face_around_the_nose_tip(data_dir, name):
    case = named_scan(name, data_dir)
    nose = case.in_metres(case.nose_tip[None])[0]
    gap = np.linalg.norm(case.clean.vertices - nose, axis=1)
    assert gap.min() < 0.003
    region = case.region
    assert len(region.points) > 9000
    # A face is some 13 to 20 cm wide and high within the ball, and the nose is its front.
    extent = np.ptp(region.points, axis=0)
    assert 0.11 < extent[0] < 0.19
    assert 0.14 < extent[1] < 0.19
    assert nose[2] > np.percentile(region.points[:, 2], 98)
    least, most = HIDDEN[name]
    assert least <= region.hidden_share <= most


def test_pairs_are_seeded_disjoint_and_share_their_topology(data_dir):
    pairs = simulated_pairs(data_dir, 3)
    names = [case.name for pair in pairs for case in pair]
    assert len(set(names)) == 6
    assert names == [case.name for pair in simulated_pairs(data_dir, 3) for case in pair]
    for a, b in pairs:
        assert np.array_equal(a.clean.faces, b.clean.faces)
        assert not np.allclose(a.clean.vertices, b.clean.vertices)
    with pytest.raises(ValueError, match="1 to 15"):
        simulated_pairs(data_dir, 16)


def test_ict_heads_are_noisy_points_on_what_a_scanner_sees(data_dir):
    (case,) = ict_heads(data_dir, count=1, points=1500)
    again = ict_heads(data_dir, count=1, points=1500)[0]
    assert np.array_equal(case.scan.vertices, again.scan.vertices)
    assert case.scan.is_point_cloud
    assert len(case.scan.vertices) == 1500
    from rigface.metrics.closest import closest_on_mesh

    points = case.in_metres(case.scan.vertices)
    distance = closest_on_mesh(points, case.clean.vertices, case.clean.faces).distance
    # One component of isotropic noise of 0.3 mm: the mean of its size is 0.24 mm.
    assert 1000 * distance.mean() == pytest.approx(0.24, abs=0.03)
    assert case.outside is not None
    assert case.region.face is not None
    assert case.outside[case.region.face].all()
    assert len(boundary_edges(case.clean.faces)) > 0


def test_unknown_names_and_missing_data_are_told(data_dir, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="lee_perry_smith"):
        named_scan("mona_lisa", data_dir)
    monkeypatch.setenv("RIGFACE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="RIGFACE_DATA"):
        find_data()
    with pytest.raises(InputError):
        ict_heads(tmp_path, count=1)
