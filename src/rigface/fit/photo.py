"""`fit_photos`: photos of one person become one rigged head. Recipe, from top to bottom.

1 landmarks           who sees them is `perception`'s business; what it gets wrong is modelled
2 first camera        scaled orthography on the prior's mean head
3 pose                rotation and place
4 pose, expression, identity, focal length; contours against the background
5 who                 of three photos or more, one that shows somebody else is left out
6 skin                looks the same in all photos: photometric consistency, coarse to fine
7 size                from the irises and the population, or from known cameras
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.cameras import Camera
from rigface.errors import UsageError
from rigface.evidence.face import FaceObservation
from rigface.evidence.ibug import IBUG_PAIRS
from rigface.evidence.photo import Photo
from rigface.fit.first_camera import first_camera
from rigface.fit.image_contours import image_contour
from rigface.fit.iris import HeadSize, gaze, head_size
from rigface.fit.known_views import KnownViews
from rigface.fit.models import FitModels, build_models
from rigface.fit.outline import edge_scale, edge_vertices, outline_pairs
from rigface.fit.paper_views import (
    COMPARED,
    RENEWED,
    SCHEDULE,
    TEXELS,
    PaperViews,
    edge_term,
    landmark_term,
)
from rigface.fit.parts import Head, assemble_head, follow
from rigface.fit.person_mask import person_mask
from rigface.fit.photo_choice import Chosen, choose, photo_name, unlike_expressions
from rigface.fit.photo_result import PhotoResult, PhotoView
from rigface.fit.photometric import (
    PhotometricSettings,
    PhotometricView,
    photometric_term,
    skin_texels,
)
from rigface.fit.registration import Registration
from rigface.fit.result import FittedRig
from rigface.fit.rig_pose import fitted_rig
from rigface.fit.strangers import identity_evidence, log_odds
from rigface.fit.views import DetectorModes, HeadSpace, View, Views
from rigface.fit.views_energy import ViewsEnergy
from rigface.geometry.similarity import Similarity
from rigface.models.identity import AsmIdentity
from rigface.models.linear import LinearModel
from rigface.models.posed import POSE, PosedModel
from rigface.progress import NullProgress, Progress
from rigface.render.image_pyramid import ImagePyramid
from rigface.rig.detector_error import load_detector_error
from rigface.rig.landmark_embedding import LandmarkEmbedding, load_landmark_embedding
from rigface.rig.template import Template
from rigface.rig.template_io import load_template
from rigface.solve.adam import adam
from rigface.solve.levenberg_marquardt import Box, LevenbergMarquardt, levenberg_marquardt
from rigface.solve.threads import one_thread
from rigface.terms.edge import edge_pairs
from rigface.terms.image_points import Beside, ImagePoints
from rigface.terms.prior import ParameterPrior
from rigface.terms.robust import GemanMcClure
from rigface.terms.sparsity import SparsityPrior

FIXED_SHAPES = ("tongueOut", "eyeLook")
"""Shapes (by the start of their names) that landmarks of a skin cannot tell."""
PLACING = ("rotation", "place", "log_distance", "log_scale")
EVERYTHING = (
    *PLACING,
    "log_focal",
    "identity",
    "expression",
    "detector_person",
    "detector_view",
)
STRANGER = 0.5
"""A photo is somebody else's if what it says for the others' person is less than this share of
what the others say for theirs (`fit.strangers`)."""
MAX_REPROJECTION_PERCENT = 8.0
"""Above, the landmarks do not look like a face before a camera: the fit has failed."""
MAX_YAW, WIDE_YAW = math.radians(80), math.radians(50)


@dataclass(frozen=True)
class PhotoSettings:
    """One set of numbers for every photo."""

    landmark_trust: float = 1.5
    """Factor on the sigma that the model of the detector's error leaves to every landmark."""
    given_trust: float = 4.0
    """Factor for landmarks of another source: nothing is known of how their errors go together."""
    detector_shared: float = 0.45
    """Share of the detector's error that all photos of a person have in common."""
    identity: float = 2.0
    """Weight of the identity prior: it holds children too, and adults vary by half as much."""
    expression: float = 1.0
    """Weight of the expression weights' Gaussian prior (sigma of the parameter table)."""
    sparsity: float = 6.0
    """Price of one unit of expression weight."""
    told_focal_sigma: float = 0.03
    typical_focal_sigma: float = 0.2
    """Spread of the logarithm of the focal length, from the file and without it."""
    landmarks: float = 1.0
    contour: float = 1.0
    photometric: float = 1.0
    """Factors on the terms of the pictures; 0 leaves one out. Landmarks also find the start."""
    photometric_trust: float = 3.0
    """Factor on every landmark's sigma once skin is compared with skin."""
    schedule: tuple[tuple[int, float, int], ...] = ((256, 1e4, 2), (512, 3e4, 1))
    """Texels on a side, weight and renewals of the photometric stages."""
    rounds: int = 3
    steps: int = 4
    """Levenberg-Marquardt steps of each round; a round renews the outline."""


