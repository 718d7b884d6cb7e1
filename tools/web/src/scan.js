// The scan: quantised positions, error in millimetres per vertex, colours where it has some.
import {
  Box3,
  BufferAttribute,
  BufferGeometry,
  Color,
  DoubleSide,
  Mesh,
  MeshLambertMaterial,
  Points,
  PointsMaterial,
  Vector3,
} from 'three';
import { dotTexture } from './dot.js';

const NONE = 65535; // an error that is NaN: outside the measured region

export class Scan {
  // `layout` says how many of what lie in `bytes`, in this order, each aligned to four bytes:
  // positions (3 uint16 of the box), errors (uint16 steps of layout.step_mm), colours (3 uint8,
  // sRGB), faces (3 uint32).
  constructor(bytes, layout, ramp) {
    this.ramp = ramp;
    let at = 0;
    const take = (Kind, count) => {
      const array = new Kind(bytes.buffer, bytes.byteOffset + at, count);
      at += Math.ceil((count * Kind.BYTES_PER_ELEMENT) / 4) * 4;
      return array;
    };
    const packed = take(Uint16Array, 3 * layout.vertices);
    this.steps = take(Uint16Array, layout.vertices);
    this.stepMm = layout.step_mm;
    this.own = layout.colors ? linear(take(Uint8Array, 3 * layout.vertices)) : null;
    const geometry = new BufferGeometry();
    geometry.setAttribute('position', new BufferAttribute(unpack(packed, layout), 3));
    this.colors = new BufferAttribute(new Float32Array(3 * layout.vertices), 3);
    geometry.setAttribute('color', this.colors);
    if (layout.faces) {
      geometry.setIndex(new BufferAttribute(take(Uint32Array, 3 * layout.faces), 1));
      geometry.computeVertexNormals();
    }
    this.object = layout.faces
      ? new Mesh(geometry, new MeshLambertMaterial({ vertexColors: true, side: DoubleSide }))
      : new Points(geometry, dots(layout.point_size));
    this.paintKind = 'error';
    this.max = layout.max_mm;
  }

  // Bounds of the measured region; of everything where nothing was measured.
  bounds() {
    const box = new Box3();
    const point = new Vector3();
    const positions = this.object.geometry.attributes.position;
    const measured = this.steps.some((step) => step !== NONE);
    for (let i = 0; i < positions.count; i++) {
      if (measured && this.steps[i] === NONE) continue;
      box.expandByPoint(point.fromBufferAttribute(positions, i));
    }
    return box;
  }

  // kind: error, color or plain; max: the millimetres that get the last colour of the ramp.
  paint(kind = this.paintKind, max = this.max) {
    Object.assign(this, { paintKind: kind, max });
    const { array } = this.colors;
    const plain = new Color().setStyle('#b9b4ae');
    const outside = new Color().setStyle('#8e9196');
    for (let i = 0; i < this.steps.length; i++) {
      if (kind === 'color' && this.own) {
        array.set(this.own.subarray(3 * i, 3 * i + 3), 3 * i);
      } else if (kind === 'error') {
        const step = this.steps[i];
        const color = step === NONE ? outside : this.ramp((step * this.stepMm) / max);
        color.toArray(array, 3 * i);
      } else {
        plain.toArray(array, 3 * i);
      }
    }
    this.colors.needsUpdate = true;
  }
}

// A colour ramp through sRGB anchors, as linear colours; clamped outside 0..1.
export function makeRamp(anchors) {
  const colors = anchors.map((hex) => new Color().setStyle(hex));
  const mixed = new Color();
  return (share) => {
    const place = Math.min(Math.max(share, 0), 1) * (colors.length - 1);
    const low = Math.min(Math.floor(place), colors.length - 2);
    return mixed.lerpColors(colors[low], colors[low + 1], place - low);
  };
}

const dots = (size) =>
  new PointsMaterial({ vertexColors: true, size, map: dotTexture(), alphaTest: 0.5 });

function unpack(packed, { low, high }) {
  const out = new Float32Array(packed.length);
  for (let i = 0; i < packed.length; i++) {
    const axis = i % 3;
    out[i] = low[axis] + (packed[i] / 65535) * (high[axis] - low[axis]);
  }
  return out;
}

function linear(bytes) {
  const table = Float32Array.from({ length: 256 }, (_, i) =>
    i <= 10 ? i / 255 / 12.92 : ((i / 255 + 0.055) / 1.055) ** 2.4,
  );
  return Float32Array.from(bytes, (byte) => table[byte]);
}
