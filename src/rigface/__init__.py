"""rigface: scans, depth, photos and video of a face become a rigged, animatable 3-D head.

The names below are the public API. Each is loaded on first use, so `import rigface` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers; the table below is what runs
    from rigface.cameras import Camera as Camera
    from rigface.datasets.ict import IctFaceModel as IctFaceModel
    from rigface.datasets.ict import load_ict as load_ict
    from rigface.errors import InputError as InputError
    from rigface.errors import RigfaceError as RigfaceError
    from rigface.evidence.landmarks import Landmarks as Landmarks
    from rigface.evidence.photo import Photo as Photo
    from rigface.evidence.scan import Scan as Scan
    from rigface.export import RigAsset as RigAsset
    from rigface.export import posed_vertices as posed_vertices
    from rigface.export import save_glb as save_glb
    from rigface.export.html import save_html as save_html
    from rigface.fit.depth import DepthConfig as DepthConfig
    from rigface.fit.depth import fit_depth as fit_depth
    from rigface.fit.photo import PhotoConfig as PhotoConfig
    from rigface.fit.photo import fit_photos as fit_photos
    from rigface.fit.photo_result import PhotoResult as PhotoResult
    from rigface.fit.result import ScanResult as ScanResult
    from rigface.fit.rig_asset import rig_asset as rig_asset
    from rigface.fit.scan import ScanConfig as ScanConfig
    from rigface.fit.scan import fit_scan as fit_scan
    from rigface.geometry.mesh import Mesh as Mesh
    from rigface.io import load_landmarks as load_landmarks
    from rigface.io import load_scan as load_scan
    from rigface.io import read_photo as read_photo
    from rigface.io import save_obj as save_obj
    from rigface.io import save_ply as save_ply
    from rigface.io.depth import load_depth as load_depth
    from rigface.metrics.correspondence import correspondence_errors as correspondence_errors
    from rigface.metrics.distance import scan_to_mesh as scan_to_mesh
    from rigface.metrics.mesh_quality import mesh_quality as mesh_quality
    from rigface.metrics.outer import outer_surface as outer_surface
    from rigface.metrics.region import face_region as face_region
    from rigface.models.asm import AsmModel as AsmModel
    from rigface.models.face_model import FaceModel as FaceModel
    from rigface.models.linear import LinearModel as LinearModel
    from rigface.perception import load_detector as load_detector
    from rigface.progress import Progress as Progress
    from rigface.report.outputs import write_outputs as write_outputs
    from rigface.rig.rig import Rig as Rig
    from rigface.rig.rig import load_rig as load_rig
    from rigface.rig.template import Template as Template
    from rigface.rig.template_io import load_template as load_template

_HOMES = {
    "AsmModel": "rigface.models.asm",
    "Camera": "rigface.cameras",
    "DepthConfig": "rigface.fit.depth",
    "FaceModel": "rigface.models.face_model",
    "IctFaceModel": "rigface.datasets.ict",
    "InputError": "rigface.errors",
    "Landmarks": "rigface.evidence.landmarks",
    "LinearModel": "rigface.models.linear",
    "Mesh": "rigface.geometry.mesh",
    "Photo": "rigface.evidence.photo",
    "PhotoConfig": "rigface.fit.photo",
    "PhotoResult": "rigface.fit.photo_result",
    "Progress": "rigface.progress",
    "Rig": "rigface.rig.rig",
    "RigAsset": "rigface.export",
    "RigfaceError": "rigface.errors",
    "Scan": "rigface.evidence.scan",
    "ScanConfig": "rigface.fit.scan",
    "ScanResult": "rigface.fit.result",
    "Template": "rigface.rig.template",
    "correspondence_errors": "rigface.metrics.correspondence",
    "face_region": "rigface.metrics.region",
    "fit_depth": "rigface.fit.depth",
    "fit_photos": "rigface.fit.photo",
    "fit_scan": "rigface.fit.scan",
    "load_depth": "rigface.io.depth",
    "load_detector": "rigface.perception",
    "load_ict": "rigface.datasets.ict",
    "load_landmarks": "rigface.io",
    "load_rig": "rigface.rig.rig",
    "load_scan": "rigface.io",
    "load_template": "rigface.rig.template_io",
    "mesh_quality": "rigface.metrics.mesh_quality",
    "outer_surface": "rigface.metrics.outer",
    "posed_vertices": "rigface.export",
    "read_photo": "rigface.io",
    "rig_asset": "rigface.fit.rig_asset",
    "save_glb": "rigface.export",
    "save_html": "rigface.export.html",
    "save_obj": "rigface.io",
    "save_ply": "rigface.io",
    "scan_to_mesh": "rigface.metrics.distance",
    "write_outputs": "rigface.report.outputs",
}

__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rigface' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