@dataclass(frozen=True)
class PhotoConfig:
    """What to fit and how. The defaults answer every photo."""

    shared_expression: bool = False
    """Several photos show one expression."""
    recipe: Literal["default", "paper"] = "default"
    """`paper`: sections 4.1 to 4.3 of ASM's supplement (`fit.paper_views`), for comparison."""
    seed: int = 0
    settings: PhotoSettings = PhotoSettings()


def fit_photos(
    photos: Sequence[Photo],
    observations: Sequence[FaceObservation | None] | None = None,
    config: PhotoConfig = PhotoConfig(),
    progress: Progress | None = None,
    model: HeadSpace | None = None,
    cameras: Sequence[Camera] | None = None,
) -> PhotoResult:
    """Fit the head to photos of one person.

    `observations` are the faces seen in them, one per photo and None where there is none; without
    them the default detector (extra `photo`) looks, and the largest face of each photo counts.
    `model` replaces the shipped identity space: another `AsmIdentity`, or a `LinearModel` on the
    template's skin. `cameras` are known ones, cam_from_world in metres, one per photo; the size of
    the head is then theirs. Photos without a face, repeated ones and those of somebody else are
    left out with a warning. A fit that misses its own quality gate is returned with `ok` False and
    the reason.

    Raises InputError if no photo shows a face, for landmarks that are no numbers and for cameras
    that contradict the photos, MissingExtraError without a detector, UsageError without photos.
    """
    watch = NullProgress() if progress is None else progress
    if not photos:
        raise UsageError("fit_photos needs at least one photo")
    if observations is None:
        with watch.stage("detect"):
            observations = [largest_face(photo) for photo in photos]
    chosen = choose(photos, observations, cameras)
    with watch.stage("prepare"):
        head_model = identity_model() if model is None else model
    with watch.stage("fit"), one_thread():
        if config.recipe == "paper":
            return replace(_paper(head_model, chosen, config, watch), seconds=dict(watch.seconds))
        while True:
            fit = _Fit(head_model, chosen, config)
            x = fit.place(watch)
            stranger = fit.stranger(x)
            if stranger is None:
                break
            chosen = chosen.without(stranger, "it seems to show somebody else")
        x = fit.compare_skin(x, watch)
        result = fit.result(x)
    return replace(result, seconds=dict(watch.seconds))


def largest_face(photo: Photo) -> FaceObservation | None:
    """What the default detector sees."""
    from rigface.perception import load_detector

    found = load_detector().detect(photo)
    return found[0] if found else None


@lru_cache(maxsize=1)
def identity_model() -> AsmIdentity:
    """The shipped identity space on the shipped template, built once per process."""
    return AsmIdentity.build()


UNLIKE = (
    "the photos show very different expressions; the shape of mouth and cheeks is less sure than "
    "from photos with a calm face"
)


