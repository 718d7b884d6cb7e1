"""Pinhole cameras: OpenCV frame, pixels with centres at integer + 0.5, metres."""

from rigface.cameras.camera import NEAR as NEAR
from rigface.cameras.camera import Camera as Camera
from rigface.cameras.camera import looking_at as looking_at
from rigface.cameras.camera import orbiting as orbiting
