"""Pose the fitted head: turn the jaw, blend ARKit shapes, save what comes out as OBJ.

python examples/03_pose_the_rig.py scan.ply posed/
"""

from pathlib import Path

import numpy as np
import tyro

import rigface

HALF_TURN = np.radians(20) / 2
POSES = {
    "rest": ({}, {}),
    "jaw_bone": ({"jaw": (np.cos(HALF_TURN), np.sin(HALF_TURN), 0, 0)}, {}),
    "smile": ({}, {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}),
    "wink": ({}, {"eyeBlinkLeft": 1.0, "jawOpen": 0.3}),
}


def main(scan: tyro.conf.Positional[Path], out: tyro.conf.Positional[Path]) -> None:
    """Fit SCAN and write one OBJ per pose to OUT."""
    asset = rigface.rig_asset(rigface.fit_scan(rigface.load_scan(scan)))
    out.mkdir(parents=True, exist_ok=True)
    rigface.save_glb(asset, out / "head.glb")
    rigface.save_html(asset, out / "head.html", title=scan.stem)
    rest = rigface.posed_vertices(asset)
    for name, (rotations, shapes) in POSES.items():
        vertices = rigface.posed_vertices(asset, rotations, shapes)
        mesh = rigface.Mesh(vertices, asset.faces, asset.uv, asset.uv_faces)
        rigface.save_obj(out / f"{name}.obj", mesh)
        moved = 1000 * np.linalg.norm(vertices - rest, axis=1).max()
        print(f"{name:<9} moves the head by up to {moved:.1f} mm")


if __name__ == "__main__":
    tyro.cli(main)
