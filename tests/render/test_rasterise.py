"""The rasteriser against a slow one in numpy, against rays, and at its edges."""

import numpy as np
import pytest
import torch

from rigface.cameras import Camera, looking_at, orbiting
from rigface.geometry.surface import Surface
from rigface.render.rasterise import Fragments, rasterise
from rigface.rig.template_io import load_template


def slow(vertices: torch.Tensor, faces: torch.Tensor, camera: Camera, near: float) -> Fragments:
    """Every ray against every plane, in float64."""
    local = camera.to_camera(vertices).to(torch.float32).double().numpy()
    rays = (camera.pixel_centres().numpy() - camera.centre.numpy()) / camera.focal.numpy()
    rays = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1)
    face = np.full(rays.shape[:2], -1)
    bary, depth = np.zeros(rays.shape), np.full(rays.shape[:2], np.inf, dtype=np.float32)
    for number, (a, b, c) in enumerate(local[faces.numpy()]):
        weights = rays @ np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)
        total = weights.sum(axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = weights / total[..., None]
            z = (np.dot(a, np.cross(b, c)) / total).astype(np.float32)
        hit = (share >= 0).all(axis=-1) & (z >= near) & (z < depth)
        face[hit], depth[hit], bary[hit] = number, z[hit], share[hit]
    return Fragments(
        torch.from_numpy(face), torch.from_numpy(bary).float(), torch.from_numpy(depth)
    )


def soup(rng: np.random.Generator, count: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    corners = rng.normal(size=(count, 1, 3)) * 0.1 + rng.normal(size=(count, 3, 3)) * 0.04
    return torch.from_numpy(corners.reshape(-1, 3)), torch.arange(3 * count).reshape(-1, 3)


def assert_same(ours: Fragments, other: Fragments) -> None:
    assert torch.equal(ours.face, other.face)
    torch.testing.assert_close(ours.bary, other.bary, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.depth, other.depth)


@pytest.mark.parametrize("distance", [0.6, 0.1], ids=["in front", "through the soup"])
def test_equals_the_slow_one(rng, distance):
    vertices, faces = soup(rng)
    camera = orbiting((0.0, 0.0, 0.0), 0.3, 0.2, distance, 60.0, (53, 41))
    ours = rasterise(vertices, faces, camera)
    assert 200 < (ours.face >= 0).sum() < 53 * 41
    assert_same(ours, slow(vertices, faces, camera, 0.01))


def test_threads_draw_the_same_picture(rng):
    vertices, faces = soup(rng)
    camera = orbiting((0.0, 0.0, 0.0), 0.3, 0.2, 0.6, 300.0, (261, 203))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = rasterise(vertices, faces, camera)
        torch.set_num_threads(3)
        many = rasterise(vertices, faces, camera)
    finally:
        torch.set_num_threads(threads)
    for field in ("face", "bary", "depth"):
        assert torch.equal(getattr(one, field), getattr(many, field))


def test_a_shared_edge_has_neither_holes_nor_gaps(rng):
    """A fan of slivers around a vertex at a pixel's centre covers its square without a hole."""
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False) + 1e-3
    ring = 0.1 * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    vertices = torch.from_numpy(np.concatenate([[[0.0, 0.0, 0.0]], ring]))
    i = torch.arange(400)
    faces = torch.stack([torch.zeros_like(i), i + 1, (i + 1) % 400 + 1], dim=1)
    camera = looking_at((0.0, 0.0, 0.0), (0.0, 0.0, 0.5), 150.0, (41, 41))  # centre: a pixel's
    disc = (camera.pixel_centres() - camera.centre).norm(dim=-1) < 0.0999 / 0.5 * 150
    face = rasterise(vertices, faces, camera).face
    assert (face[disc] >= 0).all()
    assert face[20, 20] == 0, "of all faces that meet in this pixel the lowest wins"


def test_of_equal_faces_the_lowest_id_wins():
    vertices = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [0, 1, 0]])
    faces = torch.tensor([[0, 1, 2], [0, 1, 2], [2, 1, 0]])
    camera = looking_at((0.0, 0.0, 0.0), (0.0, 0.0, 3.0), 20.0, (16, 16))
    face = rasterise(vertices, faces, camera).face
    assert set(face.unique().tolist()) == {-1, 0}


