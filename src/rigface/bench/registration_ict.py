"""The linear 3DMM of ICT-FaceKit in its own topology, registered the way our own one is."""

import time
from pathlib import Path

import numpy as np

from rigface.bench.peers import PeerFit
from rigface.bench.registration_setup import Prepared
from rigface.datasets.ict import load_ict, outside_surface
from rigface.datasets.ict_parts import PARTS
from rigface.fit.lids import BLINK
from rigface.fit.matching import Matcher, SkinTopology
from rigface.fit.registration import fit_linear, fit_shape
from rigface.metrics.distance import ErrorSamples, scan_to_mesh
from rigface.metrics.mesh_quality import MeshQuality, mesh_quality
from rigface.metrics.outer import label_surface
from rigface.models.linear import LinearModel

NAME = "linear 3DMM, ICT-FaceKit"


def fit_ict(data: Path, prepared: Prepared) -> tuple[PeerFit, ErrorSamples, MeshQuality]:
    """Pose, 100 identity modes and the two blinks (the scans may have shut eyes).

    The origin of the model is that of our template, midway between the eyeballs, so both start
    from the same alignment. Raises InputError if the data is missing.
    """
    ict = load_ict(data / "ict_facekit")
    mesh, kept = outside_surface(ict, ict.mean)
    blinks = [ict.expression_names.index(f"eyeBlink_{side}") for side in "LR"]
    model = LinearModel.build(
        "ict",
        mesh.vertices,
        mesh.faces,
        ict.identity[:, kept].astype(np.float64),
        ict.expressions[blinks][:, kept].astype(np.float64),
    )
    face = np.isin(kept, PARTS["face"])
    every, none = np.ones(len(kept), dtype=bool), np.zeros(len(kept), dtype=bool)
    topology = SkinTopology(mesh.faces, every, face, none)
    matcher = Matcher(topology, prepared.matcher.target)
    wall, cpu = time.perf_counter(), time.process_time()
    first = fit_shape(model, BLINK, matcher, lambda fraction, text: None)
    done = fit_linear(first, matcher, lambda fraction, text: None)
    seconds = time.perf_counter() - wall, time.process_time() - cpu
    metres = prepared.case.in_metres(prepared.scan_from_fit.apply(done.vertices))
    fit = PeerFit(NAME, metres, *seconds, model.table.size, "identity modes and blinks")
    ball = (kept >= PARTS["sclera_left"].start)[mesh.faces].all(axis=1)
    surface = label_surface(mesh.faces[~ball], mesh.faces[ball])
    errors = scan_to_mesh(prepared.case.region, surface, metres)
    return fit, errors, mesh_quality(mesh.vertices, metres, surface.skin_faces)
