// Runs in the browser: poses a GLB with three.js and gives back its vertices, CPU and GPU.
import * as THREE from 'three';
import { GLTFLoader } from 'three/addons/loaders/GLTFLoader.js';

const SIDE = 512; // one texel per vertex in the read-back target

const bytesFrom = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

function base64From(floats) {
  const bytes = new Uint8Array(floats.buffer);
  let text = '';
  for (let i = 0; i < bytes.length; i += 32768) {
    text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  }
  return btoa(text);
}

// three.js strips dots from node names and keeps the file's name in userData.
const fileName = (node) => node.userData.name ?? node.name;

async function load(base64) {
  const gltf = await new GLTFLoader().parseAsync(bytesFrom(base64).buffer, '');
  const meshes = [];
  const joints = new Map();
  gltf.scene.traverse((node) => {
    if (node.isSkinnedMesh) meshes.push(node);
    if (node.isBone) joints.set(fileName(node), node);
  });
  const rest = new Map([...joints].map(([name, bone]) => [name, bone.quaternion.clone()]));
  return { scene: gltf.scene, meshes, joints, rest };
}

function pose(rig, { rotations, morphs }) {
  for (const [name, bone] of rig.joints) bone.quaternion.copy(rig.rest.get(name));
  for (const [name, [w, x, y, z]] of Object.entries(rotations)) {
    rig.joints.get(name).quaternion.multiply(new THREE.Quaternion(x, y, z, w));
  }
  for (const mesh of rig.meshes) {
    mesh.morphTargetInfluences?.fill(0);
    for (const [name, amount] of Object.entries(morphs)) {
      mesh.morphTargetInfluences[mesh.morphTargetDictionary[name]] = amount;
    }
  }
  rig.scene.updateMatrixWorld(true);
  for (const mesh of rig.meshes) mesh.skeleton.update();
}

function cpuVertices(rig) {
  const out = [];
  const point = new THREE.Vector3();
  for (const mesh of rig.meshes) {
    for (let i = 0; i < mesh.geometry.attributes.position.count; i++) {
      mesh.getVertexPosition(i, point).applyMatrix4(mesh.matrixWorld);
      out.push(point.x, point.y, point.z);
    }
  }
  return new Float32Array(out);
}

const material = new THREE.ShaderMaterial({
  vertexShader: `
    #include <common>
    #include <morphtarget_pars_vertex>
    #include <skinning_pars_vertex>
    varying vec3 posed;
    void main() {
      #include <morphinstance_vertex>
      #include <skinbase_vertex>
      #include <begin_vertex>
      #include <morphtarget_vertex>
      #include <skinning_vertex>
      posed = (modelMatrix * vec4(transformed, 1.0)).xyz;
      vec2 texel = vec2(gl_VertexID % ${SIDE}, gl_VertexID / ${SIDE});
      gl_Position = vec4((texel + 0.5) / ${SIDE / 2}.0 - 1.0, 0.0, 1.0);
      gl_PointSize = 1.0;
    }`,
  fragmentShader: 'varying vec3 posed; void main() { gl_FragColor = vec4(posed, 1.0); }',
  depthTest: false,
});

// The same skinning chunks that three.js draws with, one point per vertex into a float texture.
function gpuVertices(rig, renderer, target) {
  const out = [];
  for (const mesh of rig.meshes) {
    const count = mesh.geometry.attributes.position.count;
    if (count > SIDE * SIDE) throw new Error(`${count} vertices do not fit the read-back target`);
    const geometry = mesh.geometry.clone().setIndex(null);
    const points = new THREE.Points(geometry, material);
    Object.assign(points, {
      isSkinnedMesh: true,
      skeleton: mesh.skeleton,
      bindMode: mesh.bindMode,
      bindMatrix: mesh.bindMatrix,
      bindMatrixInverse: mesh.bindMatrixInverse,
      morphTargetInfluences: mesh.morphTargetInfluences,
      frustumCulled: false,
    });
    points.matrixAutoUpdate = false;
    points.matrix.copy(mesh.matrixWorld);
    const scene = new THREE.Scene().add(points);
    renderer.setRenderTarget(target);
    renderer.clear();
    renderer.render(scene, new THREE.Camera());
    const pixels = new Float32Array(4 * SIDE * SIDE);
    renderer.readRenderTargetPixels(target, 0, 0, SIDE, SIDE, pixels);
    for (let i = 0; i < count; i++) {
      if (pixels[4 * i + 3] !== 1) throw new Error(`vertex ${i} was not drawn`);
      out.push(pixels[4 * i], pixels[4 * i + 1], pixels[4 * i + 2]);
    }
    geometry.dispose();
  }
  return new Float32Array(out);
}

window.check = async (base64, cases) => {
  const rig = await load(base64);
  const renderer = new THREE.WebGLRenderer();
  const target = new THREE.WebGLRenderTarget(SIDE, SIDE, {
    type: THREE.FloatType,
    minFilter: THREE.NearestFilter,
    magFilter: THREE.NearestFilter,
  });
  renderer.setClearColor(0x000000, 0);
  const results = cases.map((entry) => {
    pose(rig, entry);
    return {
      name: entry.name,
      cpu: base64From(cpuVertices(rig)),
      gpu: base64From(gpuVertices(rig, renderer, target)),
    };
  });
  renderer.dispose();
  return { revision: THREE.REVISION, results };
};
window.ready = true;
