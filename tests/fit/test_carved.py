"""Rest shapes in a fit of several photos: what bones cannot carve is found in the pictures."""

from functools import lru_cache

import numpy as np
import torch

from rigface.cameras import Camera
from rigface.cameras.camera import orbiting
from rigface.evidence.face import FaceObservation, FaceQuality
from rigface.evidence.photo import Photo
from rigface.export.evaluate import posed_vertices
from rigface.fit.identity_space import carved_model
from rigface.fit.parts import assemble_head
from rigface.fit.photo import PhotoConfig, PhotoSettings, fit_photos
from rigface.fit.photo_result import PhotoResult
from rigface.fit.rig_asset import rig_asset
from rigface.geometry.similarity import align_points
from rigface.render.head_paint import HeadPaint
from rigface.render.lighting import STUDIO
from rigface.render.shade import render
from rigface.rig.landmark_embedding import load_landmark_embedding
from rigface.rig.template_io import load_template

SIZE, RESTS = (480, 480), 20


@lru_cache(maxsize=1)
def person() -> np.ndarray:
    """All parts of a head with large coefficients of rest shapes, and one that photos show."""
    model, template = carved_model(RESTS), load_template()
    x = model.table.zeros()
    modes = len(model.modes)
    generator = torch.Generator().manual_seed(1)
    x[:modes] = 0.4 * torch.randn(modes, generator=generator, dtype=torch.float64)
    x[modes : modes + RESTS] = torch.tensor([1.0, -2.0, 2.0, -2.0] * (RESTS // 4)).double()
    skin = model.vertices(x).numpy()
    return assemble_head(template, skin, np.tile(np.eye(3), (len(skin), 1, 1))).vertices


@lru_cache(maxsize=1)
def seen() -> tuple[tuple[Photo, ...], tuple[FaceObservation, ...], tuple[Camera, ...]]:
    """Three pictures of it, by cameras that are known; its paint tells depth."""
    template, photos, faces, cameras = load_template(), [], [], []
    paint = HeadPaint.of_template(template, mottle=0.5)
    places = load_landmark_embedding().positions(person())
    for yaw, pitch in ((-0.6, 0.1), (0.0, -0.1), (0.6, 0.1)):
        camera = orbiting((0.0, -0.03, 0.03), yaw, pitch, 0.6, 1100.0, SIZE)
        vertices, triangles = torch.from_numpy(person()), torch.from_numpy(template.mesh.faces)
        picture = render(vertices, triangles, camera, paint, STUDIO, samples=2)
        photos.append(Photo(picture, None))
        pixels, _ = camera.project(torch.from_numpy(places))
        quality = FaceQuality(0.5, 0.5, 0.05, 0.0)
        everything = np.ones(478, dtype=bool)
        sigma = np.ones(478)
        faces.append(
            FaceObservation(
                pixels.numpy(), np.zeros(478), sigma, everything, 1.0, "test", SIZE, quality
            )
        )
        cameras.append(camera)
    return tuple(photos), tuple(faces), tuple(cameras)


@lru_cache(maxsize=2)
def fitted(rests: int) -> PhotoResult:
    photos, faces, cameras = seen()
    settings = PhotoSettings(rests=rests, full_photos=3)
    return fit_photos(photos, faces, PhotoConfig(settings=settings), cameras=cameras)


def off_surface(result: PhotoResult) -> float:
    """RMS distance of corresponding points over the face after a similarity, mm."""
    template = load_template()
    face = np.flatnonzero(template.regions["face"] & template.regions["outer"])
    moved = align_points(result.neutral[face], person()[face]).apply(result.neutral[face])
    return 1e3 * float(np.sqrt(((moved - person()[face]) ** 2).sum(-1).mean()))


def test_several_photos_find_what_bones_cannot_carve() -> None:
    assert len(fitted(RESTS).rests) == RESTS and len(fitted(0).rests) == 0
    assert off_surface(fitted(RESTS)) < 0.8 * off_surface(fitted(0))


def test_the_result_is_the_head_that_was_fitted_and_so_is_what_is_exported() -> None:
    result, model = fitted(RESTS), carved_model(RESTS)
    assert np.abs(result.rests).max() > 0.5
    x = model.table.zeros()
    x[: len(model.modes) + RESTS] = torch.from_numpy(np.r_[result.identity, result.rests])
    own = result.size.scale * model.vertices(x).numpy()
    outer = load_template().regions["outer"][: len(own)]
    assert np.abs(result.neutral[: len(own)] - own)[outer].max() < 2e-4  # lids clear the eyeballs
    for layout in ("baked", "asm"):
        posed = posed_vertices(rig_asset(result, layout))
        assert np.abs(posed - result.head.vertices).max() < 1e-7


def test_a_single_photo_has_none() -> None:
    photos, faces, _ = seen()
    assert fit_photos(photos[:1], faces[:1]).rests.size == 0
