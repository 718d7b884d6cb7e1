"""Everything that a run leaves behind, written whole or not at all."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors.numpy import save_file
from torch import Tensor

from rigface.export.glb import encode_glb
from rigface.export.html import save_html
from rigface.fit.outcome import refined
from rigface.fit.result import ScanResult
from rigface.fit.rig_asset import rig_asset
from rigface.fit.texture import Dressed, wear
from rigface.geometry.mesh import Mesh
from rigface.io import atomic_output, save_obj, save_ply
from rigface.models.face_model import FaceModel
from rigface.models.posed import POSE
from rigface.progress import NullProgress, Progress
from rigface.render.texture import encode
from rigface.report.data import ReportData, ScanLayer
from rigface.report.page import write_report
from rigface.report.result_json import package_versions, write_result
from rigface.rig.subdivision import subdivide
from rigface.rig.template import Template

CREDITS = {
    "LeePerrySmith": "Scan: Lee Perry-Smith head by Infinite-Realities, CC BY 3.0",
}


def write_outputs(
    result: ScanResult,
    out: Path | str,
    rig: str = "baked",
    save: Sequence[str] = ("glb",),
    progress: Progress | None = None,
    dressed: Dressed | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """face.glb, fit.ply, params.safetensors, report.html, result.json, and what `save` asks for.

    With a texture (`dressed`) also texture.png; `more` are further fields of result.json.
    """
    watch = NullProgress() if progress is None else progress
    lod = int(result.settings.get("lod", 0))
    asset = wear(rig_asset(result, rig, lod), dressed)
    encoded = layout_for_report = encode_glb(asset)
    if rig != "baked":
        layout_for_report = encode_glb(wear(rig_asset(result, "baked", lod), dressed))
    numbers = {**result_numbers(result, encoded.pruning.mean_mm, watch), **(more or {})}
    with atomic_output(Path(out)) as folder:
        if "glb" in save:
            (folder / "face.glb").write_bytes(encoded.data)
        if dressed is not None:
            (folder / "texture.png").write_bytes(encode(dressed.texture.image, "png"))
        if "html" in save:
            save_html(asset, folder / "face.html", title=Path(result.source).stem)
        for kind in ("obj", "ply"):
            if kind in save:
                _save_mesh(folder / f"face.{kind}", result, lod)
        _save_fit(folder / "fit.ply", result, lod)
        save_params(folder / "params.safetensors", result)
        layer = ScanLayer(
            vertices=result.scan_from_model.inverse().apply(result.scan_vertices),
            faces=result.scan_faces,
            error_mm=result.vertex_error_mm,
            colors=result.scan_colors,
        )
        credit = CREDITS.get(Path(result.source).stem, "")
        report = ReportData.from_result(numbers, layout_for_report.data, layer, credit=credit)
        write_report(folder / "report.html", report)
        write_result(folder / "result.json", numbers)


def result_numbers(result: ScanResult, pruning_mm: float | None, watch: Progress) -> dict[str, Any]:
    """The content of result.json."""
    summary = result.errors.summary()
    return {
        "ok": result.ok,
        "reason": result.reason,
        "rigface": version("rigface"),
        "input": {"path": result.source, "notes": list(result.notes)},
        "unit": {
            "name": result.unit.name,
            "metres_per_unit": result.unit.metres_per_unit,
            "how": result.unit.how,
        },
        "recipe": str(result.settings["recipe"]),
        "model": str(result.settings["model"]),
        "variables": result.variables,
        "metrics": summary,
        "regions": result.errors.region_rows(),
        "quality": dict(result.quality),
        "export": {"pruning_mm": pruning_mm},
        "expression": dict(result.expression),
        "scan_from_model": result.scan_from_model.matrix().tolist(),
        "seconds": {**watch.seconds},
        "warnings": list(result.warnings),
        "seed": int(result.settings["seed"]),
        "settings": json.loads(json.dumps(result.settings, default=str)),
        "versions": package_versions(),
    }


def save_params(path: Path, result: ScanResult) -> None:
    """Every parameter by name, in its own unit, with the resolved settings in the header."""
    save_model_params(path, result.model, result.x, result.settings, result.template.name)


def save_model_params(
    path: Path,
    model: FaceModel,
    x: Tensor,
    settings: Mapping[str, Any],
    template: str,
    more: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Parameters of a model by name, further arrays, and a header.

    All of the header sits as JSON under one key: safetensors orders several keys at random.
    """
    arrays = {
        name: np.ascontiguousarray(value.numpy()) for name, value in model.table.unpack(x).items()
    }
    assert set(POSE.slices) <= set(arrays)
    header = {
        "units": {p.name: p.unit for p in model.table.parameters},
        "settings": dict(settings),
        "model": model.name,
        "template": template,
    }
    text = json.dumps(header, default=str, sort_keys=True)
    extra = {name: np.ascontiguousarray(value) for name, value in (more or {}).items()}
    save_file({**arrays, **extra}, path, metadata={"rigface": text})


def _save_fit(path: Path, result: ScanResult, lod: int) -> None:
    """Fitted skin and eyeballs in the scan's own frame and unit."""
    shown = skin_and_eyeballs(result.template, result.head.vertices, lod)
    placed = replace(shown, vertices=result.scan_from_model.apply(shown.vertices))
    save_ply(path, placed, comment="rigface fit, in the scan's frame and unit")


def _save_mesh(path: Path, result: ScanResult, lod: int) -> None:
    vertices, faces = _geometry(result.template, result.head.vertices, lod)
    mesh = Mesh(vertices, faces)
    if lod == 0:
        mesh = Mesh(vertices, faces, result.template.mesh.uv, result.template.mesh.uv_faces)
    (save_obj if path.suffix == ".obj" else save_ply)(path, mesh)


def skin_and_eyeballs(template: Template, head: Float[np.ndarray, "verts 3"], lod: int = 0) -> Mesh:
    """What is seen of a head from outside: the parts that stand first in the template."""
    vertices, faces = _geometry(template, head, lod)
    balls = [template.parts[f"eyeball.{side}"] for side in "LR"]
    skin = template.parts["skin"]
    stop = max(ball.vertices.stop for ball in balls) + len(vertices) - len(head)
    count = (skin.faces.stop - skin.faces.start) * 4**lod
    count += sum(ball.faces.stop - ball.faces.start for ball in balls)
    return Mesh(vertices[:stop], faces[:count])


def _geometry(template: Template, head: np.ndarray, lod: int) -> tuple[np.ndarray, np.ndarray]:
    vertices = refined(template, head, lod)
    faces, skin = template.mesh.faces, template.parts["skin"]
    if lod:
        _, fine = subdivide(faces[skin.faces], lod, skin.vertices.stop)
        shift = len(vertices) - len(head)
        faces = np.concatenate([fine, faces[skin.faces.stop :] + shift])
    return vertices, faces
