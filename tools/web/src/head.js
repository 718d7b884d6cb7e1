// The rigged head: a GLB with morph targets and joints.
import { Box3, MeshBasicMaterial, Quaternion } from 'three';
import { GLTFLoader } from 'three/addons/loaders/GLTFLoader.js';

export class Head {
  static async load(bytes) {
    return new Head(await new GLTFLoader().parseAsync(bytes.buffer, ''));
  }

  constructor(gltf) {
    this.object = gltf.scene;
    this.meshes = [];
    this.joints = new Map();
    gltf.scene.traverse((node) => {
      if (node.isMesh) {
        node.frustumCulled = false; // bounds do not follow the skin
        this.meshes.push(node);
      }
      // three.js strips dots from names and keeps the file's name in userData
      if (node.isBone) this.joints.set(node.userData.name ?? node.name, node);
    });
    this.veils = this.meshes.map(veil);
    this.rest = new Map([...this.joints].map(([name, bone]) => [name, bone.quaternion.clone()]));
    this.turns = new Map();
    this.morphs = [...new Set(this.meshes.flatMap((m) => Object.keys(m.morphTargetDictionary ?? {})))];
    this.object.updateMatrixWorld(true);
  }

  bounds() {
    const box = new Box3();
    for (const mesh of this.meshes) {
      mesh.skeleton?.update();
      mesh.computeBoundingBox ? mesh.computeBoundingBox() : mesh.geometry.computeBoundingBox();
      box.union((mesh.boundingBox ?? mesh.geometry.boundingBox).clone().applyMatrix4(mesh.matrixWorld));
    }
    return box;
  }

  setMorph(name, amount) {
    for (const mesh of this.meshes) {
      const index = mesh.morphTargetDictionary?.[name];
      if (index !== undefined) mesh.morphTargetInfluences[index] = amount;
    }
  }

  // Degrees about the joint's own axes, applied x first.
  turn(name, degrees) {
    this.turns.set(name, degrees);
    const [x, y, z] = degrees.map((d) => (d * Math.PI) / 360);
    const about = (axis, half) => {
      const v = [0, 0, 0];
      v[axis] = Math.sin(half);
      return new Quaternion(...v, Math.cos(half));
    };
    const turn = about(2, z).multiply(about(1, y)).multiply(about(0, x));
    this.joints.get(name).quaternion.copy(this.rest.get(name)).multiply(turn);
  }

  resetJoints() {
    for (const name of this.turns.keys()) this.turn(name, [0, 0, 0]);
    this.turns.clear();
  }

  setOpacity(opacity) {
    for (const one of this.veils) one.visible = opacity < 1;
    this.each((material) => {
      material.userData.opacity ??= material.opacity;
      material.userData.transparent ??= material.transparent;
      material.opacity = opacity * material.userData.opacity;
      const was = material.transparent;
      material.transparent = opacity < 1 || material.userData.transparent;
      if (was !== material.transparent) material.needsUpdate = true;
    });
  }

  setWireframe(on) {
    this.each((material) => {
      material.wireframe = on;
    });
    for (const one of this.veils) one.material.wireframe = on;
  }

  each(change) {
    for (const material of new Set(this.meshes.map((mesh) => mesh.material))) change(material);
  }
}

// A copy that only fills the depth buffer, before the translucent original is drawn: so the mouth
// cavity and the back of the head do not shine through.
function veil(mesh) {
  const copy = mesh.clone();
  copy.material = new MeshBasicMaterial({ colorWrite: false });
  copy.morphTargetInfluences = mesh.morphTargetInfluences;
  copy.renderOrder = 1; // opaque things are drawn first, the scan among them
  copy.visible = false;
  copy.frustumCulled = false;
  mesh.parent.add(copy);
  return copy;
}
