// Camera, light and canvas. Draws when something changed, not all the time.
import {
  AmbientLight,
  Box3,
  DirectionalLight,
  PerspectiveCamera,
  Scene,
  Vector3,
  WebGLRenderer,
} from 'three';
import { OrbitControls } from 'three/addons/controls/OrbitControls.js';

// Camera directions; the subject's left is +X.
const DIRECTIONS = {
  front: [0, 0.02, 1],
  left: [1, 0.02, 0.02],
  right: [-1, 0.02, 0.02],
  'three-quarter': [0.62, 0.1, 1],
};

export class Stage {
  constructor(holder) {
    this.holder = holder;
    this.renderer = new WebGLRenderer({ antialias: true, alpha: true });
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.renderer.domElement.setAttribute('aria-label', '3-D view, drag to turn, wheel to zoom');
    holder.prepend(this.renderer.domElement);
    this.scene = new Scene();
    this.camera = new PerspectiveCamera(24, 1, 0.01, 20);
    this.scene.add(this.camera);
    this.light();
    this.controls = new OrbitControls(this.camera, this.renderer.domElement);
    this.controls.addEventListener('change', () => this.draw());
    this.beforeDraw = [];
    this.box = new Box3();
    new ResizeObserver(() => this.resize()).observe(holder);
    this.resize();
  }

  // The lamps travel with the camera, so every side can be inspected.
  light() {
    const key = new DirectionalLight(0xffffff, 2.2);
    key.position.set(-0.6, 0.9, 1);
    const fill = new DirectionalLight(0xffffff, 0.7);
    fill.position.set(1, -0.1, 0.6);
    for (const lamp of [key, fill]) this.camera.add(lamp, lamp.target);
    this.scene.add(new AmbientLight(0xffffff, 0.85));
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.holder;
    if (!width || !height) return;
    this.renderer.setSize(width, height);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.draw();
  }

  // Look at `box` from a named side, all of it in view.
  view(name, box = this.box) {
    this.box = box;
    const centre = box.getCenter(new Vector3());
    const size = box.getSize(new Vector3());
    const half = Math.tan((this.camera.fov * Math.PI) / 360);
    const tall = Math.max(size.y, Math.max(size.x, size.z) / this.camera.aspect);
    const away = (0.5 * tall * 1.16) / half + 0.5 * Math.max(size.x, size.z);
    const direction = new Vector3(...DIRECTIONS[name]).normalize();
    this.camera.position.copy(centre).addScaledVector(direction, away);
    this.controls.target.copy(centre);
    this.camera.near = away / 50;
    this.camera.far = away * 20;
    this.camera.updateProjectionMatrix();
    this.controls.update();
    this.draw();
  }

  draw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      this.drawNow();
    });
  }

  drawNow() {
    for (const prepare of this.beforeDraw) prepare();
    this.renderer.render(this.scene, this.camera);
  }

  // Page coordinates of a point in the canvas, for labels.
  project(point) {
    const flat = point.clone().project(this.camera);
    const { clientWidth, clientHeight } = this.holder;
    return {
      x: (flat.x * 0.5 + 0.5) * clientWidth,
      y: (0.5 - flat.y * 0.5) * clientHeight,
      visible: flat.z < 1,
    };
  }
}
