"""The stages of a photo fit, and the energy that they lower."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rigface.cameras import Camera
from rigface.fit.first_camera import first_camera
from rigface.fit.identity_space import carved_model, identity_model
from rigface.fit.image_contours import image_contour
from rigface.fit.known_views import KnownViews
from rigface.fit.outline import outline_pairs
from rigface.fit.person_mask import person_mask
from rigface.fit.photo_choice import Chosen
from rigface.fit.photo_config import PhotoConfig
from rigface.fit.photo_landmarks import LandmarkRows, given_points, landmark_rows, mesh_points
from rigface.fit.photometric import (
    PhotometricSettings,
    PhotometricView,
    photometric_term,
    skin_texels,
)
from rigface.fit.views import DetectorModes, HeadSpace, View, Views
from rigface.fit.views_energy import ViewsEnergy
from rigface.progress import Progress
from rigface.render.image_pyramid import ImagePyramid
from rigface.rig.detector_error import load_detector_error
from rigface.rig.landmark_embedding import load_landmark_embedding
from rigface.rig.template_io import load_template
from rigface.solve.levenberg_marquardt import Box, LevenbergMarquardt, levenberg_marquardt
from rigface.terms.image_points import ImagePoints
from rigface.terms.photometric import PhotometricPatches
from rigface.terms.prior import ParameterPrior
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


_POINTS = LevenbergMarquardt(tolerance=1e-5)
_SKIN = LevenbergMarquardt(damping=2e-4, tolerance=3e-3, max_rejects=7)
"""Skin tells focal lengths and depth, the flattest directions of all: damping holds them back."""


class PhotoFit:
    """One fit: what stays the same over its stages."""

    def __init__(self, model: HeadSpace, chosen: Chosen, config: PhotoConfig) -> None:
        self.template, self.embedding = load_template(), load_landmark_embedding()
        self.model, self.chosen, self.config = model, chosen, config
        self.modes = model.table["identity"].size
        self.photos, self.faces, self.settings = chosen.photos, chosen.faces, config.weighed
        self.rows = [landmark_rows(self.embedding, face) for face in self.faces]
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
        x = self._stage(x, PLACING, self.energy(x, contour=False), replace(_POINTS, max_steps=6))
        for step in range(self.settings.rounds):
            energy = self.energy(x, contour=step > 0)
            x = self._stage(x, EVERYTHING, energy, replace(_POINTS, max_steps=self.settings.steps))
            watch.update((step + 1) / self.settings.rounds, "face")
        return x

    def compare_skin(
        self,
        x: Float[Tensor, " params"],
        watch: Progress,
        schedule: Sequence[tuple[int, float, int]],
    ) -> Float[Tensor, " params"]:
        """The same, with skin that looks the same in every photo."""
        for number, (size, weight, renewals) in enumerate(schedule):
            for _ in range(renewals):
                term = self.skin_term(x, size, weight)
                if term is None:
                    return x
                energy = self.energy(x, contour=True, trust=self.settings.photometric_trust)
                energy = replace(energy, joint_terms=[term])
                x = self._stage(
                    x, EVERYTHING, energy, replace(_SKIN, max_steps=self.settings.steps)
                )
            watch.update((number + 1) / len(schedule), "skin")
        return x

    def skin_term(
        self, x: Float[Tensor, " params"], size: int, weight: float
    ) -> PhotometricPatches | None:
        """What the photos show of the same places of the skin; None if they cannot be compared."""
        if not self._compares_skin:
            return None
        settings = PhotometricSettings(weight=weight * self.settings.skin_weight(len(self.photos)))
        texels = skin_texels(self.template, size)
        return photometric_term(self.views, x, texels, self._pyramids, settings)

    @property
    def _compares_skin(self) -> bool:
        return len(self.photos) > 1 and self.settings.photometric > 0

    @cached_property
    def _pyramids(self) -> list[PhotometricView]:
        return [
            PhotometricView(ImagePyramid.of(photo.pixels), person_mask(face, photo))
            for photo, face in zip(self.photos, self.faces, strict=True)
        ]

    def freed(self, x: Float[Tensor, " params"]) -> Float[Tensor, " carved"]:
        """The same head in a space with rest shapes beside the modes, if it is the shipped one."""
        shipped = self.model is identity_model()
        if not shipped or not self._compares_skin or not self.settings.rests:
            return x
        before, values = self.views.table, self.views.table.unpack(x)
        self.model = carved_model(self.settings.rests)
        self.views = self._views()
        out = self.views.table.zeros()
        for name, run in self.views.table.slices.items():
            out[run.start : run.start + before[name].size] = values[name].flatten()
        return out

    def loose(self, x: Tensor) -> Bool[Tensor, " params"]:
        """Parameters that are fitted and not held by a limit."""
        table = self.views.table
        held = (x <= table.column("lower")) | (x >= table.column("upper"))
        return self.box(EVERYTHING).free & ~held

    def _stage(
        self,
        x: Tensor,
        names: tuple[str, ...],
        energy: ViewsEnergy,
        solver: LevenbergMarquardt,
    ) -> Tensor:
        return levenberg_marquardt(energy, x, self.box(names), solver).value

    def box(self, names: tuple[str, ...]) -> Box:
        """Steps, limits and what is free: those of `names` that the views have."""
        table = self.views.table
        free = table.mask(tuple(name for name in names if name in table.slices))
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

    def energy(self, x: Tensor, contour: bool, trust: float = 1.0) -> ViewsEnergy:
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
        return ViewsEnergy(self.views, pictures, self.priors())

    def _weighed(self, rows: LandmarkRows, camera: Camera, trust: float) -> ImagePoints:
        if rows.marks is None:
            return given_points(rows, self.embedding, camera, trust * self.settings.given_trust)
        return mesh_points(rows, self.detector, camera, trust * self.settings.landmark_trust)

    def priors(
        self, only: Bool[np.ndarray, " params"] | None = None
    ) -> list[ParameterPrior | SparsityPrior]:
        """What is known without any photo, of all parameters or of some."""
        table, settings = self.views.table, self.settings
        weight, price = (np.zeros(table.size) for _ in range(2))
        run = table.slices["identity"]
        weight[run] = 1.0
        weight[run.start : run.start + self.modes] = settings.identity
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
