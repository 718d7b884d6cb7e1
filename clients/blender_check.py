"""Run by a Python that has bpy, never imported: the vertices of a GLB as Blender poses them.

    python blender_check.py FILE.glb CASES.json OUT.npz

Poses are set as an artist sets them: a rotation of the pose bone in the joint's own axes and the
value of a shape key. OUT.npz gets one float64 array per case, glTF axes, Blender's vertex order.
"""

import json
import sys

import bpy
import numpy as np
from mathutils import Matrix, Quaternion

# Blender is Z-up: (x, y, z) of glTF is (x, -z, y) there.
BLENDER_FROM_GLTF = Matrix(((1, 0, 0, 0), (0, 0, -1, 0), (0, 1, 0, 0), (0, 0, 0, 1)))


def main(glb: str, cases: str, out: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=glb)
    armature = next(o for o in bpy.data.objects if o.type == "ARMATURE")
    mesh = next(o for o in bpy.data.objects if o.type == "MESH" and o.find_armature() is armature)
    rest = {bone.name: bone.rotation_quaternion.copy() for bone in armature.pose.bones}
    binds = bind_matrices(glb)
    arrays = {}
    with open(cases) as stream:
        entries = json.load(stream)
    for entry in entries:
        for bone in armature.pose.bones:
            bone.rotation_mode = "QUATERNION"
            bone.rotation_quaternion = rest[bone.name]
        for name, wxyz in entry["rotations"].items():
            turn_bone(armature.pose.bones[name], Quaternion(wxyz), binds[name])
        keys = mesh.data.shape_keys.key_blocks if mesh.data.shape_keys else {}
        for key in keys:
            key.value = 0.0
        for name, amount in entry["morphs"].items():
            keys[name].value = amount
        arrays[entry["name"]] = evaluated(mesh)
    extras = mesh.get("pruning")
    np.savez(
        out,
        **arrays,
        version=bpy.app.version_string,
        bones=len(armature.pose.bones),
        keys=len(mesh.data.shape_keys.key_blocks) - 1 if mesh.data.shape_keys else 0,
        has_extras=extras is not None,
    )


def turn_bone(bone: "bpy.types.PoseBone", turn: Quaternion, bind: Matrix) -> None:
    """Blender's bone axes differ from the joint's by a fixed rotation, seen in the rest pose."""
    bone_axes = (BLENDER_FROM_GLTF @ bind).to_quaternion().inverted() @ (
        bone.bone.matrix_local.to_quaternion()
    )
    bone.rotation_quaternion = bone.rotation_quaternion @ (bone_axes.inverted() @ turn @ bone_axes)


def bind_matrices(glb: str) -> dict:
    """model_from_joint at bind, by joint name, read from the file itself."""
    with open(glb, "rb") as stream:
        data = stream.read()
    size = int.from_bytes(data[12:16], "little")
    document, blob = json.loads(data[20 : 20 + size]), data[28 + size :]
    skin = document["skins"][0]
    accessor = document["accessors"][skin["inverseBindMatrices"]]
    view = document["bufferViews"][accessor["bufferView"]]
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    flat = np.frombuffer(blob, np.float32, 16 * accessor["count"], start)
    inverse = flat.reshape(-1, 4, 4).transpose(0, 2, 1).astype(np.float64)
    names = [document["nodes"][node]["name"] for node in skin["joints"]]
    return {name: Matrix(np.linalg.inv(m)) for name, m in zip(names, inverse, strict=True)}


def evaluated(mesh: "bpy.types.Object") -> np.ndarray:
    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    posed = mesh.evaluated_get(graph)
    data = posed.to_mesh()
    flat = np.empty(3 * len(data.vertices), np.float32)
    data.vertices.foreach_get("co", flat)
    world = np.array(BLENDER_FROM_GLTF.inverted() @ posed.matrix_world)
    points = flat.reshape(-1, 3).astype(np.float64) @ world[:3, :3].T + world[:3, 3]
    posed.to_mesh_clear()
    return points


if __name__ == "__main__":
    main(*sys.argv[1:])
