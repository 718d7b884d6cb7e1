"""The rig chart of the template: prescribed sizes, SLIM, units, quality figures."""

import numpy as np

from rigface.rig.disc import (
    boundary_loop,
    flat_gradients,
    jacobians,
    slim,
    symmetric_chart,
    tutte,
)

_FACE_CENTER = np.array([0.0, -0.03, 0.0])
_PER_METRE = 10.0


def build_chart(skin, steps: int = 80) -> np.ndarray:
    """Disc chart of the skin, u = 0 on the midline; face lengths are decimetres on average."""
    scale, weight = _prescription(skin)
    loop = boundary_loop(skin.faces)
    radius = np.sqrt((skin.areas * scale**2).sum() * _PER_METRE**2 / np.pi)
    chart = tutte(skin.faces, len(skin.vertices), loop, radius * _circle(skin, loop))
    chart = symmetric_chart(chart, skin.mirror)
    gradients, areas = flat_gradients(skin.vertices * _PER_METRE, skin.faces, scale)
    chart = slim(chart, skin.faces, gradients, areas * weight, loop, skin.mirror, steps)
    return _centred_unit(skin, chart)


def _prescription(skin) -> tuple[np.ndarray, np.ndarray]:
    """Wanted length scale and importance of each face: the face at 1, the rest smaller."""
    distance = np.linalg.norm(skin.centers - _FACE_CENTER, axis=1)
    scale = np.interp(distance, [0.085, 0.16], [1.0, 0.25])
    weight = np.interp(distance, [0.085, 0.16], [1.0, 0.1])
    scale = np.where(skin.outer_faces, scale, 0.6 * scale)
    # The mouth bag gives way, the small eye sockets keep the lids apart.
    weight = np.where(skin.outer_faces, weight, 0.03)
    weight[skin.socket_faces] = 0.15
    scale[skin.ear_faces] *= 0.6
    weight[skin.ear_faces] *= 0.3
    return scale, weight


def chart_quality(skin, chart: np.ndarray) -> dict[str, float]:
    """The figures that DESIGN section 3 asks for."""
    gradients, flat = flat_gradients(
        skin.vertices * _PER_METRE, skin.faces, np.ones(len(skin.faces))
    )
    jacobian = jacobians(chart, skin.faces, gradients)
    det = np.linalg.det(jacobian)
    singular = np.linalg.svd(jacobian, compute_uv=False)
    area = flat * np.abs(det)
    region = skin.face_faces
    low, high = np.quantile(singular[region, 1], 0.01), np.quantile(singular[region, 0], 0.99)
    root = np.sqrt(np.abs(det[region]))
    mirrored = chart[skin.mirror] * np.array([-1, 1])
    return {
        "flipped triangles": float((det <= 0).sum()),
        "share of the disc that the face takes": area[region].sum() / area.sum(),
        "share of inner skin": area[~skin.outer_faces].sum() / area.sum(),
        "stretch p99/p1 on the face, square root of area": float(
            np.quantile(root, 0.99) / np.quantile(root, 0.01)
        ),
        "stretch p99/p1 on the face, largest p99 over smallest p1 singular value": high / low,
        "p99 of the singular value ratio on the face": float(
            np.quantile(singular[region, 0] / singular[region, 1], 0.99)
        ),
        "asymmetry, chart units": float(np.abs(chart - mirrored).max()),
    }


def _circle(skin, loop: np.ndarray) -> np.ndarray:
    """Unit circle by arc length; the front of the neck at the bottom, the left side at +u."""
    points = skin.vertices[loop]
    length = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    start = int(np.argmin(np.where(np.abs(points[:, 0]) < 1e-6, -points[:, 2], np.inf)))
    arc = np.concatenate([[0], np.cumsum(length)[:-1]])
    angle = 2 * np.pi * (arc - arc[start]) / length.sum()
    side = np.sign((points[:, 0] * np.sin(angle)).sum())
    return np.stack([side * np.sin(angle), -np.cos(angle)], axis=1)


def _centred_unit(skin, chart: np.ndarray) -> np.ndarray:
    """Scale to decimetres on the face and put the origin at the disc centre."""
    gradients, flat = flat_gradients(
        skin.vertices * _PER_METRE, skin.faces, np.ones(len(skin.faces))
    )
    det = np.linalg.det(jacobians(chart, skin.faces, gradients))
    region = skin.face_faces
    return chart / np.average(np.sqrt(det[region]), weights=flat[region])
