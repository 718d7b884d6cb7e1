"""Everything that a photo run leaves behind, written whole or not at all."""

import json
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from rigface.export.asset import RigAsset
from rigface.export.glb import EncodedGlb, encode_glb
from rigface.export.html import save_html
from rigface.fit.photo_result import PhotoResult
from rigface.fit.rig_asset import rig_asset
from rigface.fit.texture import Dressed, wear
from rigface.geometry.intersections import self_intersections
from rigface.geometry.mesh import Mesh
from rigface.io import atomic_output, save_obj, save_ply
from rigface.io.cameras import save_cameras, save_transforms
from rigface.metrics.mesh_quality import flipped_faces
from rigface.metrics.outer import outer_surface
from rigface.progress import NullProgress, Progress
from rigface.report.data import Picture, ReportData
from rigface.report.outputs import save_model_params, skin_and_eyeballs
from rigface.report.page import write_report
from rigface.report.photo_pictures import embedded_landmarks, overlay, png, uncertainty
from rigface.report.result_json import PHOTO_SCHEMA, package_versions, write_result

REGIONS = ("forehead", "brows", "eyes", "nose", "cheeks", "lips", "jaw")


def write_photo_outputs(
    result: PhotoResult,
    dressed: Dressed | None,
    out: Path | str,
    rig: str = "baked",
    save: Sequence[str] = ("glb",),
    lod: int = 0,
    progress: Progress | None = None,
) -> None:
    """face.glb, fit.ply, neutral.ply, overlay.png, texture.png, cameras.json, transforms.json,
    landmarks.json, params.safetensors, report.html, result.json, and what `save` asks for."""
    watch = NullProgress() if progress is None else progress
    with ThreadPoolExecutor(1) as beside:  # what needs no renderer, which is for one thread alone
        texture = None if dressed is None else beside.submit(png, dressed.texture.image)
        exported = beside.submit(_exported, result, dressed, rig, lod)
        overlays = [png(overlay(result, view)) for view in range(len(result.views))]
        spread = png(uncertainty(result))
    asset, encoded, shown = exported.result()
    numbers = photo_numbers(result, encoded.pruning.mean_mm, watch, lod)
    names = image_names(result)
    with atomic_output(Path(out)) as folder:
        if "glb" in save:
            (folder / "face.glb").write_bytes(encoded.data)
        if "html" in save:
            save_html(asset, folder / "face.html", title=names[0])
        mesh = _mesh(result, result.neutral)
        for kind, writer in (("obj", save_obj), ("ply", save_ply)):
            if kind in save:
                writer(folder / f"face.{kind}", mesh)
        comment = "rigface, model space: metres, +Y up, +Z out of the face"
        save_ply(
            folder / "fit.ply", skin_and_eyeballs(result.template, result.fitted), comment=comment
        )
        save_ply(
            folder / "neutral.ply",
            skin_and_eyeballs(result.template, result.neutral),
            comment=comment,
        )
        for name, picture in zip(_numbered("overlay", len(overlays)), overlays, strict=True):
            (folder / name).write_bytes(picture)
        if texture is not None:
            (folder / "texture.png").write_bytes(texture.result())
        cameras = dict(zip(names, result.cameras, strict=True))
        save_cameras(folder / "cameras.json", cameras)
        save_transforms(folder / "transforms.json", cameras)
        _write_json(folder / "landmarks.json", landmark_rows(result))
        save_model_params(
            folder / "params.safetensors",
            result.model,
            result.x,
            result.settings,
            result.template.name,
            {"identity": result.identity, "rest_shapes": result.rests},
        )
        report = ReportData.from_result(numbers, shown.data, None, title=names[0])
        report = replace(
            report,
            headline="Photo to fit",
            region_title="Shape uncertainty by region, mm",
            pictures=(
                *(Picture("In the photo", picture) for picture in overlays),
                Picture("How sure the shape is", spread),
            ),
        )
        write_report(folder / "report.html", report)
        write_result(folder / "result.json", numbers, PHOTO_SCHEMA)


def _exported(
    result: PhotoResult, dressed: Dressed | None, rig: str, lod: int
) -> tuple[RigAsset, EncodedGlb, EncodedGlb]:
    """The rigged head, its GLB, and the GLB that the report shows."""
    asset = wear(rig_asset(result, rig, lod), dressed)
    encoded = encode_glb(asset)
    if rig == "baked":
        return asset, encoded, encoded
    return asset, encoded, encode_glb(wear(rig_asset(result, "baked", lod), dressed))