class _Fit:
    """One fit: what stays the same over its stages."""

    def __init__(self, model: HeadSpace, chosen: Chosen, config: PhotoConfig) -> None:
        self.template, self.embedding = load_template(), load_landmark_embedding()
        self.model, self.chosen, self.config = model, chosen, config
        self.photos, self.faces, self.settings = chosen.photos, chosen.faces, config.settings
        self.rows = [_landmarks(self.embedding, face) for face in self.faces]
        self.detector = load_detector_error()
        self.contours = [image_contour(face) for face in self.faces]
        self.views = self._views()

    @property
    def detector_modes(self) -> DetectorModes:
        """Of the detector's error."""
        return DetectorModes(self.detector.rank, self.settings.detector_shared)

    def _views(self) -> Views:
        rest, starts = self.model.table.zeros(), []
        known = self.chosen.cameras or (None,) * len(self.photos)
        for photo, rows, camera in zip(self.photos, self.rows, known, strict=True):
            place = self.model.points(rest, rows.corners, rows.bary)[0].numpy()
            size = (photo.width, photo.height)
            focal = photo.focal_px if camera is None else float(camera.focal.mean())
            weights = 1 / rows.sigma**2
            starts.append(View(first_camera(place, rows.pixels, weights, size, focal)))
        detector, shared = self.detector_modes, self.config.shared_expression
        if self.chosen.cameras is None:
            return Views(self.model, starts, shared, detector)
        return KnownViews(self.model, starts, self.chosen.cameras, shared, detector)

    def place(self, watch: Progress) -> Float[Tensor, " params"]:
        """All parameters, by landmarks and contours."""
        x = self.views.table.zeros()
        x = self._stage(x, self._names(PLACING), 6, self._energy(x, contour=False))
        for step in range(self.settings.rounds):
            energy = self._energy(x, contour=step > 0)
            x = self._stage(x, self._names(EVERYTHING), self.settings.steps, energy)
            watch.update((step + 1) / self.settings.rounds, "face")
        return x

    def compare_skin(
        self, x: Float[Tensor, " params"], watch: Progress
    ) -> Float[Tensor, " params"]:
        """The same, with skin that looks the same in every photo."""
        settings = self.settings
        if len(self.photos) < 2 or not settings.photometric:
            return x
        photos = [
            PhotometricView(ImagePyramid.of(photo.pixels), person_mask(face, photo))
            for photo, face in zip(self.photos, self.faces, strict=True)
        ]
        for number, (size, weight, renewals) in enumerate(settings.schedule):
            texels = skin_texels(self.template, size)
            compared = PhotometricSettings(weight=weight * settings.photometric)
            for _ in range(renewals):
                term = photometric_term(self.views, x, texels, photos, compared)
                if term is None:
                    return x
                energy = self._energy(x, contour=True, trust=settings.photometric_trust)
                energy = replace(energy, joint_terms=[term])
                x = self._stage(x, self._names(EVERYTHING), settings.steps, energy, 1e-2, 3e-3)
            watch.update((number + 1) / len(settings.schedule), "skin")
        return x

    def stranger(self, x: Float[Tensor, " params"]) -> int | None:
        """The photo that most likely shows somebody else, if one does; three are needed to tell."""
        if len(self.photos) < 3:
            return None
        table, pictures = self.views.table, self._energy(x, contour=True).pictures
        identity, free, said = table.slices["identity"], self._loose(x), []
        for view, terms in enumerate(pictures):
            own = self.views.own(view)
            own[identity] = False
            alone = [terms if other == view else [] for other in range(len(pictures))]
            model = ViewsEnergy(self.views, alone, self._priors(own.numpy())).quadratic(x)
            said.append(identity_evidence(model, identity, own & free))
        odds = log_odds(said, self.settings.identity, x[identity]).numpy()
        worst = int(odds.argmin())
        return worst if odds[worst] < STRANGER * np.median(np.delete(odds, worst)) else None

    def _loose(self, x: Tensor) -> Bool[Tensor, " params"]:
        """Parameters that are fitted and not held by a limit."""
        table = self.views.table
        held = (x <= table.column("lower")) | (x >= table.column("upper"))
        return self._box(self._names(EVERYTHING)).free & ~held

    def _names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those that the views have."""
        return tuple(name for name in names if name in self.views.table.slices)

    def _stage(
        self,
        x: Tensor,
        names: tuple[str, ...],
        steps: int,
        energy: ViewsEnergy,
        damping: float = 1e-3,
        tolerance: float = 1e-5,
    ) -> Tensor:
        solver = LevenbergMarquardt(max_steps=steps, damping=damping, tolerance=tolerance)
        return levenberg_marquardt(energy, x, self._box(names), solver).value

    def _box(self, names: tuple[str, ...]) -> Box:
        table = self.views.table
        free = table.mask(names)
        if "expression" in names:
            run = table.slices["expression"]
            shapes = self.template.expressions.names
            known = torch.tensor([not name.startswith(FIXED_SHAPES) for name in shapes])
            free[run] = known.repeat((run.stop - run.start) // len(shapes))
        return Box(
            floor=1 / table.column("sigma") ** 2,
            lower=table.column("lower"),
            upper=table.column("upper"),
            max_step=table.column("max_step"),
            free=free,
        )

    def _energy(self, x: Tensor, contour: bool, trust: float = 1.0) -> ViewsEnergy:
        """Landmarks (`trust` times as unsure), contours with frozen pairs, priors."""
        pictures = []
        for view, (rows, face) in enumerate(zip(self.rows, self.faces, strict=True)):
            camera, terms = self.views.camera(x, view), []
            if self.settings.landmarks or not contour:  # the start needs them
                weight = self.settings.landmarks if contour else 1.0
                terms.append(self._weighed(rows, camera, trust / math.sqrt(weight)))
            ends = self.contours[view]
            if contour and ends is not None and self.settings.contour:
                skin = self.views.skin(x, view).numpy()
                found = outline_pairs(self.template, skin, camera, ends, face.size)
                if found is not None:
                    sigma = found.sigma / math.sqrt(self.settings.contour)
                    terms.append(replace(found, sigma=sigma))
            pictures.append(terms)
        return ViewsEnergy(self.views, pictures, self._priors())

    def _weighed(self, rows: "LandmarkRows", camera: Camera, trust: float) -> ImagePoints:
        """The landmarks of one photo and what their detector is known to get wrong."""
        middle = camera.to_camera(torch.tensor([[0.0, -0.04, 0.08]], dtype=torch.float64))
        px_per_metre = float(camera.focal.mean() / middle[0, 2])
        kernel = GemanMcClure(4.0)
        if rows.marks is None:
            own = self.embedding.sigma[IBUG_PAIRS[17:]].mean(axis=1)
            sigma = trust * self.settings.given_trust * np.hypot(rows.sigma, own * px_per_metre)
            return ImagePoints(rows.corners, rows.bary, rows.pixels, sigma, None, kernel)
        error = self.detector
        own = error.sigma[rows.marks] * px_per_metre
        sigma = trust * self.settings.landmark_trust * np.hypot(rows.sigma, own)
        beside = Beside(error.mean[rows.marks], error.modes[rows.marks])
        return ImagePoints(rows.corners, rows.bary, rows.pixels, sigma, None, kernel, beside)

    def _priors(
        self, only: Bool[np.ndarray, " params"] | None = None
    ) -> list[ParameterPrior | SparsityPrior]:
        """What is known without any photo, of all parameters or of some."""
        table, settings = self.views.table, self.settings
        weight, price = (np.zeros(table.size) for _ in range(2))
        weight[table.slices["identity"]] = settings.identity
        for name in ("detector_person", "detector_view"):
            weight[table.slices[name]] = 1.0
        sigma = table["expression"].sigma
        weight[table.slices["expression"]] = settings.expression / sigma**2
        price[table.slices["expression"]] = settings.sparsity
        if "log_focal" in table.slices:
            told = np.array([photo.focal_px is not None for photo in self.photos])
            spread = np.where(told, settings.told_focal_sigma, settings.typical_focal_sigma)
            weight[table.slices["log_focal"]] = 1 / spread**2
        if only is not None:
            weight, price = weight * only, price * only
        return [ParameterPrior(weight, np.zeros(table.size)), SparsityPrior(price)]

    def result(
        self, x: Float[Tensor, " params"], asm: Float[Tensor, " asm"] | None = None
    ) -> PhotoResult:
        """The rigged head at the solution; `asm` are variables that the prior does not bind."""
        values = self.views.table.unpack(x)
        identity = values["identity"]
        registration, models = self._registration(identity, asm)
        size = self._size(x, follow(self.template, registration.vertices))
        head, rig = self._head(registration, models, size.scale)
        views = tuple(self._view(x, view, head, size) for view in range(len(self.photos)))
        reason, warnings = _judge(views, self.faces, self.photos)
        warnings = (*self.chosen.warnings, *warnings)
        if not self.views.shared and unlike_expressions(values["expression"].numpy()):
            warnings += (UNLIKE,)
        told = [photo.focal_px is not None for photo in self.photos]
        return PhotoResult(
            template=self.template,
            model=registration.model,
            x=registration.x,
            identity=identity.numpy(),
            variables=int(self._box(("identity", "expression")).free.sum()),
            head=head,
            rig=rig,
            views=views,
            size=size,
            sigma=size.scale * self._vertex_sigma(x),
            focal_how="from the file" if all(told) else "estimated",
            ok=reason is None,
            reason=reason,
            warnings=warnings,
            settings={"model": registration.model.name, **asdict(self.config)},
        )

    def _registration(self, identity: Tensor, asm: Tensor | None) -> tuple[Registration, FitModels]:
        """The neutral head as a scan's fit would hand it back."""
        models = build_models(self.template, "asm", 2, False)
        if isinstance(self.model, AsmIdentity):
            x = self.model.table.zeros()
            x[self.model.table.slices["identity"]] = identity
            whole = self.model.asm_parameters(x) if asm is None else asm
            own = self.model.asm.table.unpack(whole)
            face, inner = models.face, {name: own[name] for name in models.face.table.slices}
        else:
            assert isinstance(self.model, LinearModel)
            face, inner = self.model.neutral(), {"identity": identity}
            models = replace(models, face=face, shape=face)
        posed = PosedModel.build(face)
        x = torch.cat([torch.zeros(POSE.size, dtype=identity.dtype), face.table.pack(inner)])
        return Registration(posed, x, ()), models

    def _head(
        self, registration: Registration, models: FitModels, scale: float
    ) -> tuple[Head, FittedRig]:
        rig = fitted_rig(models, registration, scale)
        return assemble_head(self.template, scale * registration.vertices, rig.skin_linear), rig

    def _size(self, x: Tensor, moved: Mapping[str, Similarity]) -> HeadSize:
        """Each photo's irises give one answer, the population's counts once; known cameras know."""
        if isinstance(self.views, KnownViews) and len(self.photos) > 1:  # one tells no distance
            scale = self.views.world_from_model(x).scale
            return HeadSize(scale, KNOWN_SIZE_SIGMA, None, "cameras")
        spread = POPULATION_SIZE_SIGMA
        centres, radii = _eyeballs(self.template, moved)
        answers = [
            head_size(face, centres, radii, self.views.camera(x, view), spread)
            for view, face in enumerate(self.faces)
        ]
        seen = [answer for answer in answers if answer.from_iris is not None]
        if not seen:
            return answers[0]
        return sorted(seen, key=lambda answer: answer.scale)[len(seen) // 2]

    def _view(self, x: Tensor, view: int, head: Head, size: HeadSize) -> PhotoView:
        face, rows = self.faces[view], self.rows[view]
        camera = self.views.camera(x, view)
        camera = camera.moved(camera.rotation, size.scale * camera.translation)
        weights = self.views.head(x, view)[self.model.table["identity"].size :].tolist()
        names = self.template.expressions.names
        shown = {n: w for n, w in zip(names, weights, strict=True) if w > 0.01}
        skin = ImagePoints(rows.corners, rows.bary, rows.pixels, rows.sigma)
        pixels = self.views.pixels(x, view, skin)
        miss = np.linalg.norm(pixels.numpy() - rows.pixels, axis=1)
        centres, radii = _eyeballs(self.template, head.moved)
        looks = {}
        for row, side in enumerate("RL"):
            if face.iris_seen[row]:
                looks[side] = gaze(centres[row], float(radii[row]), face.iris[row, 0], camera)
        forward = -(camera.rotation @ torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
        return PhotoView(
            photo=self.photos[view],
            face=face,
            camera=camera,
            expression=shown,
            gaze=looks,
            reprojection_percent=100 * float(np.median(miss)) / face.interocular,
            yaw=math.atan2(-float(forward[0]), float(forward[2])),
        )

    def _vertex_sigma(self, x: Tensor) -> Float[np.ndarray, " skin"]:
        """Posterior spread of the neutral skin: from the inverse of the solver's Hessian.

        Poses, lenses and expressions are marginalised; the head as a whole may move and grow.
        """
        table = self.views.table
        free = self._loose(x)
        hessian = self._energy(x, contour=True).quadratic(x, free).hessian[free][:, free]
        covariance = torch.linalg.inv(hessian + 1e-9 * torch.eye(len(hessian), dtype=x.dtype))
        modes = self.model.table["identity"].size
        where = torch.nonzero(free[table.slices["identity"]])[:, 0]
        shared = covariance[: len(where), : len(where)]
        root = torch.linalg.cholesky(shared + 1e-12 * torch.eye(len(where), dtype=x.dtype))
        rest = self.model.table.zeros()
        rest[:modes] = self.views.table.unpack(x)["identity"]
        everything = np.arange(self.template.parts["skin"].vertices.stop)[:, None]
        _, motion = self.model.points(rest, everything, np.ones(everything.shape))
        spread = motion[..., where] @ root
        return spread.square().sum(dim=(1, 2)).sqrt().numpy()


def _paper(model: HeadSpace, chosen: Chosen, config: PhotoConfig, watch: Progress) -> PhotoResult:
    """Sections 4.1 to 4.3 of the supplement."""
    if not isinstance(model, AsmIdentity) or chosen.cameras is not None:
        raise UsageError("the recipe `paper` is that of ASM before unknown cameras")
    joint, fits = _Fit(model, chosen, config), []
    for view in range(len(chosen.photos)):
        alone = _Fit(model, chosen.only(view), config)
        fits.append((alone.views, alone.place(watch)))
    parts = [views.table.unpack(x) for views, x in fits]
    identity = torch.stack([part["identity"] for part in parts]).mean(dim=0)
    expression = torch.stack([part["expression"].reshape(-1) for part in parts]).mean(dim=0)
    start = model.asm_parameters(torch.cat([identity, expression]))
    problem = PaperViews(model.asm, start, [views.camera(x, 0) for views, x in fits])
    photos = [PhotometricView(ImagePyramid.of(photo.pixels)) for photo in chosen.photos]
    texels = skin_texels(joint.template, TEXELS)
    corners, bary = ibug_places(joint.embedding)

    def renew(step: int, x: Tensor) -> None:
        watch.update(step / SCHEDULE.max_steps, "adam")
        if step % RENEWED:
            return
        pictures = []
        for view, face in enumerate(chosen.faces):
            terms = [landmark_term(corners, bary, face.ibug68()[17:], len(chosen.faces))]
            ends = joint.contours[view]
            if ends is not None:
                skin = problem.skin(x).numpy()
                points = edge_vertices(joint.template, skin, problem.camera(x, view))
                found = edge_pairs(points, ends, edge_scale(face.size))
                terms += [] if found is None else [edge_term(found, len(chosen.faces))]
            pictures.append(terms)
        problem.pictures = pictures
        problem.joint = photometric_term(problem, x, texels, photos, COMPARED)

    solution = adam(problem, problem.zero, problem.scale, SCHEDULE, renew)
    x = solution.value
    cameras = [View(problem.camera(x, view)) for view in range(len(chosen.photos))]
    joint.views = Views(model, cameras, True, joint.detector_modes)
    state = joint.views.table.zeros()
    state[joint.views.table.slices["identity"]] = identity
    state[joint.views.table.slices["expression"]] = expression
    return joint.result(state, x[: len(start)])


KNOWN_SIZE_SIGMA = 0.005
"""Of the logarithm of a size that comes from known cameras."""
POPULATION_SIZE_SIGMA = 0.042
"""Spread of the logarithm of an adult face's size (docs/prior_card.md)."""


@dataclass(frozen=True)
class LandmarkRows:
    """The landmarks of one photo that the skin can explain."""

    corners: Int[np.ndarray, "points corners"]
    bary: Float[np.ndarray, "points corners"]
    pixels: Float[np.ndarray, "points 2"]
    sigma: Float[np.ndarray, " points"]
    """Of the detector, pixels."""
    marks: Int[np.ndarray, " points"] | None
    """Numbers of the mesh points; None for the user's 68."""


def _landmarks(embedding: LandmarkEmbedding, face: FaceObservation) -> LandmarkRows:
    """Visible mesh points, or the user's 68 without the jaw, whose outline is no fixed place."""
    skin = len(embedding.face)
    if face.given_ibug68 is None:
        kept = np.flatnonzero(face.visible[:skin] & np.isfinite(face.landmarks[:skin]).all(axis=1))
        corners, bary = embedding.faces[embedding.face[kept]], embedding.bary[kept]
        return LandmarkRows(corners, bary, face.landmarks[kept], face.sigma[kept], kept)
    corners, bary = ibug_places(embedding)
    return LandmarkRows(corners, bary, face.given_ibug68[17:], face.ibug68_sigma()[17:], None)


def ibug_places(embedding: LandmarkEmbedding) -> tuple[np.ndarray, np.ndarray]:
    """Corners and weights of the iBUG-68 without the jaw, whose outline is no fixed place."""
    pairs = IBUG_PAIRS[17:]
    corners = embedding.faces[embedding.face[pairs]].reshape(len(pairs), -1)
    return corners, 0.5 * embedding.bary[pairs].reshape(len(pairs), -1)


def _eyeballs(template: Template, parts: Mapping[str, Similarity]) -> tuple[np.ndarray, np.ndarray]:
    """Centres and radii, right eye first."""
    balls = [(parts[f"eyeball.{side}"], template.eyeballs[side]) for side in "RL"]
    centres = np.array([moved.apply(ball.centre) for moved, ball in balls])
    return centres, np.array([moved.scale * ball.radius for moved, ball in balls])


def _judge(
    views: Sequence[PhotoView], faces: Sequence[FaceObservation], photos: Sequence[Photo]
) -> tuple[str | None, tuple[str, ...]]:
    """The quality gate, and what a user should know although the fit passed."""
    reason, warnings = None, []
    for view, face, photo in zip(views, faces, photos, strict=True):
        name = photo_name(photo)
        warnings += [f"{name}: {note}" for note in photo.notes]
        if view.reprojection_percent > MAX_REPROJECTION_PERCENT:
            reason = (
                f"in {name} the landmarks are {view.reprojection_percent:.1f} % of the eye "
                f"distance from the fitted face (at most {MAX_REPROJECTION_PERCENT:.0f} is "
                "expected); look at the overlay: perhaps it is no face, or something covers it"
            )
        elif abs(view.yaw) > MAX_YAW:
            reason = (
                f"{name} shows a profile ({math.degrees(abs(view.yaw)):.0f} degrees from the "
                "front, at most 80 can be judged); take one from nearer to the front"
            )
        elif not face.trusted:
            reason = (
                f"the landmarks in {name} change when the face is looked at again (quality "
                f"{face.quality.recrop_change:.1f} and {face.quality.mirror_change:.1f} % of the "
                "face size, at most 4 is expected); look at the overlay, or use a clearer photo"
            )
        elif abs(view.yaw) > WIDE_YAW:
            warnings.append(
                f"{name}: the face is {math.degrees(abs(view.yaw)):.0f} degrees from the front; "
                "the far side is guessed"
            )
        if face.quality.blurred:
            warnings.append(f"{name}: the face is blurred; landmarks and texture suffer")
        if face.quality.outside_person > 15:
            warnings.append(f"{name}: something seems to cover a part of the face")
        if not view.gaze:
            warnings.append(
                f"{name}: no iris is visible, so the size of the head is the population's"
            )
    return reason, tuple(warnings)
