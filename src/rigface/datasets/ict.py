"""ICT-FaceKit light: the original folder of OBJ files, or all its shapes in one npz."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from rigface.datasets.ict_parts import (
    ARKIT_NAMES,
    LANDMARKS_68,
    OUTSIDE,
    PARTS,
    VERTEX_COUNT,
    ict_names,
)
from rigface.errors import InputError
from rigface.geometry.mesh import Mesh
from rigface.io.obj import read_obj
from rigface.io.parsed import fan

M_FROM_CM = 0.01
NPZ_NAME = "ict_light_all_modes.npz"
_NEUTRAL = "generic_neutral_mesh"


@dataclass(frozen=True)
class IctFaceModel:
    """vertices = mean + sum_i identity_i * modes_i + sum_e weight_e * expressions_e.

    Metres, +Y up, +Z out of the face, +X to the subject's left, origin midway between the centres
    of the eyeballs of the mean. ICT-FaceKit has the same axes, in centimetres and about another
    origin.
    """

    mean: Float[np.ndarray, "verts 3"]
    faces: Int[np.ndarray, "faces 3"]
    """Triangles; quads are split along their first diagonal."""
    uv: Float[np.ndarray, "uvs 2"]
    uv_faces: Int[np.ndarray, "faces 3"]
    identity_names: tuple[str, ...]
    identity: Float[np.ndarray, "modes verts 3"]
    """Displacement at one standard deviation, float32; weights are standard normal."""
    identity_sigma: Float[np.ndarray, " modes"]
    """Standard deviation of each weight: ones, as ICT's own sampler has it."""
    expression_names: tuple[str, ...]
    """ICT's names, `_L` and `_R` for the subject's left and right."""
    expressions: Float[np.ndarray, "shapes verts 3"]
    """Displacement at weight 1, float32."""
    landmarks68: Int[np.ndarray, " 68"]
    origin: Float[np.ndarray, " 3"]
    """Where our origin lies in ICT's frame, metres: ict = model + origin."""

    def vertices(
        self,
        identity: Float[np.ndarray, " modes"] | None = None,
        expression: Float[np.ndarray, " shapes"] | None = None,
    ) -> Float[np.ndarray, "verts 3"]:
        """The face of some weights, float64."""
        vertices = self.mean.copy()
        for weights, shapes in ((identity, self.identity), (expression, self.expressions)):
            if weights is not None:
                used = np.flatnonzero(weights)
                vertices += np.tensordot(weights[used], shapes[used], axes=1)
        return vertices

    def arkit_matrix(self) -> tuple[tuple[str, ...], Float[np.ndarray, "arkit shapes"]]:
        """ARKit names that this model covers, and the ICT weights of each at 1.

        51 for the full model, `tongueOut` being absent: `arkit_weights @ matrix` are ICT weights.
        """
        index = {name: number for number, name in enumerate(self.expression_names)}
        names = tuple(n for n in ARKIT_NAMES if all(part in index for part in ict_names(n)))
        matrix = np.zeros((len(names), len(index)))
        for row, name in enumerate(names):
            matrix[row, [index[part] for part in ict_names(name)]] = 1.0
        return names, matrix

    def part_faces(self, *parts: str) -> Bool[np.ndarray, " faces"]:
        """Mask of the faces whose corners all lie in these parts (names of `PARTS`)."""
        inside = np.zeros(len(self.mean), bool)
        for name in parts:
            inside[PARTS[name].start : PARTS[name].stop] = True
        return np.all(inside[self.faces], axis=1)


def outside_surface(
    model: IctFaceModel, vertices: Float[np.ndarray, "verts 3"]
) -> tuple[Mesh, Int[np.ndarray, " kept"]]:
    """What a scanner sees of a face of the model, with UV, and the model's ids of its vertices.

    Face, head, neck and eyeballs, without mouth socket, teeth, tongue, eye sockets and lashes.
    The eyeballs are closed balls, their backs included.
    """
    mask = model.part_faces(*OUTSIDE)
    kept, faces = np.unique(model.faces[mask], return_inverse=True)
    kept_uv, uv_faces = np.unique(model.uv_faces[mask], return_inverse=True)
    mesh = Mesh(vertices[kept], faces.reshape(-1, 3), model.uv[kept_uv], uv_faces.reshape(-1, 3))
    return mesh, kept


