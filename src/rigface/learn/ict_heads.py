"""ICT-FaceKit identities in the template's topology, by registering a few of them ourselves.

The correspondence is made once: the mean face and some identities are registered, each template
vertex gets the average of its places on the mean face, and from then on every identity is a
barycentric read-out of ICT's own shapes. Skin that ICT does not show to a scanner (mouth bag,
sockets, vestibules) is carried by the smoothest extension.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float, Int

from rigface.datasets.ict import IctFaceModel
from rigface.evidence.scan import Scan
from rigface.fit.matching import Matcher, MatchRule, SkinTopology
from rigface.fit.models import template_space
from rigface.fit.registration import local_stiffness, refine_free_form
from rigface.fit.registration_result import Registration
from rigface.fit.registration_settings import MM, POSE_NAMES, RegistrationSettings
from rigface.fit.stages import Stage, run_stage
from rigface.fit.target import prepare_target
from rigface.geometry.mesh import unique_edges
from rigface.geometry.similarity import align_points
from rigface.geometry.surface import Surface
from rigface.learn.thin_plate import ThinPlate
from rigface.models.posed import PosedModel
from rigface.rig.template import Template
from rigface.terms.robust import GemanMcClure
from rigface.terms.vertex_targets import VertexTargetTerm

SKIN_PARTS = ("face", "head_and_neck")
INNER_FACE = slice(17, 68)
"""iBUG points without the jaw line, which is a contour and no place on the skin."""
MARGIN_ARCS = {
    "lid.upper.R": (36, 37, 38, 39),
    "lid.lower.R": (36, 41, 40, 39),
    "lid.upper.L": (42, 43, 44, 45),
    "lid.lower.L": (42, 47, 46, 45),
    "lip.upper": (60, 61, 62, 63, 64),
    "lip.lower": (60, 67, 66, 65, 64),
}
"""iBUG points along each margin of lids and lips, right to left as in `Template.loops`."""
_OFF_SKIN = 1.5 * MM
"""A registered vertex farther from ICT's skin than this has no counterpart there."""


@dataclass(frozen=True)
class CarriedIct:
    """ICT-FaceKit as a linear model on the template's skin: mean + z . modes. Metres, ICT frame."""

    mean: Float[np.ndarray, "verts 3"]
    modes: Float[np.ndarray, "modes verts 3"]
    known: Bool[np.ndarray, " verts"]
    """Vertices that lie on ICT's skin; the others are carried."""

    def heads(self, z: Float[np.ndarray, "heads modes"]) -> Float[np.ndarray, "heads verts 3"]:
        """Skins of these identities."""
        return self.mean + np.tensordot(z, self.modes, axes=1)


def truncated_normal(
    rng: np.random.Generator, shape: tuple[int, ...], limit: float = 2.5
) -> Float[np.ndarray, "*shape"]:
    """Standard normal numbers, redrawn where they exceed the limit."""
    z = rng.normal(size=shape)
    while (wild := np.abs(z) > limit).any():
        z[wild] = rng.normal(size=int(wild.sum()))
    return z


def carry_ict(
    ict: IctFaceModel, template: Template, registered: int = 5, seed: int = 0
) -> CarriedIct:
    """Register the mean face and `registered` - 1 random identities; see the module."""
    rng = np.random.default_rng(seed)
    z = np.vstack(
        [
            np.zeros(len(ict.identity)),
            truncated_normal(rng, (registered - 1, len(ict.identity))),
        ]
    )
    skin = _IctSkin.of(ict)
    outer = template.regions["outer"][template.parts["skin"].vertices]
    surfaces = [register_ict(ict, skin, template, ict.vertices(row)) for row in z]
    places, near = [], np.ones(len(outer), dtype=bool)
    for row, surface in zip(z, surfaces, strict=True):
        corners, bary, distance = skin.closest(ict.vertices(row), surface)
        places.append(np.einsum("nc,ncd->nd", bary, ict.mean[corners]))
        near &= distance < _OFF_SKIN
    # ICT's mean is its own mirror image and so is the template: the correspondence had better be.
    mirror = template.mirror[: len(outer)]
    known = outer & near & near[mirror]
    place = np.mean(places, axis=0)
    place = (place + place[mirror] * [-1.0, 1.0, 1.0]) / 2
    corners, bary, _ = skin.closest(ict.mean, place)
    reference = surfaces[0]
    plate = ThinPlate.between(reference[known], reference[~known])
    mean = reference.copy()
    mean[known] = np.einsum("nc,ncd->nd", bary[known], ict.mean[corners[known]])
    mean[~known] += plate.carry((mean - reference)[known])
    modes = np.zeros((len(ict.identity), *mean.shape))
    for mode, shape in zip(modes, ict.identity, strict=True):
        mode[known] = np.einsum("nc,ncd->nd", bary[known], shape[corners[known]].astype(float))
        mode[~known] = plate.carry(mode[known])
    return CarriedIct(mean, modes, known)


