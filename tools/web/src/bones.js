// The skeleton drawn over everything: lines to the parents, dots, names on hover, click to pick.
import {
  BufferAttribute,
  BufferGeometry,
  Color,
  DynamicDrawUsage,
  Group,
  LineBasicMaterial,
  LineSegments,
  Points,
  PointsMaterial,
  Vector3,
} from 'three';
import { dotTexture } from './dot.js';

const REACH = 14; // pixels around a dot that count as on it

export class Bones {
  constructor(stage, head, tooltip) {
    Object.assign(this, { stage, head, tooltip, hovered: -1, picked: -1, onPick: () => {} });
    this.names = [...head.joints.keys()];
    this.bones = [...head.joints.values()];
    const index = new Map(this.bones.map((bone, i) => [bone, i]));
    this.parents = this.bones.map((bone) => index.get(bone.parent) ?? -1);
    this.linked = this.parents.flatMap((parent, i) => (parent < 0 ? [] : [[i, parent]]));
    this.object = new Group();
    this.object.visible = false;
    this.lines = this.overlay(LineSegments, 2 * this.linked.length, lineMaterial(), 10);
    this.dots = this.overlay(Points, this.bones.length, dotMaterial(), 11);
    const colors = new BufferAttribute(new Float32Array(3 * this.bones.length), 3);
    this.dots.geometry.setAttribute('color', colors);
    stage.beforeDraw.push(() => this.follow());
    const canvas = stage.renderer.domElement;
    canvas.addEventListener('pointermove', (event) => this.hover(event));
    canvas.addEventListener('pointerleave', () => this.setHovered(-1));
    canvas.addEventListener('click', (event) => {
      const hit = this.nearest(event);
      if (hit >= 0) this.onPick(this.names[hit]);
    });
    this.setTheme();
  }

  overlay(Kind, points, material, order) {
    const geometry = new BufferGeometry();
    const positions = new BufferAttribute(new Float32Array(3 * points), 3);
    geometry.setAttribute('position', positions.setUsage(DynamicDrawUsage));
    const object = new Kind(geometry, material);
    object.frustumCulled = false;
    object.renderOrder = order;
    this.object.add(object);
    return object;
  }

  setTheme() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => new Color().setStyle(style.getPropertyValue(name).trim());
    this.palette = { plain: read('--bone'), hot: read('--accent') };
    this.lines.material.color.copy(this.palette.plain);
    this.paint();
  }

  paint() {
    const colors = this.dots.geometry.attributes.color;
    this.names.forEach((_, i) => {
      const { r, g, b } =
        i === this.hovered || i === this.picked ? this.palette.hot : this.palette.plain;
      colors.setXYZ(i, r, g, b);
    });
    colors.needsUpdate = true;
    this.stage.draw();
  }

  pick(name) {
    this.picked = this.names.indexOf(name);
    this.paint();
  }

  follow() {
    if (!this.object.visible) return;
    this.head.object.updateMatrixWorld(true);
    const at = this.bones.map((bone) => new Vector3().setFromMatrixPosition(bone.matrixWorld));
    const dots = this.dots.geometry.attributes.position;
    at.forEach((point, i) => dots.setXYZ(i, point.x, point.y, point.z));
    const lines = this.lines.geometry.attributes.position;
    this.linked.flat().forEach((joint, i) => lines.setXYZ(i, at[joint].x, at[joint].y, at[joint].z));
    dots.needsUpdate = lines.needsUpdate = true;
    this.positions = at;
    this.label();
  }

  nearest(event) {
    if (!this.object.visible || !this.positions) return -1;
    const frame = this.stage.renderer.domElement.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    let best = [REACH, -1];
    this.positions.forEach((point, i) => {
      const on = this.stage.project(point);
      const distance = Math.hypot(on.x - x, on.y - y);
      if (on.visible && distance < best[0]) best = [distance, i];
    });
    return best[1];
  }

  hover(event) {
    if (event.buttons) return;
    this.setHovered(this.nearest(event));
  }

  setHovered(index) {
    if (index === this.hovered) return;
    this.hovered = index;
    this.stage.renderer.domElement.style.cursor = index < 0 ? '' : 'pointer';
    this.label();
    this.paint();
  }

  label() {
    const shown = this.object.visible && this.hovered >= 0 && this.positions;
    this.tooltip.hidden = !shown;
    if (!shown) return;
    const on = this.stage.project(this.positions[this.hovered]);
    const parent = this.parents[this.hovered];
    this.tooltip.textContent = this.names[this.hovered];
    if (parent >= 0) {
      const under = document.createElement('small');
      under.textContent = ` under ${this.names[parent]}`;
      this.tooltip.append(under);
    }
    this.tooltip.style.transform = `translate(${on.x + 12}px, ${on.y - 12}px)`;
  }
}

const lineMaterial = () =>
  new LineBasicMaterial({ depthTest: false, transparent: true, opacity: 0.75 });

const dotMaterial = () =>
  new PointsMaterial({
    size: 8 * Math.min(window.devicePixelRatio, 2),
    sizeAttenuation: false,
    map: dotTexture(),
    alphaTest: 0.4,
    vertexColors: true,
    depthTest: false,
    transparent: true,
  });
