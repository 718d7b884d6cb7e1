"""The template as though it were a scan of somebody, and as somebody to be photographed."""

import numpy as np
import pytest
import torch

from rigface.bench.photo_data import PhotoHead
from rigface.bench.photo_paint import PaintedHead
from rigface.bench.registration_data import BenchScan
from rigface.evidence.scan import Scan
from rigface.geometry.mesh import Mesh, sample_surface
from rigface.metrics.closest import closest_on_mesh
from rigface.metrics.now import ScanFace, now_mask
from rigface.metrics.outer import outer_surface
from rigface.render.head_paint import HeadPaint
from rigface.render.openness import open_share
from rigface.rig.template_io import load_template


@pytest.fixture(scope="session")
def head() -> PhotoHead:
    """The template as though it were a scan of somebody."""
    template = load_template()
    vertices, outer = template.mesh.vertices, outer_surface(template)
    mesh = Mesh(vertices, outer.faces)
    marks = template.landmarks.positions(vertices, template.mesh.faces)
    centre, radius = now_mask(marks)
    points, _ = sample_surface(vertices, outer.faces, 20_000)
    points = points[np.linalg.norm(points - centre, axis=1) < radius]
    region = outer.region[closest_on_mesh(points, vertices, outer.faces).face]
    case = BenchScan("cardboard", Scan(vertices, outer.faces), 1.0, np.zeros(3), "", mesh)
    return PhotoHead(case, mesh, vertices, ScanFace(points, marks), region)


@pytest.fixture(scope="session")
def painted_template() -> PaintedHead:
    template = load_template()
    vertices = torch.from_numpy(template.mesh.vertices)
    faces = torch.from_numpy(template.mesh.faces)
    paint = HeadPaint.of_template(template)
    return PaintedHead("template", vertices, faces, paint, open_share(vertices, faces))