def image_names(result: PhotoResult) -> list[str]:
    """File names of the photos, made unique."""
    names: list[str] = []
    for number, view in enumerate(result.views):
        name = view.photo.source.name if view.photo.source else f"photo_{number}.png"
        names.append(name if name not in names else f"{number}_{name}")
    return names


def photo_numbers(
    result: PhotoResult, pruning_mm: float | None, watch: Progress, lod: int
) -> dict[str, Any]:
    """The content of result.json."""
    rest, skin = result.template.mesh.vertices, outer_surface(result.template).skin_faces
    low, high = result.size.interval()
    return {
        "ok": result.ok,
        "reason": result.reason,
        "rigface": version("rigface"),
        "input": {"images": image_names(result)},
        "recipe": "photo",
        "model": str(result.settings["model"]),
        "variables": result.variables,
        "metrics": {
            "reprojection_percent": result.reprojection_percent,
            "shape_sigma_mm": _face_sigma(result),
        },
        "regions": _regions(result),
        "scale": {
            "unit": "metre",
            "how": result.size.how,
            "relative_sigma": result.size.log_sigma,
            "interval_95": [low / result.size.scale, high / result.size.scale],
        },
        "focal": {
            "how": result.focal_how,
            "px": [float(camera.focal[0]) for camera in result.cameras],
        },
        "views": [
            {
                "image": name,
                "face_detector": view.face.source,
                "reprojection_percent": view.reprojection_percent,
                "yaw_deg": math.degrees(view.yaw),
                "expression": dict(view.expression),
                "gaze_deg": {
                    side: [math.degrees(look.left), math.degrees(look.up)]
                    for side, look in view.gaze.items()
                },
                "landmark_quality": {
                    "recrop_change": view.face.quality.recrop_change,
                    "mirror_change": view.face.quality.mirror_change,
                    "sharpness": view.face.quality.sharpness,
                },
            }
            for name, view in zip(image_names(result), result.views, strict=True)
        ],
        "identity": result.identity.tolist(),
        "rest_shapes": result.rests.tolist(),
        "quality": {
            "flipped": int(flipped_faces(rest, result.neutral, skin).sum()),
            "self_intersections": len(self_intersections(result.neutral, skin)),
        },
        "export": {"pruning_mm": pruning_mm, "lod": lod},
        "seconds": {**result.seconds, **watch.seconds},
        "warnings": list(result.warnings),
        "advice": result.advice,
        "seed": int(result.settings["seed"]),
        "settings": json.loads(json.dumps(result.settings, default=str)),
        "versions": package_versions(),
    }


def landmark_rows(result: PhotoResult) -> dict[str, Any]:
    """landmarks.json: where they are in each photo, and on the head."""
    rows = []
    for number, (name, view) in enumerate(zip(image_names(result), result.views, strict=True)):
        mesh, ibug = (embedded_landmarks(result, number, kind) for kind in (False, True))
        known = view.face.given_ibug68 is None
        rows.append(
            {
                "image": name,
                "size": [view.photo.width, view.photo.height],
                "mediapipe478": {
                    "px": _rounded(view.face.landmarks, 3) if known else None,
                    "sigma_px": _rounded(view.face.sigma, 3) if known else None,
                    "visible": view.face.visible.tolist() if known else None,
                    "head_m": _rounded(mesh, 6),
                },
                "ibug68": {"px": _rounded(view.face.ibug68(), 3), "head_m": _rounded(ibug, 6)},
            }
        )
    convention = (
        "px: origin at the outer corner of the first pixel; head_m: model space with this photo's "
        "expression, metres, +Y up, +Z out of the face"
    )
    return {"convention": convention, "photos": rows}


def _regions(result: PhotoResult) -> list[dict[str, Any]]:
    rows = []
    for name in REGIONS:
        inside = result.template.regions[name][: len(result.sigma)]
        rows.append({"name": name, "sigma_mm": float(1000 * _rms(result.sigma[inside]))})
    return rows


def _face_sigma(result: PhotoResult) -> float:
    return float(1000 * _rms(result.sigma[result.template.regions["face"][: len(result.sigma)]]))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _rounded(values: np.ndarray, digits: int) -> list:
    return np.round(values, digits).tolist()


def _numbered(stem: str, count: int) -> list[str]:
    return [f"{stem}.png"] + [f"{stem}_{number}.png" for number in range(1, count)]


def _mesh(result: PhotoResult, vertices: np.ndarray) -> Mesh:
    mesh = result.template.mesh
    return Mesh(vertices, mesh.faces, mesh.uv, mesh.uv_faces)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, allow_nan=False) + "\n", encoding="utf-8")
