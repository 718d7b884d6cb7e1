"""Damaged files of every kind: only InputError may come out of a reader."""

import json

import numpy as np
import pytest
from scan_files import write_all

from rigface.errors import InputError
from rigface.io import load_landmarks, load_scan

ROUNDS = 150
NASTY = [b"999999999", b"-1", b"0", b"1e999", b"nan", b"99999999999999999999"]


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut off, flip bits, remove a piece, put one in, or replace a digit of the header."""
    content = bytearray(data)
    at = int(rng.integers(len(content)))
    match int(rng.integers(5)):
        case 0:
            return data[:at]
        case 1:
            for place in rng.integers(len(content), size=rng.integers(1, 8)):
                content[place] ^= 1 << int(rng.integers(8))
        case 2:
            del content[at : at + int(rng.integers(1, 40))]
        case 3:
            content[at:at] = rng.integers(0, 256, rng.integers(1, 20), dtype=np.uint8).tobytes()
        case _:
            digits = [i for i, letter in enumerate(data[:600]) if chr(letter).isdecimal()]
            if digits:
                place = digits[int(rng.integers(len(digits)))]
                content[place : place + 1] = NASTY[int(rng.integers(len(NASTY)))]
    return bytes(content)


def outcomes(read, path, rng) -> list[bool]:
    """True for each damaged copy that was still readable."""
    good = path.read_bytes()
    read(path)  # the undamaged file is fine
    accepted = []
    for _ in range(ROUNDS):
        path.write_bytes(damage(good, rng))
        try:
            read(path)
            accepted.append(True)
        except InputError as error:
            assert str(error).strip().endswith((".", ")")), error
            accepted.append(False)
    return accepted


KINDS = ["a.obj", "little.ply", "big.ply", "binary.stl", "text.stl", "a.glb", "a.gltf", "cloud.xyz"]


@pytest.mark.parametrize("kind", KINDS)
def test_scans(tmp_path, rng, kind):
    path = next(path for path in write_all(tmp_path) if path.name == kind)
    accepted = outcomes(load_scan, path, rng)
    assert not all(accepted)


@pytest.mark.parametrize("kind", ["a.txt", "a.npy", "a.json", "a.pts", "a.pp"])
def test_landmarks(tmp_path, rng, kind):
    points = rng.normal(size=(68, 3))
    path = tmp_path / kind
    rows = [" ".join(map(str, row)) for row in points.tolist()]
    texts = {
        "a.txt": "\n".join(rows),
        "a.json": json.dumps({"nose_tip": [0, 0, 1], "chin": [0, 1, 2], "nasion": [1, 2, 3]}),
        "a.pts": "version: 1\nn_points: 68\n{\n" + "\n".join(rows) + "\n}",
        "a.pp": "".join('<point x="{}" y="{}" z="{}" name="1"/>'.format(*p) for p in points),
    }
    if kind == "a.npy":
        np.save(path, points)
    else:
        path.write_text(texts[kind])
    accepted = outcomes(load_landmarks, path, rng)
    assert not all(accepted)
