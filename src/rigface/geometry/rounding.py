"""A coarse mesh bulges where its triangles cut the round off: one level of Phong tessellation."""

import numpy as np

from rigface.geometry.mesh import Mesh, vertex_normals


def rounded(mesh: Mesh, share: float = 0.25) -> Mesh:
    """Four triangles for each, with the new vertices lifted off the middles of the edges.

    A middle is moved by `share` towards its projections on the tangent planes of the two ends
    (Boubekeur and Alexa 2008). Half meets the arc on which the ends lie; decimated meshes hold
    their vertices a little outside the surface, and want less. Only positions are kept.
    """
    vertices, faces = mesh.vertices, mesh.faces
    corners = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    edges, of = np.unique(np.sort(corners, axis=1), axis=0, return_inverse=True)
    normals = vertex_normals(vertices, faces)
    middle = vertices[edges].mean(axis=1)
    lift = np.zeros_like(middle)
    for end in edges.T:
        height = ((middle - vertices[end]) * normals[end]).sum(axis=1, keepdims=True)
        lift -= 0.5 * height * normals[end]
    a, b, c = faces.T
    ab, bc, ca = (of.reshape(-1, 3) + len(vertices)).T
    fine = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return Mesh(
        np.concatenate([vertices, middle + share * lift]),
        np.concatenate([np.stack(corner, axis=1) for corner in fine]),
    )
