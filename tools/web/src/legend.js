// The colour bar under the view: ticks in millimetres, and a slider for its upper end.

const STEPS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20];

export function setUpLegend(root, anchors, initial, onChange) {
  const bar = root.querySelector('[data-bar]');
  bar.style.background = `linear-gradient(to right, ${anchors.join(', ')})`;
  const slider = root.querySelector('input');
  const steps = STEPS.includes(initial) ? STEPS : [...STEPS, initial].sort((a, b) => a - b);
  slider.max = steps.length - 1;
  slider.value = steps.indexOf(initial);
  const show = () => {
    const max = steps[slider.value];
    slider.setAttribute('aria-valuetext', `${max} mm`);
    root.querySelector('[data-ticks]').replaceChildren(...ticks(max));
    return max;
  };
  slider.addEventListener('input', () => onChange(show()));
  show();
}

function ticks(max) {
  const wanted = [0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5];
  const step = wanted.find((size) => max / size <= 5.01) ?? max / 5;
  const count = Math.floor(max / step + 1e-9);
  return Array.from({ length: count + 1 }, (_, i) => {
    const value = i * step;
    const tick = document.createElement('span');
    tick.style.left = `${(100 * value) / max}%`;
    const top = i === count && Math.abs(value - max) < 1e-9;
    tick.textContent = (top ? '≥ ' : '') + String(Math.round(value * 100) / 100);
    return tick;
  });
}
