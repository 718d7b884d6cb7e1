"""Files in and out: scans, photos, landmarks, meshes; outputs that are whole or absent.

Depth frames need cameras, and so torch: `rigface.io.depth`."""

from rigface.io.atomic import atomic_file as atomic_file
from rigface.io.atomic import atomic_output as atomic_output
from rigface.io.atomic import check_writable as check_writable
from rigface.io.face_points import read_face_points as read_face_points
from rigface.io.image import read_photo as read_photo
from rigface.io.landmarks import load_landmarks as load_landmarks
from rigface.io.mesh_writers import save_obj as save_obj
from rigface.io.mesh_writers import save_ply as save_ply
from rigface.io.scan import load_scan as load_scan
