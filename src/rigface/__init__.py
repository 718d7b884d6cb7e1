"""rigface: scans, depth, photos and video of a face become a rigged, animatable 3-D head.

The names below are the public API. Each is loaded on first use, so `import rigface` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers; the table below is what runs
    from rigface.errors import InputError as InputError
    from rigface.errors import RigfaceError as RigfaceError
    from rigface.evidence.scan import Scan as Scan
    from rigface.export import Material as Material
    from rigface.export import Morph as Morph
    from rigface.export import RigAsset as RigAsset
    from rigface.export import posed_vertices as posed_vertices
    from rigface.export import save_glb as save_glb
    from rigface.geometry.mesh import Mesh as Mesh
    from rigface.io.mesh_writers import save_obj as save_obj
    from rigface.io.mesh_writers import save_ply as save_ply
    from rigface.io.scan import load_scan as load_scan
    from rigface.progress import Progress as Progress
    from rigface.rig.rig import Rig as Rig
    from rigface.rig.rig import load_rig as load_rig
    from rigface.rig.template import Template as Template
    from rigface.rig.template_io import load_template as load_template

_HOMES = {
    "InputError": "rigface.errors",
    "Material": "rigface.export",
    "Mesh": "rigface.geometry.mesh",
    "Morph": "rigface.export",
    "Progress": "rigface.progress",
    "Rig": "rigface.rig.rig",
    "RigAsset": "rigface.export",
    "RigfaceError": "rigface.errors",
    "Scan": "rigface.evidence.scan",
    "Template": "rigface.rig.template",
    "load_rig": "rigface.rig.rig",
    "load_scan": "rigface.io.scan",
    "load_template": "rigface.rig.template_io",
    "posed_vertices": "rigface.export",
    "save_glb": "rigface.export",
    "save_obj": "rigface.io.mesh_writers",
    "save_ply": "rigface.io.mesh_writers",
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
