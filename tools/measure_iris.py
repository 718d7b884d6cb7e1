"""How the face detector reads the width of irises: the numbers of `rigface.fit.iris`.

    python tools/measure_iris.py /data/ict_facekit

Heads of the population whose irises are up to 13 % wider or narrower than their eyes ask for, one
picture from the front and two from up to 60 degrees, as `rigface train detector` takes them.
Cameras and eyeballs are the true ones. Half an hour of one core; needs the extras train and photo.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rigface.datasets.ict import load_ict
from rigface.evidence.face import FaceObservation
from rigface.fit.iris import IRIS_MM, width
from rigface.fit.parts import follow
from rigface.learn.detector_views import ViewsConfig, take_pictures
from rigface.learn.ict_heads import carry_ict
from rigface.learn.population import PopulationConfig, sample_population
from rigface.perception import load_detector
from rigface.rig.template import Template
from rigface.rig.template_io import load_template

SEED, WIDEST = 91, 0.12
FRONT = 22.0
"""Degrees to the side within which a picture counts as frontal."""
BINS = (0, 15, 25, 35, 45, 60)
"""Degrees to the side."""


@dataclass(frozen=True)
class Read:
    """One eye in one picture, logarithms over the usual width."""

    read: float
    true: float
    degrees: float
    """Where the camera stands: to the side, positive on that of the temple."""


def main(ict: Path, views: int = 3) -> None:
    template, detector, config = load_template(), load_detector("mediapipe"), ViewsConfig(views)
    recipe = PopulationConfig(ict_heads=160, anny_per_group=8, seed=5)
    carried = carry_ict(load_ict(ict), template, recipe.registered)
    heads = sample_population(carried, template, recipe).heads
    reads: list[Read] = []
    for number, skin in enumerate(heads):
        rng = np.random.default_rng([SEED, number])
        irises = float(np.exp(rng.uniform(-WIDEST, WIDEST)))
        for _, camera, photo in take_pictures(skin, template, config, rng, irises):
            for face in detector.detect(photo)[:1]:
                reads += eyes(template, skin, irises, camera, face)
    sys.stdout.write(table(reads))


def eyes(
    template: Template, skin: np.ndarray, irises: float, camera, face: FaceObservation
) -> list[Read]:
    """What is read of the irises that can be seen."""
    moved, out = follow(template, skin), []
    for side in np.flatnonzero(face.iris_seen):
        ball, part = template.eyeballs["RL"[side]], moved[f"eyeball.{'RL'[side]}"]
        centre, radius = part.apply(ball.centre), part.scale * ball.radius
        found = width(face.iris[side], centre, radius, camera)
        if found is not None:
            x, _, z = found.towards
            degrees = float(np.degrees(np.arctan2(x if side else -x, z)))
            true = float(np.log(part.scale * irises))
            out.append(Read(float(np.log(1000 * found.metres / IRIS_MM)), true, degrees))
    return out


def table(reads: list[Read]) -> str:
    """The fit of the frontal ones, then median and spread (by the median) of each bin."""
    read, true, degrees = (np.array([getattr(r, n) for r in reads]) for n in Read.__annotations__)
    front = np.abs(degrees) < FRONT
    slope, start = np.polyfit(true[front], read[front], 1)
    left = read - start - slope * true
    lines = [
        f"front: {front.sum()} eyes, followed {slope:.2f}, mean {start:.3f}, "
        f"spread {left[front].std():.3f}"
    ]
    for low, high in zip(BINS[:-1], BINS[1:], strict=True):
        for name, there in (("nose", -degrees), ("temple", degrees)):
            mine = left[(there >= low) & (there < high)]
            if len(mine) < 5:
                continue
            middle = float(np.median(mine))
            spread = 1.4826 * float(np.median(np.abs(mine - middle)))
            lines.append(
                f"{name} {low}-{high}: {len(mine)}, mean {middle:.3f}, spread {spread:.3f}"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
