"""The linear 3DMM of ICT-FaceKit in its own topology, registered the way our own one is."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rigface.bench.peers import PeerFit
from rigface.bench.registration_data import BenchScan
from rigface.bench.registration_setup import Prepared
from rigface.datasets.ict import load_ict, outside_surface
from rigface.datasets.ict_parts import PARTS
from rigface.fit.lids import BLINK
from rigface.fit.matching import Matcher, SkinTopology
from rigface.fit.registration import fit_linear, fit_shape
from rigface.fit.registration_result import Registration
from rigface.fit.target import ScanTarget
from rigface.geometry.similarity import Similarity
from rigface.metrics.distance import ErrorSamples, scan_to_mesh
from rigface.metrics.mesh_quality import MeshQuality, mesh_quality
from rigface.metrics.outer import OuterSurface, label_surface
from rigface.models.linear import LinearModel

NAME = "linear 3DMM, ICT-FaceKit"


@dataclass(frozen=True)
class IctPeer:
    """Pose, 100 identity modes and the two blinks (the scans may have shut eyes).

    The origin of the model is that of our template, midway between the eyeballs, so both start
    from the same alignment.
    """

    model: LinearModel
    topology: SkinTopology
    surface: OuterSurface
    """Outer skin and eyeballs, for the metric."""

    @staticmethod
    def load(data: Path) -> "IctPeer":
        """Raises InputError if the data is missing."""
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
        ball = (kept >= PARTS["sclera_left"].start)[mesh.faces].all(axis=1)
        surface = label_surface(mesh.faces[~ball], mesh.faces[ball])
        return IctPeer(model, SkinTopology(mesh.faces, every, face, none), surface)

    def matcher(self, target: ScanTarget) -> Matcher:
        """Pairs the scan with this topology."""
        return Matcher(self.topology, target)

    def shape(self, matcher: Matcher) -> Registration:
        """Pose, then the modes under a stiff prior."""
        return fit_shape(self.model, BLINK, matcher, _unheard)

    def modes(self, first: Registration, matcher: Matcher, prior: float = 10.0) -> Registration:
        """The modes from there under their last prior, per sigma."""
        return fit_linear(first, matcher, _unheard, prior)

    def errors(
        self, done: Registration, case: BenchScan, scan_from_fit: Similarity
    ) -> ErrorSamples:
        """Over the face region of the case."""
        metres = case.in_metres(scan_from_fit.apply(done.vertices))
        return scan_to_mesh(case.region, self.surface, metres)


def fit_ict(data: Path, prepared: Prepared) -> tuple[PeerFit, ErrorSamples, MeshQuality]:
    """The peer on one prepared scan. Raises InputError if the data is missing."""
    peer = IctPeer.load(data)
    matcher = peer.matcher(prepared.matcher.target)
    wall, cpu = time.perf_counter(), time.process_time()
    done = peer.modes(peer.shape(matcher), matcher)
    seconds = time.perf_counter() - wall, time.process_time() - cpu
    metres = prepared.case.in_metres(prepared.scan_from_fit.apply(done.vertices))
    fit = PeerFit(NAME, metres, *seconds, peer.model.table.size, "identity modes and blinks")
    errors = peer.errors(done, prepared.case, prepared.scan_from_fit)
    rest = peer.model.mean.numpy()
    return fit, errors, mesh_quality(rest, metres, peer.surface.skin_faces)


def _unheard(fraction: float, text: str) -> None:
    pass
