"""The recipe `paper` of a photo fit: its stages, with the energy of `fit.paper_views`."""

import torch
from jaxtyping import Float
from torch import Tensor

from rigface.cameras import Camera
from rigface.errors import UsageError
from rigface.fit.outline import edge_scale, edge_vertices
from rigface.fit.paper_views import (
    COMPARED,
    RENEWED,
    SCHEDULE,
    TEXELS,
    PaperViews,
    edge_term,
    landmark_term,
)
from rigface.fit.photo_choice import Chosen
from rigface.fit.photo_config import PhotoConfig
from rigface.fit.photo_fit import PhotoFit
from rigface.fit.photo_landmarks import INNER, ibug_places
from rigface.fit.photo_outcome import photo_outcome
from rigface.fit.photo_result import PhotoResult
from rigface.fit.photometric import PhotometricView, photometric_term, skin_texels
from rigface.fit.views import HeadSpace, View, Views
from rigface.models.identity import AsmIdentity
from rigface.progress import Progress
from rigface.render.image_pyramid import ImagePyramid
from rigface.solve.adam import adam
from rigface.terms.edge import edge_pairs
from rigface.terms.image_points import ImagePoints


def fit_paper(
    model: HeadSpace, chosen: Chosen, config: PhotoConfig, watch: Progress
) -> PhotoResult:
    """Sections 4.1 to 4.3 of the supplement.

    Raises UsageError for another model than ASM's, and for known cameras.
    """
    if not isinstance(model, AsmIdentity) or chosen.cameras is not None:
        raise UsageError("the recipe `paper` is that of ASM before unknown cameras")
    joint = PhotoFit(model, chosen, config)
    identity, expression, cameras = _alone(model, chosen, config, watch)
    start = model.asm_parameters(torch.cat([identity, expression]))
    problem = PaperViews(model.asm, start, cameras)
    photos = [PhotometricView(ImagePyramid.of(photo.pixels)) for photo in chosen.photos]
    texels = skin_texels(joint.template, TEXELS)

    def renew(step: int, x: Tensor) -> None:
        watch.update(step / SCHEDULE.max_steps, "adam")
        if step % RENEWED == 0:
            problem.pictures = [_terms(joint, problem, x, view) for view in range(len(photos))]
            problem.joint = photometric_term(problem, x, texels, photos, COMPARED)

    x = adam(problem, problem.zero, problem.scale, SCHEDULE, renew).value
    starts = [View(problem.camera(x, view)) for view in range(len(photos))]
    joint.views = Views(model, starts, True, joint.detector_modes)
    state = joint.views.table.zeros()
    state[joint.views.table.slices["identity"]] = identity
    state[joint.views.table.slices["expression"]] = expression
    return photo_outcome(joint, state, x[: len(start)])


def _alone(
    model: HeadSpace, chosen: Chosen, config: PhotoConfig, watch: Progress
) -> tuple[Float[Tensor, " modes"], Float[Tensor, " shapes"], list[Camera]]:
    """Every photo by itself: the mean identity and expression, and each photo's cam_from_model."""
    identities, expressions, cameras = [], [], []
    for number in range(len(chosen.photos)):
        fit = PhotoFit(model, chosen.only(number), config)
        x = fit.place(watch)
        values = fit.views.table.unpack(x)
        identities.append(values["identity"])
        expressions.append(values["expression"].reshape(-1))
        cameras.append(fit.views.camera(x, 0))
    return torch.stack(identities).mean(dim=0), torch.stack(expressions).mean(dim=0), cameras


def _terms(
    fit: PhotoFit, problem: PaperViews, x: Float[Tensor, " params"], view: int
) -> list[ImagePoints]:
    """Landmarks and the contour's present pairs of one photo."""
    face, views = fit.faces[view], len(fit.faces)
    corners, bary = ibug_places(fit.embedding)
    terms = [landmark_term(corners, bary, face.ibug68()[INNER], views)]
    ends = fit.contours[view]
    if ends is None:
        return terms
    points = edge_vertices(fit.template, problem.skin(x).numpy(), problem.camera(x, view))
    found = edge_pairs(points, ends, edge_scale(face.size))
    return terms if found is None else [*terms, edge_term(found, views)]
