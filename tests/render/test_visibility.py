"""Vertices that a camera sees, against rays; how enclosed places are."""

import torch

from rigface.cameras import orbiting
from rigface.geometry.surface import Surface
from rigface.render.attributes import smooth_normals
from rigface.render.openness import open_share
from rigface.render.visibility import visible_vertices
from rigface.rig.template_io import load_template


def test_agrees_with_rays_on_the_template():
    mesh = load_template().mesh
    vertices, faces = torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces)
    camera = orbiting((0.0, -0.03, 0.0), 0.6, 0.1, 0.6, 900.0, (512, 512))
    seen = visible_vertices(vertices, faces, camera)
    way = camera.position - vertices
    distance = way.norm(dim=-1)
    normals = smooth_normals(vertices, faces)
    hit, _ = Surface(vertices, faces).ray(vertices + 3e-4 * normals, way / distance[:, None])
    facing = (normals * way).sum(-1) > 0
    truth = (hit < 0) & facing
    clear = (normals * way).sum(-1).abs() > 0.1 * distance  # rims are a matter of tolerance
    assert truth.sum() > 1000
    assert (seen != truth)[clear].float().mean() < 0.02


def test_outside_the_picture_is_not_seen():
    mesh = load_template().mesh
    vertices, faces = torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces)
    camera = orbiting((0.0, -0.03, 0.0), 0.0, 0.0, 0.6, 4000.0, (256, 256))
    seen = visible_vertices(vertices, faces, camera)
    px, _ = camera.project(vertices)
    assert seen.any() and ((px[seen] >= 0) & (px[seen] <= 256)).all()
    behind = orbiting((0.0, 0.0, 2.0), 0.0, 0.0, 0.5, 300.0, (64, 64))
    away = visible_vertices(vertices, faces, behind.moved(behind.rotation, behind.translation + 5))
    assert away.shape == (len(vertices),)


def test_the_nose_is_open_and_the_throat_is_not():
    template = load_template()
    vertices, faces = (torch.from_numpy(a) for a in (template.mesh.vertices, template.mesh.faces))
    share = open_share(vertices, faces, directions=64)
    tip = vertices[: template.parts["skin"].vertices.stop, 2].argmax()
    assert share[tip] > 0.9
    assert share[torch.from_numpy(template.regions["mouth_cavity"])].median() < 0.2
