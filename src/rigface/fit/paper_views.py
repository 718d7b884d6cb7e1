"""ASM's own multi-view recipe: supplement sections 4.1 to 4.3.

4.1  every photo alone gives a face and a pose; the mean of the faces starts all (Eq. 10)
4.2  E = l1 E_lmk + l2 E_edge + l3 E_pc + l4 E_reg (Eq. 11 to 16)
4.3  500 steps of Adam at 1e-4 on all variables of ASM and the poses

Our reading where the paper is silent: its network is our own fit to a single photo, so that its
registration is exact; pixels are pixels of the photo; the chamfer distance runs from the head to
the picture, squared; expression and focal length stay those of the start; contours and visibility
are renewed every `RENEWED` steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.cameras import Camera
from rigface.fit.photometric import PhotometricSettings
from rigface.geometry.rotations import rotation_from_vector
from rigface.models.asm import AsmModel
from rigface.models.parameters import Parameter, ParameterTable
from rigface.solve.adam import Adam
from rigface.terms.image_points import ImagePoints
from rigface.terms.prior import ParameterPrior
from rigface.terms.term import JointTerm

LANDMARKS, EDGE, PHOTOMETRIC, REGULARISER = 0.001, 0.4, 100.0, 1.0
"""lambda_1 to lambda_4 of Eq. 16."""
BONES = ("rotation", "translation", "log_scale")
OTHERS = 0.1
"""lambda_2 to lambda_5 of Eq. 12; lambda_1, of the bones, is one."""
SCHEDULE = Adam(rate=1e-4, max_steps=500)
RENEWED = 10
TEXELS = 256
COMPARED = PhotometricSettings(weight=PHOTOMETRIC, paper=True)


@dataclass
class PaperViews:
    """The energy of Eq. 16 over all variables of ASM and one pose per photo."""

    asm: AsmModel
    start: Float[Tensor, " asm"]
    cameras: Sequence[Camera]
    """cam_from_model of the single photos."""
    table: ParameterTable = field(init=False)
    prior: ParameterPrior = field(init=False)
    """Eq. 12, towards the bind state."""
    pictures: Sequence[Sequence[ImagePoints]] = ()
    joint: JointTerm | None = None

    def __post_init__(self) -> None:
        views = len(self.cameras)
        pose = "of each photo, from its own fit"
        self.table = ParameterTable(
            [
                *self.asm.table.parameters,
                Parameter("pose_rotation", (views, 3), "rad", 0.1, meaning=pose),
                Parameter("pose_translation", (views, 3), "m", 0.01, meaning=pose),
            ]
        )
        self.prior = self._prior()

    @property
    def zero(self) -> Float[Tensor, " params"]:
        """Where the descent begins."""
        poses = torch.zeros(self.table.size - len(self.start), dtype=self.start.dtype)
        return torch.cat([self.start, poses])

    @property
    def scale(self) -> Float[Tensor, " params"]:
        """Raw units as in the paper; expression weights stay."""
        out = torch.ones(self.table.size, dtype=self.start.dtype)
        if "expression" in self.table.slices:
            out[self.table.slices["expression"]] = 0.0
        return out

    def _prior(self) -> ParameterPrior:
        weight = np.zeros(self.table.size)
        for parameter in self.asm.table.parameters:
            if parameter.name != "expression":
                weight[self.table.slices[parameter.name]] = (
                    2 * REGULARISER * (1.0 if parameter.name in BONES else OTHERS)
                )
        return ParameterPrior(weight, np.zeros(self.table.size))

    @property
    def faces(self) -> Int[Tensor, "faces 3"]:
        """Skin triangles."""
        return self.asm.faces

    def skin(self, x: Float[Tensor, " params"], view: int = 0) -> Float[Tensor, "verts 3"]:
        """Model space, the same in every view."""
        return self.asm.vertices(x[: len(self.start)])

    def pixels_together(
        self,
        x: Float[Tensor, " params"],
        corners: Int[np.ndarray, "points corners"],
        bary: Float[np.ndarray, "points corners"],
    ) -> Float[Tensor, "views points 2"]:
        """The same points in every photo."""
        skin, views = self.skin(x), range(len(self.cameras))
        return torch.stack([self._pixels(x, skin, view, corners, bary) for view in views])

    def posed(self, x: Float[Tensor, " params"], view: int) -> tuple[Tensor, Tensor]:
        """Rotation and translation, cam_from_model."""
        values, camera = self.table.unpack(x), self.cameras[view]
        turn = rotation_from_vector(values["pose_rotation"][view])
        return turn @ camera.rotation, camera.translation + values["pose_translation"][view]

    def camera(self, x: Float[Tensor, " params"], view: int) -> Camera:
        """cam_from_model."""
        return self.cameras[view].moved(*self.posed(x, view))

    def value_and_gradient(
        self, x: Float[Tensor, " params"]
    ) -> tuple[float, Float[Tensor, " params"]]:
        """E(x) and dE/dx: terms give dE/dpixels, one backward pass carries it to the variables."""
        total = self.prior.energy(x.numpy())
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            skin = self.skin(leaf)
            outputs, pulls = [], []
            for view, terms in enumerate(self.pictures):
                for term in terms:
                    outputs.append(self._pixels(leaf, skin, view, term.corners, term.bary))
                    total += term.energy(outputs[-1].detach())
                    pulls.append(term.pull(outputs[-1].detach()))
            if self.joint is not None:
                corners, bary = self.joint.corners, self.joint.bary
                views = range(len(self.cameras))
                seen = torch.stack([self._pixels(leaf, skin, v, corners, bary) for v in views])
                model = self.joint.pixel_model(seen.detach())
                total += model.energy
                outputs.append(seen)
                pulls.append(model.gradient.to(seen))
            torch.autograd.backward(outputs, pulls)
        assert leaf.grad is not None
        return total, leaf.grad + torch.from_numpy(self.prior.gradient(x.numpy()))

    def _pixels(
        self, x: Tensor, skin: Tensor, view: int, corners: np.ndarray, bary: np.ndarray
    ) -> Float[Tensor, "points 2"]:
        weights = torch.from_numpy(bary)[..., None]
        place = (skin[torch.from_numpy(corners)] * weights).sum(dim=1)
        rotation, translation = self.posed(x, view)
        local = place @ rotation.T + translation
        camera = self.cameras[view]
        return camera.focal * local[:, :2] / local[:, 2:] + camera.centre


def landmark_term(
    corners: np.ndarray, bary: np.ndarray, pixels: np.ndarray, views: int
) -> ImagePoints:
    """Eq. 11: the mean over the photos of the summed squared distances, in pixels.

    Of the 68 without the jaw, which the edge term holds."""
    sigma = np.full(len(corners), np.sqrt(views / (2 * LANDMARKS)))
    return ImagePoints(corners, bary, pixels, sigma)


def edge_term(pairs: ImagePoints, views: int) -> ImagePoints:
    """Eq. 13 with frozen pairs: the mean over photos and points of squared distances, in pixels."""
    count = len(pairs.corners)
    sigma = np.full(count, np.sqrt(views * count / (2 * EDGE)))
    return ImagePoints(pairs.corners, pairs.bary, pairs.pixels, sigma)
