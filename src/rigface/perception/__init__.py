"""Faces in photos: landmarks, their sigmas, masks. The networks are optional extras."""

from rigface.perception.detector import FaceDetector as FaceDetector
from rigface.perception.detector import load_detector as load_detector
