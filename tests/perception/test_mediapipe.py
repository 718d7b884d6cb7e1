"""The default back-end on a real portrait: where it must find faces, and where none."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from rigface.evidence.face import FaceMasks
from rigface.evidence.face_mesh import face_mesh
from rigface.evidence.photo import Photo
from rigface.io.image import read_photo

GREY = (120, 110, 100)


def percent(face, expected: np.ndarray, size: float) -> float:
    """Mean distance of the landmarks in % of the face size."""
    return 100 * float(np.linalg.norm(face.landmarks - expected, axis=1).mean()) / size


def on_canvas(picture: Image.Image, corner: tuple[int, int], size: tuple[int, int]) -> Photo:
    canvas = Image.new("RGB", size, GREY)
    canvas.paste(picture, corner)
    return Photo(np.array(canvas))


def at(masks: FaceMasks, name: str, place: tuple[float, float]) -> float:
    column = int((place[0] - masks.box[0]) / masks.cell)
    row = int((place[1] - masks.box[1]) / masks.cell)
    return float(getattr(masks, name)[row, column])


def test_portrait(astronaut_face):
    face = astronaut_face
    # Read off the enlarged picture by eye: pupils, nose tip, corners of the mouth.
    seen = {468: (203, 101), 473: (247, 104), 4: (225, 128), 61: (203, 141), 291: (246, 142)}
    for index, place in seen.items():
        assert np.linalg.norm(face.landmarks[index] - place) < 0.05 * face.interocular
    assert face.trusted and not face.quality.blurred
    assert face.quality.recrop_change < 1.0
    assert face.quality.mirror_change < 1.5
    assert face.quality.outside_person < 2.0
    assert face.presence > 0.9
    assert face.image_size == (512, 512)
    assert face.source == "mediapipe 0.10.21"
    assert abs(face.yaw) < np.radians(10) and abs(face.roll - np.radians(3)) < np.radians(3)
    assert face.visible.mean() > 0.95
    np.testing.assert_allclose(face.ibug68()[8], face.landmarks[152])


def test_sigma_is_the_jitter_or_more(astronaut_face):
    floor = face_mesh().jitter * astronaut_face.interocular
    assert (astronaut_face.sigma >= floor).all()
    assert np.median(astronaut_face.sigma / floor) < 2.0


def test_masks(astronaut_face, astronaut):
    masks = astronaut_face.masks
    left, top, right, bottom = masks.box
    assert right - left == bottom - top
    assert masks.person.shape == masks.skin.shape
    cheek, eye, teeth, hair, background = (190, 125), (203, 101), (224, 147), (220, 40), (125, 60)
    assert at(masks, "skin", cheek)
    assert not at(masks, "skin", eye) and not at(masks, "skin", teeth)
    assert at(masks, "person", hair) > 200 and not at(masks, "skin", hair)
    assert at(masks, "person", background) < 50


def test_deterministic(mediapipe_detector, astronaut, astronaut_face):
    (again,) = mediapipe_detector.detect(Photo(astronaut))
    np.testing.assert_array_equal(again.landmarks, astronaut_face.landmarks)
    np.testing.assert_array_equal(again.sigma, astronaut_face.sigma)
    np.testing.assert_array_equal(again.masks.person, astronaut_face.masks.person)


def test_moves_and_scales_with_the_face(mediapipe_detector, astronaut, astronaut_face):
    large = Image.fromarray(astronaut).resize((768, 768), Image.Resampling.LANCZOS)
    (face,) = mediapipe_detector.detect(on_canvas(large, (150, 40), (1000, 900)))
    moved = astronaut_face.landmarks * 1.5 + (150, 40)
    assert percent(face, moved, face.size) < 0.5


def test_exif_rotation(mediapipe_detector, astronaut, astronaut_face, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(astronaut)))
    lying.save(tmp_path / "a.png", exif=exif)
    (face,) = mediapipe_detector.detect(read_photo(tmp_path / "a.png"))
    np.testing.assert_array_equal(face.landmarks, astronaut_face.landmarks)


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_photo_that_lies_on_its_side(mediapipe_detector, astronaut, astronaut_face, quarter_turns):
    turned = np.ascontiguousarray(np.rot90(astronaut, -quarter_turns))  # clockwise
    (face,) = mediapipe_detector.detect(Photo(turned))
    expected = astronaut_face.landmarks
    for _ in range(quarter_turns):
        expected = np.column_stack([512 - expected[:, 1], expected[:, 0]])
    assert percent(face, expected, face.size) < 0.3
    roll = face.roll - astronaut_face.roll - quarter_turns * np.pi / 2
    assert abs((roll + np.pi) % (2 * np.pi) - np.pi) < 0.02
    hair, background = (220, 40), (125, 60)
    for _ in range(quarter_turns):
        hair, background = (512 - hair[1], hair[0]), (512 - background[1], background[0])
    assert at(face.masks, "person", hair) > 200
    assert at(face.masks, "person", background) < 50


def test_tilted_photo_has_the_mask_of_the_upright_one(
    mediapipe_detector, astronaut, astronaut_face
):
    tilted = Image.fromarray(astronaut).rotate(-120, Image.Resampling.BICUBIC, fillcolor=GREY)
    (face,) = mediapipe_detector.detect(Photo(np.array(tilted)))
    cosine, sine = np.cos(np.radians(120)), np.sin(np.radians(120))
    turn = np.array([[cosine, -sine], [sine, cosine]])  # clockwise about the middle

    def turned(points):
        return (np.asarray(points) - 256) @ turn.T + 256

    assert percent(face, turned(astronaut_face.landmarks), face.size) < 0.6
    for place, sure in (((220, 40), True), ((195, 150), True), ((125, 60), False)):
        assert (at(face.masks, "person", tuple(turned(place))) > 128) is sure
    assert face.quality.outside_person < 2.0


def test_mirrored_photo_gives_the_mirrored_face(mediapipe_detector, astronaut, astronaut_face):
    (face,) = mediapipe_detector.detect(Photo(np.ascontiguousarray(astronaut[:, ::-1])))
    expected = astronaut_face.landmarks[face_mesh().mirror] * (-1, 1) + (512, 0)
    assert percent(face, expected, face.size) < 0.4
    assert face.yaw == pytest.approx(-astronaut_face.yaw, abs=0.03)


def test_small_face_in_a_large_photo(mediapipe_detector, astronaut, astronaut_face):
    # 80 of the face's 108 pixels of height.
    small = Image.fromarray(astronaut).resize((379, 379), Image.Resampling.LANCZOS)
    (face,) = mediapipe_detector.detect(on_canvas(small, (1300, 700), (2000, 1500)))
    expected = astronaut_face.landmarks * (small.width / 512) + (1300, 700)
    assert percent(face, expected, face.size) < 1.0


def test_two_faces_largest_first(mediapipe_detector, astronaut):
    large = Image.fromarray(astronaut)
    canvas = Image.new("RGB", (900, 540), GREY)
    canvas.paste(large.resize((340, 340)), (10, 100))
    canvas.paste(large, (380, 10))
    faces = mediapipe_detector.detect(Photo(np.array(canvas)))
    assert len(faces) == 2
    assert faces[0].size > 1.3 * faces[1].size
    assert faces[0].box[0] > 380 > faces[1].box[2]


@pytest.mark.parametrize("subject", ["noise", "flat", "chelsea", "rocket", "brick"])
def test_no_face(mediapipe_detector, rng, subject):
    if subject == "noise":
        pixels = rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    elif subject == "flat":
        pixels = np.full((300, 400, 3), 90, np.uint8)
    else:
        data = pytest.importorskip("skimage.data")
        pixels = np.array(Image.fromarray(getattr(data, subject)()).convert("RGB"))
    assert mediapipe_detector.detect(Photo(pixels)) == []


def test_blur_is_measured(mediapipe_detector, astronaut):
    blurred = Image.fromarray(astronaut).filter(ImageFilter.GaussianBlur(1.5))
    (face,) = mediapipe_detector.detect(Photo(np.array(blurred)))
    assert face.quality.blurred and face.trusted


def test_cut_by_the_edge_of_the_photo(mediapipe_detector, astronaut, astronaut_face):
    cut = np.ascontiguousarray(astronaut[60:, 190:])
    (face,) = mediapipe_detector.detect(Photo(cut))
    expected = astronaut_face.landmarks - (190, 60)
    assert face.quality.sharpness < 2.0 * astronaut_face.quality.sharpness, "no edge of the photo"
    assert percent(face, expected, face.size) < 3.0
    left, top, *_ = face.masks.box
    outside = int(-left / face.masks.cell) - 1
    assert left < 0 and (face.masks.person[:, :outside] == 0).all()
    assert not face.masks.skin[:, :outside].any()


@pytest.mark.parametrize("name", ["astronaut.png", "grace_hopper.jpg"])
def test_public_domain_portraits(mediapipe_detector, data_dir, name):
    (face,) = mediapipe_detector.detect(read_photo(data_dir / "photos" / name))
    assert face.trusted and not face.quality.blurred
    assert face.quality.outside_person < 2.0
