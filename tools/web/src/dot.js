// A round dot for point materials.
import { CanvasTexture } from 'three';

export function dotTexture() {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 64;
  const pen = canvas.getContext('2d');
  pen.arc(32, 32, 28, 0, 2 * Math.PI);
  pen.fillStyle = '#fff';
  pen.fill();
  return new CanvasTexture(canvas);
}
