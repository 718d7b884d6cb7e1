"""Rigged, morphable heads as binary glTF 2.0, the file that engines and tools agree on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pygltflib as gltf
from jaxtyping import Int

from rigface.errors import UsageError
from rigface.export.asset import Material, RigAsset
from rigface.export.buffers import BufferWriter
from rigface.export.corners import NormalField, Primitive, split_primitives
from rigface.export.files import write_atomic
from rigface.export.influences import single_precision, top_influences
from rigface.export.pruning import PruningReport, measure_pruning
from rigface.export.validate import image_mime, validate

# A morph normal that turns by less than 0.06 degrees is not worth its 14 bytes.
_NORMAL_STEP = 1e-3


@dataclass(frozen=True)
class EncodedGlb:
    """A GLB in memory."""

    data: bytes
    source_vertex: Int[np.ndarray, " exported"]
    """The asset's vertex of each exported vertex, primitive after primitive."""
    pruning: PruningReport


def save_glb(
    asset: RigAsset, path: Path | str, max_influences: int = 4, morph_normals: bool = True
) -> PruningReport:
    """Write the rig as GLB and say what the influence limit costs; arguments as `encode_glb`.

    Raises:
        InputError: the rig cannot be written; see `validate`.
        OutputError: the path cannot be written to.
    """
    encoded = encode_glb(asset, max_influences, morph_normals)
    write_atomic(path, encoded.data)
    return encoded.pruning


def encode_glb(asset: RigAsset, max_influences: int = 4, morph_normals: bool = True) -> EncodedGlb:
    """The rig as GLB bytes: one skinned mesh, one primitive per material, sparse morph targets.

    Args:
        max_influences: joints kept per vertex, renormalised. Beyond 4 a second set is written,
            which three.js, Unity and Godot ignore.
        morph_normals: also write how each morph turns the normals, for shading; costs about as
            much as the morphs themselves.

    Raises:
        InputError: the rig cannot be written; see `validate`.
        UsageError: `max_influences` is not in 1..8.
    """
    if not 1 <= max_influences <= 8:
        raise UsageError(f"max_influences is {max_influences}; give 1 to 8, or 4 for game engines.")
    validate(asset)
    pruning = measure_pruning(asset, max_influences)
    primitives = split_primitives(asset)
    buffers = BufferWriter()
    document = gltf.GLTF2(asset=gltf.Asset(version="2.0", generator="rigface"))
    _add_materials(document, asset, primitives, buffers)
    document.meshes = [_mesh(asset, primitives, buffers, max_influences, morph_normals)]
    _add_nodes(document, asset, buffers, {**asset.extras, "pruning": pruning.as_dict()})
    buffers.finish(document)
    source = np.concatenate([primitive.source for primitive in primitives])
    return EncodedGlb(b"".join(document.save_to_bytes()), source, pruning)


def _add_nodes(document: gltf.GLTF2, asset: RigAsset, buffers: BufferWriter, extras: dict) -> None:
    """Node 0 is the mesh, node j + 1 is joint j; both roots stand in the scene on their own."""
    children: dict[int, list[int]] = {}
    for joint, parent in enumerate(asset.joint_parents):
        children.setdefault(parent, []).append(joint + 1)
    rotations = asset.node_rotation / np.linalg.norm(asset.node_rotation, axis=1, keepdims=True)
    document.nodes = [gltf.Node(name=asset.name, mesh=0, skin=0, extras=extras)] + [
        gltf.Node(
            name=name,
            translation=asset.node_translation[joint].tolist(),
            rotation=np.roll(rotations[joint], -1).tolist(),
            scale=asset.node_scale[joint].tolist(),
            children=children.get(joint, []),
        )
        for joint, name in enumerate(asset.joint_names)
    ]
    matrices = asset.inverse_bind.astype(np.float32)
    matrices[:, 3] = [0, 0, 0, 1]
    root = asset.joint_parents.index(-1) + 1
    document.skins = [
        gltf.Skin(
            name=f"{asset.name}_skin",
            joints=list(range(1, len(asset.joint_names) + 1)),
            skeleton=root,
            inverseBindMatrices=buffers.accessor(matrices),
        )
    ]
    document.scenes = [gltf.Scene(name=asset.name, nodes=[0, root])]
    document.scene = 0