def register_ict(
    ict: IctFaceModel,
    skin: "_IctSkin",
    template: Template,
    vertices: Float[np.ndarray, "ict 3"],
) -> Float[np.ndarray, "verts 3"]:
    """One neutral ICT face in the template's topology, ICT frame, metres.

    The shape space and the free form of the scan recipe, with ICT's landmarks and lid margins as
    known places. ICT's eyes are open and its mouth is closed, as ours are.
    """
    rest = template.mesh.vertices
    from_template = template.landmarks.positions(rest, template.mesh.faces)[INNER_FACE]
    ict_from_model = align_points(from_template, vertices[ict.landmarks68[INNER_FACE]])
    model_from_ict = ict_from_model.inverse()
    used, faces = np.unique(skin.faces, return_inverse=True)
    scan = Scan(vertices[used], faces.reshape(-1, 3))
    target = prepare_target(scan, model_from_ict, template)
    matcher = Matcher(SkinTopology.of_template(template), target)
    moved = model_from_ict.apply(vertices)
    pins = _pins(ict, skin, template, moved)
    first = _fit_shape(template, matcher, _landmark_term(ict, template, moved))
    local = local_stiffness(template, RegistrationSettings().soft_features)
    reference = rest[template.parts["skin"].vertices]
    surface = refine_free_form(reference, first, matcher, local, (pins,))
    return ict_from_model.apply(surface)


@dataclass(frozen=True)
class _IctSkin:
    """The outer skin of ICT-FaceKit and the graph of its edges."""

    faces: Int[np.ndarray, "faces 3"]
    edges: Int[np.ndarray, "edges 2"]

    @staticmethod
    def of(ict: IctFaceModel) -> "_IctSkin":
        faces = np.ascontiguousarray(ict.faces[ict.part_faces(*SKIN_PARTS)])
        return _IctSkin(faces, unique_edges(faces))

    def closest(
        self, vertices: Float[np.ndarray, "ict 3"], points: Float[np.ndarray, "points 3"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(corners, barycentric coordinates, distance) of the nearest skin of a face."""
        surface = Surface(torch.from_numpy(vertices), torch.from_numpy(self.faces))
        found = surface.closest(torch.from_numpy(np.ascontiguousarray(points)))
        return self.faces[found.face.numpy()], found.bary.numpy(), found.distance.numpy()

    def path(self, mean: np.ndarray, through: tuple[int, ...]) -> Int[np.ndarray, " path"]:
        """Vertices along the shortest edge paths through some vertices."""
        length = np.linalg.norm(mean[self.edges[:, 0]] - mean[self.edges[:, 1]], axis=1)
        graph = sp.coo_matrix((length, self.edges.T), shape=(len(mean), len(mean))).tocsr()
        ends = list(through)
        _, before = sp.csgraph.dijkstra(
            graph, directed=False, indices=ends, return_predecessors=True
        )
        out = [ends[0]]
        for start in range(len(ends) - 1):
            leg = [ends[start + 1]]
            while leg[-1] != ends[start]:
                leg.append(int(before[start, leg[-1]]))
            out += leg[-2::-1]
        return np.array(out)


def _fit_shape(template: Template, matcher: Matcher, known: VertexTargetTerm) -> Registration:
    """The scan recipe's pose and shape stages with landmarks, without any expression."""
    model = PosedModel.build(template_space(template, ()))
    robust = GemanMcClure(4.0)
    pose = MatchRule(20 * MM, 0.5, 2 * MM, robust, slide=0.1, reverse=0.0)
    modes = MatchRule(14 * MM, 0.5, 1 * MM, robust, slide=0.2, reverse=0.3)
    x = model.table.zeros()
    for stage in (
        Stage("pose", 5, POSE_NAMES, pose, 12 * MM),
        Stage("shape", 8, (*POSE_NAMES, "identity"), modes, 6 * MM, {"identity": 300.0}),
    ):
        x, _ = run_stage(model, matcher, stage, x, extra=(known,))
    return Registration(model, x, ())


def _landmark_term(
    ict: IctFaceModel, template: Template, moved: Float[np.ndarray, "ict 3"]
) -> VertexTargetTerm:
    """Each landmark pulls the nearest template vertex as 30 square millimetres of scan do."""
    points = template.landmarks
    corner = points.bary.argmax(axis=1)
    ids = template.mesh.faces[points.face, corner][INNER_FACE]
    count = template.parts["skin"].vertices.stop
    targets, weights = np.zeros((count, 3)), np.zeros(count)
    targets[ids] = moved[ict.landmarks68[INNER_FACE]]
    weights[ids] = 30.0
    return VertexTargetTerm(targets, weights, 1 * MM)


def _pins(
    ict: IctFaceModel, skin: _IctSkin, template: Template, moved: Float[np.ndarray, "ict 3"]
) -> VertexTargetTerm:
    """The margins of lids and lips, by arc length between their corners."""
    count = template.parts["skin"].vertices.stop
    targets, weights = np.zeros((count, 3)), np.zeros(count)
    for name, arc in MARGIN_ARCS.items():
        ring = template.loops[name]
        path = skin.path(ict.mean, tuple(int(v) for v in ict.landmarks68[list(arc)]))
        wanted = _arc_length(template.mesh.vertices[ring])
        along = _arc_length(moved[path])
        for axis in range(3):
            targets[ring, axis] = np.interp(wanted, along, moved[path, axis])
        weights[ring] = 100.0
    return VertexTargetTerm(targets, weights, 1 * MM)


def _arc_length(points: np.ndarray) -> np.ndarray:
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()
