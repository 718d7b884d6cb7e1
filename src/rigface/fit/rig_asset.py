"""From a fitted head to the plain rig that exporters take, in its two layouts."""

from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from rigface.errors import UsageError
from rigface.export.asset import Morph, RigAsset
from rigface.export.evaluate import posed_vertices
from rigface.fit.jaw import follow_jaw, jaw_share
from rigface.fit.materials import MATERIALS, face_materials
from rigface.fit.parts import Head
from rigface.fit.result import FittedRig
from rigface.models.face_model import FaceModel
from rigface.rig.subdivision import subdivide, subdivide_uv
from rigface.rig.template import Template

_TOP = "face"


@runtime_checkable
class FittedHead(Protocol):
    """What a rig needs of a result, from whatever evidence it came."""

    @property
    def template(self) -> Template: ...

    @property
    def model(self) -> FaceModel: ...

    @property
    def head(self) -> Head: ...

    @property
    def rig(self) -> FittedRig: ...


def baked_asset(result: FittedHead, lod: int = 0) -> RigAsset:
    """The fitted head as rest mesh, rigid unit-scale joints, ARKit morphs (the default GLB)."""
    names, parents, positions = _baked_joints(result)
    index = {name: i for i, name in enumerate(names)}
    local = positions - np.where(
        np.array(parents)[:, None] >= 0, positions[np.maximum(parents, 0)], 0.0
    )
    inverse_bind = np.tile(np.eye(4), (len(names), 1, 1))
    inverse_bind[:, :3, 3] = -positions
    asset = RigAsset(
        name="face",
        vertices=result.head.vertices,
        faces=result.template.mesh.faces,
        uv=_uv(result),
        uv_faces=_uv_faces(result),
        materials=MATERIALS,
        face_material=face_materials(result.template),
        joint_names=tuple(names),
        joint_parents=tuple(parents),
        node_translation=local,
        node_rotation=np.tile([1.0, 0.0, 0.0, 0.0], (len(names), 1)),
        node_scale=np.ones((len(names), 3)),
        inverse_bind=inverse_bind,
        weights=_baked_weights(result, index),
        morphs=_morphs(result),
        extras={"rigface": {"layout": "baked", "unit": "metre", "model": result.model.name}},
    )
    return refine(asset, result, lod) if lod else asset


def asm_asset(result: FittedHead) -> RigAsset:
    """The template as rest mesh and the model's exact hierarchy of translations, rotations, scales.

    Parts follow under the top node, because below a stretched bone they would be sheared.
    """
    rig, attach = result.rig, result.rig.layout.attachments
    bones = list(rig.layout.names)
    names = [_TOP, *bones, *attach.names]
    index = {name: i for i, name in enumerate(names)}
    parents = [-1, *(p + 1 if p >= 0 else 0 for p in rig.layout.parents)]
    count = len(names)
    translation, scale = np.zeros((count, 3)), np.ones((count, 3))
    rotation = np.tile([1.0, 0.0, 0.0, 0.0], (count, 1))
    scale[0] = rig.metric_scale
    run = slice(1, 1 + len(bones))
    translation[run], rotation[run] = rig.node_translation, rig.node_rotation
    scale[run] = rig.node_scale
    inverse_bind = np.tile(np.eye(4), (count, 1, 1))
    inverse_bind[run, :3, 3] = -rig.bind
    world = {_TOP: _matrix(np.zeros(3), np.eye(3), rig.metric_scale)}
    for name, parent in zip(attach.names, attach.parents, strict=True):
        above = parent if parent in attach.names else _TOP
        moved = result.head.moved.get(_part_of(name), _face_similarity(result))
        rest = attach.position(name)
        here = _matrix(moved.apply(rest), moved.rotation, moved.scale)
        inner = np.linalg.inv(world[above]) @ here
        size = np.linalg.norm(inner[:3, 0])
        i = index[name]
        parents.append(index[above])
        translation[i], scale[i] = inner[:3, 3], size
        rotation[i] = _quaternion(inner[:3, :3] / size)
        inverse_bind[i, :3, 3] = -rest
        world[name] = here
    asset = RigAsset(
        name="face",
        vertices=result.template.mesh.vertices,
        faces=result.template.mesh.faces,
        uv=_uv(result),
        uv_faces=_uv_faces(result),
        materials=MATERIALS,
        face_material=face_materials(result.template),
        joint_names=tuple(names),
        joint_parents=tuple(parents),
        node_translation=translation,
        node_rotation=rotation,
        node_scale=scale,
        inverse_bind=inverse_bind,
        weights=sp.csr_matrix(_weights(result, index)),
        morphs=_template_morphs(result),
        extras={"rigface": {"layout": "asm", "unit": "metre", "model": result.model.name}},
    )
    return _through_inverse_skinning(asset, result)


