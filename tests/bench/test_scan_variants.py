import numpy as np
import pytest
from toy_heads import NOSE, toy_head

from rigface.bench.registration_data import BenchScan
from rigface.bench.scan_variants import all_variants, cut, noisy, with_floaters, with_outliers
from rigface.evidence.scan import Scan
from rigface.geometry.mesh import Mesh
from rigface.metrics.closest import closest_on_mesh


@pytest.fixture(scope="module")
def case() -> BenchScan:
    """The toy head in millimetres."""
    head = toy_head()
    scan = Scan(head.vertices * 1000, head.faces)
    return BenchScan("toy", scan, 0.001, NOSE * 1000, "made here", head)


def test_every_variant_leads_back_to_the_clean_scan(case):
    pytest.importorskip("igl")
    clean = case.clean
    for variant in all_variants(case):
        back = variant.in_metres(variant.scan.vertices, case)
        away = closest_on_mesh(back, clean.vertices, clean.faces).distance
        # Floating triangles bring more than half of all vertices.
        assert np.percentile(away, 30) < 0.0005, variant.name
        assert len(variant.region(case).points) > 1000, variant.name


def test_names_are_unique_and_the_clean_scan_is_left_alone(case):
    pytest.importorskip("igl")
    before = case.scan.vertices.copy()
    variants = all_variants(case)
    assert len({variant.name for variant in variants}) == len(variants) == 18
    assert np.array_equal(case.scan.vertices, before)
    again = all_variants(case)
    for one, other in zip(variants, again, strict=True):
        assert np.array_equal(one.scan.vertices, other.scan.vertices)


def test_units_and_rotations_are_what_they_say(case):
    pytest.importorskip("igl")
    found = {variant.name: variant for variant in all_variants(case)}
    height = np.ptp(case.clean.vertices[:, 1])
    for name, metres in (("mm", 0.001), ("cm", 0.01), ("m", 1.0), ("inch", 0.0254)):
        scan = found[f"in {name}"].scan
        assert np.ptp(scan.vertices[:, 1]) * metres == pytest.approx(height)
    upside_down = found["upside down"].scan.vertices
    assert upside_down == pytest.approx(case.scan.vertices * [-1, -1, 1])
    assert np.linalg.det(found["mirrored"].linear) == pytest.approx(-1)
    assert found["decimated to 10 %"].scan.faces is not None
    assert len(found["decimated to 10 %"].scan.faces) <= 0.1 * len(case.clean.faces)
    assert found["bare point cloud"].scan.is_point_cloud


def test_noise_has_the_size_asked_for(case):
    moved = noisy(case, sigma=0.0003).scan.vertices - case.scan.vertices
    assert moved.std() == pytest.approx(0.3, rel=0.03)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_cut_takes_one_half_of_scan_and_region(case, side):
    variant = cut(case, side)
    sign = -1 if side == "left" else 1
    assert (sign * variant.scan.vertices[:, 0] > -1e-9).all()
    region = variant.region(case)
    assert (sign * region.points[:, 0] >= 0).all()
    assert 0.4 < len(region.points) / len(case.region.points) < 0.5


def test_a_fifth_of_the_points_or_triangles_are_strays(case):
    points = with_outliers(case).scan.vertices
    away = closest_on_mesh(points / 1000, case.clean.vertices, case.clean.faces).distance
    assert (away > 1e-6).mean() == pytest.approx(0.2, abs=0.01)
    floaters = with_floaters(case).scan
    assert floaters.faces is not None
    assert len(case.clean.faces) / len(floaters.faces) == pytest.approx(0.8, abs=0.001)
    size = Mesh(floaters.vertices, floaters.faces[len(case.clean.faces) :])
    edge = np.linalg.norm(size.vertices[size.faces[:, 0]] - size.vertices[size.faces[:, 1]], axis=1)
    assert 1 < np.median(edge) < 6
