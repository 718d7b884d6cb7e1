"""Every module can be imported on its own, silently, under the shape checker of the tests."""

import ast
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import rigface

MODULES = sorted(module.name for module in pkgutil.walk_packages(rigface.__path__, "rigface."))
SOURCE = Path(rigface.__file__).parent
FORBIDDEN = {
    "plyfile", "bpy", "anny", "igl", "matplotlib", "meshmonk", "drtk", "jaxls",
    "mediapipe", "cv2", "ai_edge_litert", "pillow_heif",
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_module_imports(name, capfd):
    import_module(name)
    assert capfd.readouterr() == ("", "")


def test_no_module_says_anything_in_a_fresh_process():
    code = "import rigface.geometry.surface as s; s.start_warp(); import rigface.cli"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: p.stem)
def test_optional_and_forbidden_packages_are_not_imported_at_the_top(path):
    tree = ast.parse(path.read_text())
    names = {
        name.split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
        )
    }
    assert not names & FORBIDDEN
