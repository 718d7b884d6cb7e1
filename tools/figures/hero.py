"""From a scan to an animated head in one row. The scan is a head drawn from the shape space of the
template, so that nobody's face is shown: finer than the mesh that is fitted, with noise, without
eyes' and mouth's inside, in a pose and a unit of its own.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from rigface.evidence.scan import Scan
from rigface.export.asset import RigAsset
from rigface.export.evaluate import posed_vertices
from rigface.fit.result import ScanResult
from rigface.fit.rig_asset import rig_asset
from rigface.fit.scan import ScanConfig, fit_scan
from rigface.geometry.mesh import Mesh, submesh, vertex_normals
from rigface.geometry.similarity import Similarity
from rigface.metrics.outer import outer_surface
from rigface.report.colormap import ANCHORS
from rigface.rig.template import Template
from rigface.rig.template_io import load_template

from .render import Look, View, linear_from_hex, over, render

SEED, SPREAD, NOISE = 12, 1.0, 1.5e-4
PANEL = (300, 380)
FACE = View(target=(0.022, -0.022, -0.02), yaw=20, pitch=3, height=0.29)
PAGE = linear_from_hex("#f4f6f9")
GREY = (0.42, 0.42, 0.42)
LIMIT_MM = 1.0
SMILE = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "jawOpen": 0.28, "browInnerUp": 0.5,
         "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5, "eyeBlinkLeft": 1.0}  # fmt: skip


def drawn_head(template: Template, draw_from: np.random.Generator) -> Float[np.ndarray, "verts 3"]:
    """All parts of a head from the shape space of the template."""
    modes = np.asarray(template.shape_modes, dtype=np.float64)
    amounts = SPREAD * draw_from.standard_normal(len(modes))
    return template.mesh.vertices + template.shape_mean + np.tensordot(amounts, modes, axes=1)


def synthetic_scan(template: Template, scan_from_model: Similarity) -> Scan:
    """Outer skin at 17k vertices and eyeballs of a drawn head, with noise along the normals."""
    from rigface.fit.outcome import refined

    draw_from = np.random.default_rng(SEED)
    head = drawn_head(template, draw_from)
    fine, outer = refined(template, head, 1), outer_surface(template, 1)
    part, _ = submesh(Mesh(fine, outer.faces), np.ones(len(outer.faces), dtype=bool))
    normal = vertex_normals(part.vertices, part.faces)
    noisy = part.vertices + NOISE * draw_from.standard_normal((len(normal), 1)) * normal
    return Scan(scan_from_model.apply(noisy), part.faces)


def fit(template: Template) -> ScanResult:
    """The default fit of the synthetic scan, in millimetres."""
    pose = Similarity(1000.0, np.eye(3), np.zeros(3))
    return fit_scan(synthetic_scan(template, pose), ScanConfig(unit="mm"), start=pose)


def draw(folder: Path) -> None:
    """hero.png and scan_fit.png."""
    result = fit(load_template())
    asset = rig_asset(result)
    titles = ("scan", "fit", "distance, mm", "84 bones", "52 expressions")
    pictures = (
        scan_panel(result),
        head_panel(asset, {}),
        error_panel(result),
        bones_panel(asset),
        head_panel(asset, SMILE),
    )
    row(pictures, titles, folder / "hero.png")
    wire = wire_panel(asset)
    row((pictures[0], wire, pictures[2]), ("scan", "fit, its mesh", titles[2]),
        folder / "scan_fit.png")  # fmt: skip


def head_panel(asset: RigAsset, shapes: dict[str, float]) -> np.ndarray:
    """The exported head under some expression."""
    return over(render(posed_vertices(asset, {}, shapes), asset.faces, skin(asset), FACE, PANEL),
                PAGE)  # fmt: skip


def skin(asset: RigAsset) -> Look:
    """The materials of the file."""
    colors = np.array([m.base_color[:3] for m in asset.materials])
    wet = np.array([m.roughness < 0.2 for m in asset.materials], dtype=float)
    return Look(faces=colors[asset.face_material], shine=np.maximum(wet, 0.15)[asset.face_material])


def _scan_in_model(result: ScanResult) -> np.ndarray:
    return result.scan_from_model.inverse().apply(result.scan_vertices)


def scan_panel(result: ScanResult) -> np.ndarray:
    """The scan as it came, facets shown."""
    vertices = _scan_in_model(result)
    assert result.scan_faces is not None
    look = Look(vertices=np.tile(GREY, (len(vertices), 1)))
    return over(render(vertices, result.scan_faces, look, FACE, PANEL, flat=True), PAGE)


def error_panel(result: ScanResult) -> np.ndarray:
    """The scan in the colours of the report, with their scale."""
    vertices = _scan_in_model(result)
    assert result.scan_faces is not None
    look = Look(vertices=heat(result.vertex_error_mm, LIMIT_MM))
    return with_scale(over(render(vertices, result.scan_faces, look, FACE, PANEL), PAGE), LIMIT_MM)


def heat(error: Float[np.ndarray, " verts"], limit: float) -> Float[np.ndarray, "verts 3"]:
    """The report's colours from 0 to `limit`, linear; grey where nothing was measured (NaN)."""
    anchors = np.array([linear_from_hex(color) for color in ANCHORS])
    place = np.clip(np.nan_to_num(error) / limit, 0, 1) * (len(anchors) - 1)
    low = np.minimum(place.astype(int), len(anchors) - 2)
    share = (place - low)[:, None]
    between = (1 - share) * anchors[low] + share * anchors[low + 1]
    return np.where(np.isnan(error)[:, None], GREY, between)


