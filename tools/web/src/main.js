// Brings a page to life: the markup comes from Python's templates, the behaviour from here.
import { Bones } from './bones.js';
import { blob, config } from './data.js';
import { Head } from './head.js';
import { setUpLegend } from './legend.js';
import { makeRamp, Scan } from './scan.js';
import { Expressions, JointPose } from './sliders.js';
import { Stage } from './stage.js';

const all = (selector) => [...document.querySelectorAll(selector)];
const one = (selector) => document.querySelector(selector);

// Radio-like buttons: <div data-choice="name"><button value="a">...
function choice(name, onPick) {
  const buttons = all(`[data-choice="${name}"] button`);
  const pick = (value) => {
    for (const b of buttons) b.setAttribute('aria-pressed', String(b.value === value));
    onPick(value);
  };
  buttons.forEach((b) => b.addEventListener('click', () => pick(b.value)));
  return pick;
}

function toggle(name, onChange) {
  const button = one(`[data-toggle="${name}"]`);
  button?.addEventListener('click', () => {
    const on = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(on));
    onChange(on);
  });
  return button;
}

function setUpTheme(onChange) {
  const store = (value) => {
    try {
      return value ? localStorage.setItem('rigface-theme', value) : localStorage.getItem('rigface-theme');
    } catch {
      return null; // some browsers keep no storage for files
    }
  };
  const dark = matchMedia('(prefers-color-scheme: dark)');
  let theme = store();
  const show = () => {
    document.documentElement.dataset.theme = theme ?? (dark.matches ? 'dark' : 'light');
    onChange();
  };
  dark.addEventListener('change', show);
  one('[data-theme-button]')?.addEventListener('click', () => {
    theme = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
    store(theme);
    show();
  });
  show();
}

function setUpTabs() {
  const pick = choice('tab', (value) => {
    for (const panel of all('[data-panel]')) panel.hidden = panel.dataset.panel !== value;
  });
  const first = one('[data-choice="tab"] button');
  if (first) pick(first.value);
}

function setUpView(stage, head, scan, layout) {
  const box = scan ? scan.bounds() : head.bounds();
  if (!scan || box.isEmpty()) box.copy(head.bounds());
  stage.view(scan ? 'front' : 'three-quarter', box);
  all('[data-view]').forEach((b) =>
    b.addEventListener('click', () => stage.view(b.dataset.view)),
  );
  let mode = 'fit';
  const opacity = one('[data-opacity] input');
  const show = choice('show', (value) => {
    mode = value;
    head.object.visible = value !== 'scan';
    if (scan) scan.object.visible = value !== 'fit';
    head.setOpacity(value === 'both' ? Number(opacity?.value ?? 0.5) : 1);
    one('[data-opacity]')?.toggleAttribute('hidden', value !== 'both');
    one('[data-paint]')?.toggleAttribute('hidden', value === 'fit');
    one('[data-legend]')?.toggleAttribute('hidden', value === 'fit' || scan.paintKind !== 'error');
    stage.draw();
  });
  opacity?.addEventListener('input', () => {
    head.setOpacity(Number(opacity.value));
    stage.draw();
  });
  if (scan) {
    const paint = choice('paint', (value) => {
      scan.paint(value);
      one('[data-legend]').hidden = value !== 'error';
      stage.draw();
    });
    setUpLegend(one('[data-legend]'), layout.anchors, layout.max_mm, (max) => {
      scan.paint('error', max);
      stage.draw();
    });
    paint('error');
  }
  show(scan ? 'scan' : 'fit');
  toggle('wireframe', (on) => {
    head.setWireframe(on);
    if (scan) scan.object.material.wireframe = on;
    stage.draw();
  });
  // Whoever moves a slider wants to see the head.
  return () => {
    if (mode === 'scan') show('fit');
    stage.draw();
  };
}

// Browsers do not colour the travelled part of a styled slider by themselves.
function fillSliders() {
  const fill = (input) => {
    const share = (input.value - input.min) / (input.max - input.min || 1);
    input.style.setProperty('--fill', `${100 * share}%`);
  };
  document.addEventListener('input', (event) => event.target.type === 'range' && fill(event.target));
  all('input[type=range]').forEach(fill);
}

async function start() {
  setUpTabs();
  const holder = one('[data-stage]');
  const settings = config();
  let bones = null;
  setUpTheme(() => bones?.setTheme());
  try {
    const stage = new Stage(holder);
    const head = await Head.load(blob('rigface-glb'));
    stage.scene.add(head.object);
    const scan = settings.scan
      ? new Scan(blob('rigface-scan'), settings.scan, makeRamp(settings.scan.anchors))
      : null;
    if (scan) stage.scene.add(scan.object);
    bones = new Bones(stage, head, one('[data-tooltip]'));
    stage.scene.add(bones.object);
    const moved = setUpView(stage, head, scan, settings.scan);
    const expressions = new Expressions(one('[data-expressions]'), head, moved);
    const pose = new JointPose(one('[data-pose]'), head, (name) => bones.pick(name), moved);
    bones.onPick = (name) => pose.pick(name);
    const boneButton = toggle('bones', (on) => {
      bones.object.visible = on;
      if (!on) bones.setHovered(-1);
      stage.draw();
    });
    if (boneButton) boneButton.hidden = !head.joints.size;
    fillSliders();
    stage.drawNow();
    window.rigface = { stage, head, scan, bones, expressions, pose }; // for tests and consoles
    holder.dataset.ready = 'true';
  } catch (error) {
    console.error(error);
    const note = one('[data-trouble]');
    note.hidden = false;
    note.textContent = `The 3-D view cannot be shown: ${error.message ?? error}. It needs WebGL 2.`;
    holder.dataset.ready = 'failed';
  }
}

if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
else start();
