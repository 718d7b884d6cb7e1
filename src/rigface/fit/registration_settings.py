"""What a registration can be told, and the names of what it fits."""

from dataclasses import dataclass

from rigface.models.posed import POSE

MM = 1e-3
POSE_NAMES = tuple(POSE.slices)
TAU = ("rotation", "translation", "log_scale")
BINDING = ("zeta",)
MIXTURE = ("log_pi", "mu", "chol")
CHART = BINDING + MIXTURE


@dataclass(frozen=True)
class RegistrationSettings:
    """One set of numbers for every scan; lengths in metres."""

    free: tuple[str, ...] = TAU + BINDING + MIXTURE
    """ASM parameters that the last stage may use (the ablation fixes some)."""
    bone_steps: int = 2
    fine_steps: int = 5
    repair_rounds: int = 5
    """Extra steps, with the lips ever farther apart, while triangles cross each other."""
    fine_normal: float = 0.003
    """Shortest wave of ASM's deviation from the free form along the normal."""
    fine_tangent: float = 0.015
    """The same along the surface."""
    fine_membrane: float = 0.006
    tuck_mouth: bool = False
    """Push the bag of the mouth back where stiff skin in front of it has been moved through it."""
    soft_features: float = 0.1
    """Stiffness of lips, lids and nose relative to the rest: they are small."""
    lids: float = 0.5
    """How far shut the lids start: from wide open they would not find a shut eye's surface."""
    prior_expression: float = 30.0
    """Pull of the shape space's expression weights to zero, per sigma."""
    fine_eyes: bool = True
    """Look for shut eyes and for the balls between the lids: half a millimetre must count."""
    prior_pose: float = 0.5
    """Eq. 12: cost of one sigma (parameter table) of a bone's rotation, translation, scale."""
    prior_chart: float = 15.0
    """The same for anchors and Gaussians, which act far less linearly."""

    @property
    def prior(self) -> dict[str, float]:
        """Weight of every ASM parameter block."""
        weights = {**dict.fromkeys(TAU, self.prior_pose), **dict.fromkeys(CHART, self.prior_chart)}
        return {**weights, "expression": 30.0}