def with_scale(image: np.ndarray, limit: float) -> np.ndarray:
    """A panel with the report's colours and their two ends below."""
    picture = Image.fromarray(image)
    pen, bar = ImageDraw.Draw(picture), 130
    left, top = (picture.width - bar) // 2, picture.height - 26
    for x in range(bar):
        at = x / (bar - 1) * (len(ANCHORS) - 1)
        pen.line([(left + x, top), (left + x, top + 8)], fill=ANCHORS[round(at)])
    for text, x in (("0", left - 14), (f"{limit:g}", left + bar + 6)):
        pen.text((x, top - 4), text, fill="#4a5565", font=ImageFont.load_default(13))
    return np.asarray(picture)


def bones_panel(asset: RigAsset) -> np.ndarray:
    """Joints and their parents over a faint head."""
    image = render(posed_vertices(asset), asset.faces, skin(asset), FACE, PANEL)
    picture = Image.fromarray(over(0.45 * image, PAGE))
    big = picture.resize((3 * PANEL[0], 3 * PANEL[1]), Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(big)
    joints = -asset.inverse_bind[:, :3, 3]
    dots = FACE.project(joints, *big.size)
    for joint, parent in enumerate(asset.joint_parents):
        if parent >= 0:
            pen.line([tuple(dots[parent]), tuple(dots[joint])], fill="#7c93b8", width=3)
    for x, y in dots:
        pen.ellipse([x - 7, y - 7, x + 7, y + 7], fill="#1d4ed8")
    return np.asarray(big.resize(PANEL, Image.Resampling.LANCZOS))


def wire_panel(asset: RigAsset) -> np.ndarray:
    """The fitted head with the edges of its triangles drawn where they can be seen."""
    vertices = posed_vertices(asset)
    base = over(render(vertices, asset.faces, skin(asset), FACE, PANEL), PAGE)
    big = Image.fromarray(base).resize((3 * PANEL[0], 3 * PANEL[1]), Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(big)
    dots = FACE.project(vertices, *big.size)
    for face in _seen_faces(vertices, asset.faces):
        pen.line([tuple(dots[i]) for i in (*face, face[0])], fill="#5b4037", width=1)
    return np.asarray(big.resize(PANEL, Image.Resampling.LANCZOS))


def _seen_faces(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    import torch

    from rigface.geometry.surface import Surface

    centre = vertices[faces].mean(axis=1)
    ray = centre - FACE.eye()
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    surface = Surface(torch.tensor(vertices), torch.tensor(faces))
    start = torch.tensor(np.broadcast_to(FACE.eye(), ray.shape).copy())
    hit, _ = surface.ray(start, torch.tensor(ray))
    return faces[hit.numpy() == np.arange(len(faces))]


def row(pictures: tuple[np.ndarray, ...], titles: tuple[str, ...], path: Path) -> None:
    """Panels side by side with a title over each."""
    head = 34
    width = sum(p.shape[1] for p in pictures)
    sheet = Image.new("RGB", (width, PANEL[1] + head), tuple(over(np.zeros((1, 1, 4)), PAGE)[0, 0]))
    pen, left = ImageDraw.Draw(sheet), 0
    for picture, title in zip(pictures, titles, strict=True):
        sheet.paste(Image.fromarray(picture), (left, head))
        centre = left + picture.shape[1] // 2
        pen.text((centre, 20), title, fill="#27303f", font=ImageFont.load_default(17), anchor="mm")
        left += picture.shape[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)