def test_barycentrics_are_perspective_correct():
    """A floor that runs away from the camera: interpolated positions lie on the pixel's ray."""
    vertices = torch.tensor(
        [[-3.0, -0.3, 0.2], [3, -0.3, 0.2], [0, -0.3, -20]], dtype=torch.float64
    )
    camera = looking_at((0.0, -0.1, 0.0), (0.0, 0.0, 1.0), 50.0, (64, 64))
    out = rasterise(vertices, torch.tensor([[0, 1, 2]]), camera)
    hit = out.face >= 0
    assert hit.sum() > 300
    places = out.bary[hit].double() @ vertices
    px, depth = camera.project(places)
    torch.testing.assert_close(px, camera.pixel_centres()[hit], rtol=0, atol=2e-3)
    torch.testing.assert_close(depth.float(), out.depth[hit], rtol=1e-5, atol=0)


def test_a_face_that_reaches_behind_the_camera_is_drawn_in_front_of_it():
    vertices = torch.tensor([[-9.0, -0.3, 5], [9, -0.3, 5], [0, -0.3, -20]])
    camera = looking_at((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 50.0, (64, 64))
    out = rasterise(vertices, torch.tensor([[0, 1, 2]]), camera)
    assert (out.face[-1] == 0).all(), "the floor below the feet"
    assert (out.face[:32] == -1).all(), "no ghost above the horizon"
    assert out.depth[out.face >= 0].min() > 0.4
    assert_same(out, slow(vertices.double(), torch.tensor([[0, 1, 2]]), camera, 0.01))


def test_nothing_nearer_than_near():
    vertices = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [0, 1, 0]])
    camera = looking_at((0.0, 0.0, 0.0), (0.0, 0.0, 0.05), 20.0, (8, 8))
    faces = torch.tensor([[0, 1, 2]])
    assert (rasterise(vertices, faces, camera, near=0.04).face == 0).all()
    assert (rasterise(vertices, faces, camera, near=0.06).face == -1).all()


def test_empty_and_damaged_meshes_draw_nothing():
    camera = looking_at((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 20.0, (8, 8))
    vertices = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [0, 1, torch.nan]])
    for faces in (torch.zeros(0, 3, dtype=torch.long), torch.tensor([[0, 1, 2], [0, 0, 1]])):
        out = rasterise(vertices, faces, camera)
        assert (out.face == -1).all() and (out.bary == 0).all() and torch.isinf(out.depth).all()


def test_agrees_with_rays_on_the_template():
    mesh = load_template().mesh
    vertices, faces = torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces)
    camera = orbiting((0.0, -0.03, 0.0), 0.4, 0.1, 0.6, 450.0, (256, 256))
    out = rasterise(vertices, faces, camera)
    px = camera.pixel_centres().reshape(-1, 2)
    origin = camera.position.expand(len(px), 3).contiguous()
    face, distance = Surface(vertices, faces).ray(origin, camera.rays(px))
    face, distance = face.reshape(256, 256), distance.reshape(256, 256)
    assert (out.face >= 0).sum() > 15_000
    assert (out.face != face).sum() <= 3, "only rays through an edge may choose the other side"
    same = (out.face == face) & (face >= 0)
    place = torch.einsum("nc,ncd->nd", out.bary[same].double(), vertices[faces[out.face[same]]])
    torch.testing.assert_close(
        (place - camera.position).norm(dim=-1), distance[same], atol=1e-5, rtol=0
    )


def test_a_batch_of_cameras_is_refused():
    camera = looking_at((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 20.0, (8, 8))
    batch = camera.moved(camera.rotation[None], camera.translation[None])
    with pytest.raises(ValueError, match="one camera at a time"):
        rasterise(torch.zeros(3, 3), torch.tensor([[0, 1, 2]]), batch)


@pytest.mark.gpu
def test_cuda_draws_what_the_cpu_draws(rng):
    vertices, faces = soup(rng, 500)
    camera = orbiting((0.0, 0.0, 0.0), 0.3, 0.2, 0.6, 300.0, (261, 203))
    here = rasterise(vertices, faces, camera)
    there = rasterise(vertices.cuda(), faces.cuda(), camera)
    assert (here.face != there.face.cpu()).sum() <= 1
    same = here.face == there.face.cpu()
    torch.testing.assert_close(there.bary.cpu()[same], here.bary[same], rtol=0, atol=1e-6)
