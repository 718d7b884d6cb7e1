"""The public names are a promise: this list changes on purpose only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rigface

PUBLIC = """
AsmModel Camera DepthConfig FaceModel IctFaceModel InputError Landmarks LinearModel Mesh Photo
PhotoConfig PhotoResult Progress Rig RigAsset RigfaceError Scan ScanConfig ScanResult Template
correspondence_errors face_region fit_depth fit_photos fit_scan load_depth load_detector
load_ict load_landmarks load_rig load_scan load_template mesh_quality outer_surface
posed_vertices read_photo rig_asset
save_glb save_html save_obj save_ply scan_to_mesh write_outputs
""".split()


def test_the_list():
    assert rigface.__all__ == PUBLIC
    assert len(PUBLIC) <= 43


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_resolves_and_is_documented(name):
    value = getattr(rigface, name)
    assert value.__name__ == name
    assert value.__doc__
    assert name in dir(rigface)


def test_type_checkers_see_what_runs():
    tree = ast.parse(Path(rigface.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {node.names[0].asname: node.module for node in imports}
    assert seen == rigface._HOMES


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fit_everything'"):
        rigface.fit_everything  # noqa: B018


def test_import_alone_loads_nothing_heavy():
    code = "import rigface, sys; print([m for m in ('torch', 'numpy', 'warp') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