def _mesh(
    asset: RigAsset,
    primitives: list[Primitive],
    buffers: BufferWriter,
    max_influences: int,
    morph_normals: bool,
) -> gltf.Mesh:
    joints, weights = single_precision(*top_influences(asset.weights, max_influences))
    sets = -(-max_influences // 4)
    room = ((0, 0), (0, 4 * sets - max_influences))
    joints, weights = np.pad(joints, room), np.pad(weights, room)
    kind = np.uint8 if len(asset.joint_names) <= 256 else np.uint16
    normal_field = NormalField(asset.faces, len(asset.vertices))
    normals = normal_field(asset.vertices)
    written = []
    for index, primitive in enumerate(primitives):
        source = primitive.source
        attributes = gltf.Attributes(
            POSITION=buffers.accessor(
                asset.vertices[source].astype(np.float32), gltf.ARRAY_BUFFER, bounds=True
            ),
            NORMAL=buffers.accessor(normals[source].astype(np.float32), gltf.ARRAY_BUFFER),
        )
        if primitive.uv is not None:
            flipped = np.stack([primitive.uv[:, 0], 1.0 - primitive.uv[:, 1]], axis=1)
            attributes.TEXCOORD_0 = buffers.accessor(flipped.astype(np.float32), gltf.ARRAY_BUFFER)
        for group in range(sets):
            four = slice(4 * group, 4 * group + 4)
            chosen = joints[source, four].astype(kind)
            setattr(attributes, f"JOINTS_{group}", buffers.accessor(chosen, gltf.ARRAY_BUFFER))
            shares = weights[source, four]
            setattr(attributes, f"WEIGHTS_{group}", buffers.accessor(shares, gltf.ARRAY_BUFFER))
        small = np.uint16 if len(source) <= 65535 else np.uint32
        written.append(
            gltf.Primitive(
                attributes=attributes,
                indices=buffers.accessor(
                    primitive.faces.astype(small).ravel(), gltf.ELEMENT_ARRAY_BUFFER
                ),
                material=index,
                mode=gltf.TRIANGLES,
            )
        )
    _add_morphs(asset, primitives, written, buffers, normal_field if morph_normals else None)
    mesh = gltf.Mesh(name=asset.name, primitives=written)
    if asset.morphs:
        mesh.weights = [0.0] * len(asset.morphs)
        mesh.extras = {"targetNames": [morph.name for morph in asset.morphs]}
    return mesh


def _add_morphs(
    asset: RigAsset,
    primitives: list[Primitive],
    written: list[gltf.Primitive],
    buffers: BufferWriter,
    normal_field: NormalField | None,
) -> None:
    """Every primitive has every target, as the format wants; a still one costs a single zero."""
    rest_normals = None if normal_field is None else normal_field(asset.vertices)
    still: dict[tuple[int, str], int] = {}
    targets: list[list[gltf.Attributes]] = [[] for _ in primitives]
    for morph in asset.morphs:
        fields = {"POSITION": np.zeros(asset.vertices.shape)}
        fields["POSITION"][morph.indices] = morph.offsets
        if normal_field is not None and rest_normals is not None:
            turn = normal_field(asset.vertices + fields["POSITION"]) - rest_normals
            turn[np.linalg.norm(turn, axis=1) < _NORMAL_STEP] = 0.0
            fields["NORMAL"] = turn
        for index, primitive in enumerate(primitives):
            target = {}
            for name, values in fields.items():
                moved = np.flatnonzero(np.any(values[primitive.source], axis=1))
                rows = values[primitive.source[moved]]
                if len(moved) or (index, name) not in still:
                    target[name] = buffers.sparse(
                        len(primitive.source), moved, rows, bounds=name == "POSITION"
                    )
                if not len(moved):
                    target[name] = still.setdefault((index, name), target.get(name, -1))
            targets[index].append(gltf.Attributes(**target))
    for primitive, its_targets in zip(written, targets, strict=True):
        primitive.targets = its_targets


def _add_materials(
    document: gltf.GLTF2, asset: RigAsset, primitives: list[Primitive], buffers: BufferWriter
) -> None:
    for primitive in primitives:
        document.materials.append(_material(document, asset.materials[primitive.material], buffers))


def _material(document: gltf.GLTF2, material: Material, buffers: BufferWriter) -> gltf.Material:
    surface = gltf.PbrMetallicRoughness(
        baseColorFactor=[float(channel) for channel in material.base_color],
        roughnessFactor=float(material.roughness),
        metallicFactor=float(material.metallic),
    )
    if material.base_color_image is not None:
        mime = image_mime(material.base_color_image, material.name)
        view = buffers.view(material.base_color_image)
        document.images.append(gltf.Image(name=material.name, mimeType=mime, bufferView=view))
        if not document.samplers:
            document.samplers.append(
                gltf.Sampler(
                    magFilter=gltf.LINEAR,
                    minFilter=gltf.LINEAR_MIPMAP_LINEAR,
                    wrapS=gltf.REPEAT,
                    wrapT=gltf.REPEAT,
                )
            )
        document.textures.append(gltf.Texture(sampler=0, source=len(document.images) - 1))
        surface.baseColorTexture = gltf.TextureInfo(index=len(document.textures) - 1)
    opaque = material.base_color[3] >= 1.0
    return gltf.Material(
        name=material.name,
        pbrMetallicRoughness=surface,
        doubleSided=material.double_sided,
        alphaMode=gltf.OPAQUE if opaque else gltf.BLEND,
        alphaCutoff=None,
    )
