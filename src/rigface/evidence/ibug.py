"""The iBUG-68 points by the 478 points of MediaPipe's face mesh, and the mesh's outline.

The correspondence is PeizhiYan/Mediapipe_2_Dlib_Landmarks (MIT): a pair of mesh points stands for
the point between them. It is kept as published, also where its sides differ: jaw point 3 is a pair
and its twin 13 is not. Left and right are the subject's; iBUG counts from the subject's right.
"""

import numpy as np
from jaxtyping import Float, Int

IBUG_FROM_MESH: tuple[tuple[int, ...], ...] = (
    # jaw line, right ear to left ear
    *((127,), (234,), (93,), (132, 58), (58, 172), (136,), (150,), (176,), (152,)),
    *((400,), (379,), (365,), (397, 288), (361,), (323,), (454,), (356,)),
    # brows
    *((70,), (63,), (105,), (66,), (107,), (336,), (296,), (334,), (293,), (300,)),
    # nose: ridge, then base
    *((168, 6), (197, 195), (5,), (4,), (75,), (97,), (2,), (326,), (305,)),
    # eyes
    *((33,), (160,), (158,), (133,), (153,), (144,)),
    *((362,), (385,), (387,), (263,), (373,), (380,)),
    # lips: outer ring, inner ring
    *((61,), (39,), (37,), (0,), (267,), (269,), (291,), (321,), (314,), (17,), (84,), (91,)),
    *((78,), (82,), (13,), (312,), (308,), (317,), (14,), (87,)),
)
"""For each iBUG number one mesh point, or two whose mean it is."""

MESH_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The mesh's outline from the top of the forehead down the subject's left side and up the right."""

IBUG_PAIRS: Int[np.ndarray, "68 2"] = np.array([(pair[0], pair[-1]) for pair in IBUG_FROM_MESH])
"""The same as an array: each number is the mean of its two mesh points."""


def ibug_from_mesh(
    points: Float[np.ndarray, "*batch marks axes"],
) -> Float[np.ndarray, "*batch 68 axes"]:
    """The iBUG-68 of 468 or 478 mesh points, in pixels or in space."""
    return 0.5 * (points[..., IBUG_PAIRS[:, 0], :] + points[..., IBUG_PAIRS[:, 1], :])