def rig_asset(result: FittedHead, layout: str = "baked", lod: int = 0) -> RigAsset:
    """Either layout; raises UsageError for the combination that cannot be exact."""
    if layout == "asm":
        if lod:
            raise UsageError("`--rig asm` is exact on the template mesh only; use it with --lod 0")
        return asm_asset(result)
    return baked_asset(result, lod)


def refine(asset: RigAsset, result: FittedHead, lod: int) -> RigAsset:
    """The skin at a finer level; the other parts stay as they are."""
    template, skin = result.template, result.template.parts["skin"]
    verts = skin.vertices.stop
    operator, fine_faces = subdivide(template.mesh.faces[skin.faces], lod, verts)
    shift = operator.shape[0] - verts
    rest = asset.faces[skin.faces.stop :] + shift
    assert template.mesh.uv_faces is not None and template.mesh.uv is not None
    uv_operator, fine_uv = subdivide_uv(asset.uv_faces[skin.faces], lod, len(asset.uv))
    weights = (operator @ asset.weights[:verts]).maximum(0).tocsr()
    weights = sp.diags(1 / np.asarray(weights.sum(axis=1)).ravel()) @ weights
    return replace(
        asset,
        vertices=np.concatenate([operator @ asset.vertices[:verts], asset.vertices[verts:]]),
        faces=np.concatenate([fine_faces, rest]),
        uv=uv_operator @ asset.uv,
        uv_faces=np.concatenate([fine_uv, asset.uv_faces[skin.faces.stop :]]),
        face_material=np.concatenate(
            [
                np.repeat(asset.face_material[skin.faces], len(fine_faces) // skin.faces.stop),
                asset.face_material[skin.faces.stop :],
            ]
        ),
        weights=sp.vstack([weights, asset.weights[verts:]]).tocsr(),
        morphs=tuple(_refine_morph(m, operator, verts, shift) for m in asset.morphs),
    )


def _refine_morph(morph: Morph, operator: sp.csr_matrix, verts: int, shift: int) -> Morph:
    on_skin = morph.indices < verts
    dense = np.zeros((verts, 3))
    dense[morph.indices[on_skin]] = morph.offsets[on_skin]
    fine = operator @ dense
    moved = np.flatnonzero(np.abs(fine).max(axis=1) > 1e-9)
    return Morph(
        morph.name,
        np.concatenate([moved, morph.indices[~on_skin] + shift]),
        np.concatenate([fine[moved], morph.offsets[~on_skin]]),
    )


def _baked_joints(result: FittedHead) -> tuple[list[str], list[int], np.ndarray]:
    """Bones and attachments, parents first, with the mandible's bones under `jaw`."""
    rig, attach = result.rig, result.rig.layout.attachments
    place = {name: rig.joints[i] for i, name in enumerate(rig.layout.names)}
    parent_of = {
        name: rig.layout.names[p] if p >= 0 else None
        for name, p in zip(rig.layout.names, rig.layout.parents, strict=True)
    }
    for name, parent in zip(attach.names, attach.parents, strict=True):
        moved = result.head.moved.get(_part_of(name), _face_similarity(result))
        place[name] = moved.apply(attach.position(name))
        parent_of[name] = parent
    for name in rig.layout.hung_on_jaw:
        parent_of[name] = "jaw"
    ordered: list[str] = []
    while len(ordered) < len(parent_of):
        for name, parent in parent_of.items():
            if name not in ordered and (parent is None or parent in ordered):
                ordered.append(name)
    index = {name: i for i, name in enumerate(ordered)}
    parents = [-1 if parent_of[n] is None else index[str(parent_of[n])] for n in ordered]
    return ordered, parents, np.stack([place[name] for name in ordered])


def _baked_weights(result: FittedHead, index: dict[str, int]) -> sp.csr_matrix:
    """The fitted weights, with the lower face turning with the jaw as a whole."""
    weights, layout = _weights(result, index), result.rig.layout
    below = [index[n] for n in index if n in (*layout.jaw_joints, "jaw")]
    skin = result.template.parts["skin"].vertices
    share = jaw_share(result.template)[skin]
    weights[skin] = follow_jaw(weights[skin], share, below, index["jaw"], index[layout.head])
    weights[weights < 1e-7] = 0.0
    return sp.csr_matrix(weights / weights.sum(axis=1, keepdims=True))


def _weights(result: FittedHead, index: dict[str, int]) -> Float[np.ndarray, "verts joints"]:
    template = result.template
    out = np.zeros((len(template.mesh.vertices), len(index)))
    out[: len(result.rig.weights), [index[n] for n in result.rig.layout.names]] = result.rig.weights
    for part, run in template.parts.items():
        if part not in ("skin", "tongue"):
            out[run.vertices, index[part]] = 1.0
    _tongue_weights(result, index, out)
    out[out < 1e-7] = 0.0
    return out / out.sum(axis=1, keepdims=True)


def _tongue_weights(result: FittedHead, index: dict[str, int], out: np.ndarray) -> None:
    """Linear blend along the tongue between neighbouring joints of its chain."""
    attach = result.rig.layout.attachments
    chain = [name for name in attach.names if name.startswith("tongue")]
    run = result.template.parts["tongue"].vertices
    depth = result.template.mesh.vertices[run, 2]
    stops = np.array([attach.position(name)[2] for name in chain])
    order = np.argsort(stops)
    for rank, here in enumerate(order):
        hat = np.zeros(len(stops))
        hat[rank] = 1.0
        out[run, index[chain[here]]] = np.interp(depth, stops[order], hat)


def _morphs(result: FittedHead) -> tuple[Morph, ...]:
    shapes = result.head.expressions
    return tuple(Morph(name, *shapes.of(name)) for name in shapes.names)


def _template_morphs(result: FittedHead) -> tuple[Morph, ...]:
    """Offsets before skinning that become the head's own: the inverse of the local linear map."""
    inverse = np.linalg.inv(_linear_of_all(result))
    shapes = result.head.expressions
    morphs = []
    for name in shapes.names:
        index, offset = shapes.of(name)
        morphs.append(Morph(name, index, np.einsum("nij,nj->ni", inverse[index], offset)))
    return tuple(morphs)


def _through_inverse_skinning(asset: RigAsset, result: FittedHead) -> RigAsset:
    """What the bones do not explain (a detail layer, a linear model) goes into the rest mesh."""
    lack = result.head.vertices - posed_vertices(asset)
    if np.abs(lack).max() < 1e-8:
        return asset
    rest = asset.vertices + np.linalg.solve(_linear_of_all(result), lack[..., None])[..., 0]
    return replace(asset, vertices=rest)


def _linear_of_all(result: FittedHead) -> Float[np.ndarray, "verts 3 3"]:
    out = np.tile(np.eye(3), (len(result.template.mesh.vertices), 1, 1))
    out[: len(result.rig.skin_linear)] = result.rig.skin_linear
    for part, moved in result.head.moved.items():
        out[result.template.parts[part].vertices] = moved.scale * moved.rotation
    return out


def _face_similarity(result: FittedHead):
    from rigface.geometry.similarity import align_points

    face = result.template.regions["face"]
    return align_points(result.template.mesh.vertices[face], result.head.vertices[face])


def _part_of(joint: str) -> str:
    return "tongue" if joint.startswith("tongue") else joint


def _matrix(translation: np.ndarray, rotation: np.ndarray, scale: float) -> np.ndarray:
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = scale * rotation, translation
    return out


def _quaternion(rotation: np.ndarray) -> np.ndarray:
    import torch

    from rigface.geometry.rotations import quaternion_from_rotation

    return quaternion_from_rotation(torch.from_numpy(rotation.copy())).numpy()


def _uv(result: FittedHead) -> np.ndarray:
    assert result.template.mesh.uv is not None
    return result.template.mesh.uv


def _uv_faces(result: FittedHead) -> np.ndarray:
    assert result.template.mesh.uv_faces is not None
    return result.template.mesh.uv_faces
