"""The default recipe up to where its bones begin, for what starts there: Adam, floor, 3DMM."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from rigface.bench.registration_data import BenchScan
from rigface.bench.registration_fits import DEFAULT, skin_errors
from rigface.fit.bones import Goal, fit_bones
from rigface.fit.matching import Matcher, Matches, MatchRule, SkinTopology
from rigface.fit.models import FitModels, build_models
from rigface.fit.registration import fit_shape, free_form_goal
from rigface.fit.registration_result import Registration
from rigface.fit.registration_settings import RegistrationSettings
from rigface.fit.scan import ScanConfig
from rigface.fit.target import prepare_target
from rigface.geometry.similarity import Similarity
from rigface.metrics.distance import ErrorSamples
from rigface.models.posed import POSE, PosedModel
from rigface.rig.template import Template
from rigface.rig.template_io import load_template


class RecordingMatcher(Matcher):
    """Keeps the rule of its last match, so that nobody has to know the recipe's numbers."""

    last_rule: MatchRule | None = None

    def match(self, vertices: Float[np.ndarray, "verts 3"], rule: MatchRule) -> Matches:
        """As the recipe asks."""
        self.last_rule = rule
        return super().match(vertices, rule)


@dataclass(frozen=True)
class Prepared:
    """One scan in the fit frame, with the shape fit and the free-form surface of the recipe."""

    case: BenchScan
    template: Template
    models: FitModels
    matcher: RecordingMatcher
    scan_from_fit: Similarity
    shape: Registration
    goal: Goal
    """Free-form surface in the fit frame."""
    seconds: float
    """Wall clock of the shape fit and the free form."""
    config: ScanConfig

    def skin_errors(self, skin: Float[np.ndarray, "skin 3"]) -> ErrorSamples:
        """Errors of a skin in the fit frame."""
        return skin_errors(self.case, self.template, self.scan_from_fit.apply(skin))

    def bones(self, settings: RegistrationSettings) -> Registration:
        """The rest of the recipe: ASM with these settings."""
        assert not isinstance(self.models.face, type(self.models.shape))
        model = PosedModel.build(self.models.face)
        start = model.table.zeros()
        start[: POSE.size] = self.shape.x[: POSE.size]
        return fit_bones(model, self.matcher, start, self.goal, settings, _unheard)


def prepare(case: BenchScan, start: Similarity, config: ScanConfig = DEFAULT) -> Prepared:
    """Run the shape fit and the free form from scan_from_model `start`."""
    template = load_template()
    models = build_models(template, config.model, config.gaussians, False)
    target = prepare_target(case.scan, start.inverse(), template, config.samples, config.seed)
    matcher = RecordingMatcher(SkinTopology.of_template(template), target)
    began = time.perf_counter()
    shape = fit_shape(models.shape, models.closure_names, matcher, _unheard)
    goal = free_form_goal(shape, models.closure_names, template, matcher, config.registration)
    seconds = time.perf_counter() - began
    return Prepared(case, template, models, matcher, start, shape, goal, seconds, config)


def skin_of(registration: Registration) -> Float[np.ndarray, "skin 3"]:
    """Its skin in the fit frame, without gradients."""
    with torch.no_grad():
        return registration.vertices


def _unheard(fraction: float, text: str) -> None:
    pass