def load_ict(path: str | Path) -> IctFaceModel:
    """Read the npz, or a folder: with the npz in it, the repository's root, or its FaceXModel.

    From the OBJ files whatever `identityNNN.obj` and expression files are there are taken, so a
    part of the set works too.

    Raises InputError for what is none of these, damaged files, and other topologies.
    """
    path = Path(path)
    if path.is_file():
        return _from_npz(path)
    for folder in (path, path / "FaceXModel"):
        if (folder / f"{_NEUTRAL}.obj").is_file() and not (path / NPZ_NAME).is_file():
            return _from_objs(folder)
    if (path / NPZ_NAME).is_file():
        return _from_npz(path / NPZ_NAME)
    raise InputError(
        f"{path} is no ICT-FaceKit: expected {NPZ_NAME}, or a folder with {_NEUTRAL}.obj "
        "(FaceXModel of the ICT-FaceKit repository). Check the path."
    )


def _from_npz(path: Path) -> IctFaceModel:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            quads, uv_quads = data["quads"], data["quads_uv"]
            count = np.where(quads[:, 3] < 0, 3, 4)  # -1 closes a triangle
            corners, _ = fan(4 * np.arange(len(quads)), count)
            return _model(
                path,
                data["neutral"].astype(np.float64),
                quads.reshape(-1)[corners].astype(np.int64),
                data["uv"].astype(np.float64),
                uv_quads.reshape(-1)[corners].astype(np.int64),
                dict(zip(map(str, data["identity_names"]), data["identity_deltas"], strict=True)),
                dict(
                    zip(map(str, data["expression_names"]), data["expression_deltas"], strict=True)
                ),
            )
    except InputError:
        raise
    except Exception as error:  # what a damaged archive raises is not documented
        raise InputError(
            f"{path} is no readable ICT-FaceKit npz ({type(error).__name__}: {str(error)[:80]}). "
            "Copy it again, or give the FaceXModel folder of the ICT-FaceKit repository."
        ) from error


def _from_objs(folder: Path) -> IctFaceModel:
    neutral = read_obj(folder / f"{_NEUTRAL}.obj")
    if neutral.faces is None or neutral.uv is None or neutral.uv_faces is None:
        raise InputError(f"{folder / _NEUTRAL}.obj has no faces with UV. Copy it again.")
    # The folder, not vertex_indices.json: that lists 53 of the 57 expressions.
    files = sorted(path for path in folder.glob("*.obj") if path.stem != _NEUTRAL)
    identity: dict[str, np.ndarray] = {}
    expressions: dict[str, np.ndarray] = {}
    for file in files:
        vertices = read_obj(file).vertices
        if vertices.shape != neutral.vertices.shape:
            raise InputError(
                f"{file} has {len(vertices):,} vertices, {_NEUTRAL}.obj has "
                f"{len(neutral.vertices):,}; all shapes share one topology. Copy the file again."
            )
        target = identity if file.stem.startswith("identity") else expressions
        target[file.stem] = (vertices - neutral.vertices).astype(np.float32)
    return _model(
        folder,
        neutral.vertices,
        neutral.faces,
        neutral.uv,
        neutral.uv_faces,
        identity,
        expressions,
    )


def _model(
    path: Path,
    neutral: np.ndarray,
    faces: np.ndarray,
    uv: np.ndarray,
    uv_faces: np.ndarray,
    identity: dict[str, np.ndarray],
    expressions: dict[str, np.ndarray],
) -> IctFaceModel:
    """From ICT's centimetres and origin to ours."""
    if neutral.shape != (VERTEX_COUNT, 3):
        raise InputError(
            f"{path} has {len(neutral):,} vertices; ICT-FaceKit light has {VERTEX_COUNT:,}. "
            "Its parts and landmarks are known for that topology only."
        )
    mean = neutral * M_FROM_CM
    left, right = (_eyeball_centre(mean[PARTS[f"sclera_{side}"]]) for side in ("left", "right"))
    origin = (left + right) / 2
    return IctFaceModel(
        mean=mean - origin,
        faces=faces,
        uv=uv,
        uv_faces=uv_faces,
        identity_names=tuple(identity),
        identity=_stack(identity),
        identity_sigma=np.ones(len(identity)),
        expression_names=tuple(expressions),
        expressions=_stack(expressions),
        landmarks68=np.array(LANDMARKS_68),
        origin=origin,
    )


def _stack(displacements: dict[str, np.ndarray]) -> np.ndarray:
    stack = np.zeros((len(displacements), VERTEX_COUNT, 3), np.float32)
    for row, displacement in zip(stack, displacements.values(), strict=True):
        row[:] = displacement * M_FROM_CM
    return stack


def _eyeball_centre(sclera: np.ndarray) -> np.ndarray:
    """Least-squares centre of the rear half of the ball: the front bulges with the cornea."""
    rear = sclera[sclera[:, 2] < sclera[:, 2].mean()]
    # |p|^2 = 2 p.c + (r^2 - c.c) is linear in c and the bracket.
    system = np.column_stack([2 * rear, np.ones(len(rear))])
    return np.linalg.lstsq(system, np.sum(rear**2, axis=1), rcond=None)[0][:3]
