"""A scan to try things on: a random head of the template's population, seen by a scanner.

    python examples/01_synthesise_scan.py scan.ply --seed 3

A cylindrical scanner turns around the head, so the mesh has its own triangles, shadows behind the
ears and under the chin, and nothing inside the mouth. Noise, round holes, an arbitrary orientation
and millimetres make it look like what people send.
"""

from pathlib import Path

import numpy as np
import torch
import tyro
from scipy.spatial.transform import Rotation

import rigface
from rigface.geometry.surface import Surface


def random_head(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (metres) and faces of the skin and eyeballs of somebody who does not exist."""
    template = rigface.load_template()
    rng = np.random.default_rng(seed)
    amounts = rng.standard_normal(len(template.shape_modes)).clip(-2, 2)
    shape = template.shape_mean + np.tensordot(amounts, template.shape_modes, axes=1)
    seen = [template.parts[name].faces for name in ("skin", "eyeball.L", "eyeball.R")]
    faces = np.concatenate([template.mesh.faces[part] for part in seen])
    return template.mesh.vertices + shape, faces


def cylindrical_scan(vertices: np.ndarray, faces: np.ndarray, step: float = 0.0013):
    """First hits of rays towards the vertical axis, as a mesh over the grid of rays."""
    axis, radius = np.array([0.0, 0.0, -0.06]), 0.25
    heights = np.arange(-0.13, 0.15, step)
    angles = np.arange(-2.2, 2.2, step / 0.1)
    height, angle = np.meshgrid(heights, angles, indexing="ij")
    outward = np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], axis=-1)
    origins = axis + radius * outward
    origins[..., 1] += height
    surface = Surface(torch.from_numpy(vertices), torch.from_numpy(faces))
    face, depth = surface.ray(
        torch.from_numpy(origins.reshape(-1, 3)), torch.from_numpy(-outward.reshape(-1, 3)), radius
    )
    hit = face.numpy() >= 0
    points = origins.reshape(-1, 3) - np.where(hit, depth.numpy(), 0)[:, None] * outward.reshape(
        -1, 3
    )
    index = np.arange(len(points)).reshape(height.shape)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    triangles = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    edges = points[triangles] - points[np.roll(triangles, 1, axis=1)]
    whole = hit[triangles].all(axis=1) & (np.linalg.norm(edges, axis=-1).max(axis=1) < 5 * step)
    return points, triangles[whole]


def main(out: tyro.conf.Positional[Path], seed: int = 0, noise_mm: float = 0.15, holes: int = 4):
    """Write a synthetic scan as PLY.

    Args:
        out: The file to write.
        seed: Which head, which holes, which noise.
        noise_mm: Standard deviation of the noise in each direction.
        holes: How many round holes are cut into it.
    """
    points, faces = cylindrical_scan(*random_head(seed))
    rng = np.random.default_rng(seed + 1)
    front = faces[points[faces[:, 0], 2] > 0, 0]
    for centre in points[rng.choice(front, holes)]:
        far = np.linalg.norm(points - centre, axis=1) > rng.uniform(0.004, 0.012)
        faces = faces[far[faces].all(axis=1)]
    used, flat = np.unique(faces, return_inverse=True)
    noisy = points[used] + rng.normal(0, noise_mm / 1000, (len(used), 3))
    turned = Rotation.from_quat(rng.standard_normal(4)).apply(noisy)
    mesh = rigface.Mesh(1000 * turned + rng.normal(0, 300, 3), flat.reshape(-1, 3))
    out.parent.mkdir(parents=True, exist_ok=True)
    rigface.save_ply(out, mesh, precision=np.float32)
    print(f"{out}: {len(used)} points, {len(faces)} triangles, in mm, turned at random")


if __name__ == "__main__":
    tyro.cli(main)
