"""Files for engines and tools, written from a plain rig asset and never from a model."""

from rigface.export.asset import Material, Morph, RigAsset
from rigface.export.evaluate import posed_vertices
from rigface.export.glb import EncodedGlb, encode_glb, save_glb
from rigface.export.pruning import PosePruning, PruningReport

__all__ = [
    "EncodedGlb",
    "Material",
    "Morph",
    "PosePruning",
    "PruningReport",
    "RigAsset",
    "encode_glb",
    "posed_vertices",
    "save_glb",
]
