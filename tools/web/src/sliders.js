// Expression sliders in anatomical groups, presets, and the turning of one joint.

const GROUPS = [
  ['Eyes', /^eye/],
  ['Brows', /^brow/],
  ['Jaw and tongue', /^(jaw|tongue)/],
  ['Mouth', /^mouth/],
  ['Nose and cheeks', /^(nose|cheek)/],
  ['Other', /./],
];

const PRESETS = {
  Smile: { mouthSmile: 0.85, cheekSquint: 0.5, eyeSquint: 0.25, mouthDimple: 0.2 },
  Blink: { eyeBlink: 1 },
  Open: { jawOpen: 0.8 },
  Surprise: { browInnerUp: 0.9, browOuterUp: 0.8, eyeWide: 0.8, jawOpen: 0.35 },
  Kiss: { mouthPucker: 0.9 },
  Angry: { browDown: 0.9, noseSneer: 0.5, eyeSquint: 0.3, mouthPress: 0.5 },
};

const twin = (name) =>
  name.endsWith('Left') ? name.slice(0, -4) + 'Right' : name.replace(/Right$/, 'Left');

// "mouthSmileLeft" reads "Smile left" under its heading.
function label(name, group) {
  const words = name.replace(/([A-Z])/g, ' $1').toLowerCase().split(' ');
  const kept = group !== 'Other' && words.length > 1 ? words.slice(1) : words;
  const text = kept.join(' ');
  const prefixed = /^(Jaw and tongue|Nose and cheeks)$/.test(group) ? words.join(' ') : text;
  return prefixed[0].toUpperCase() + prefixed.slice(1);
}

export class Expressions {
  constructor(root, head, onChange) {
    Object.assign(this, { head, onChange, inputs: new Map() });
    this.mirror = root.querySelector('[data-mirror]');
    const list = root.querySelector('[data-groups]');
    let left = [...head.morphs];
    for (const [title, pattern] of GROUPS) {
      const names = left.filter((name) => pattern.test(name));
      left = left.filter((name) => !names.includes(name));
      if (names.length) list.append(this.group(title, names));
    }
    root.querySelector('[data-reset]').addEventListener('click', () => this.reset());
    const presets = root.querySelector('[data-presets]');
    for (const [name, amounts] of Object.entries(PRESETS)) {
      if (!head.morphs.some((morph) => bare(morph) in amounts)) continue;
      presets.append(button(name, () => this.preset(amounts)));
    }
    root.hidden = !head.morphs.length;
  }

  group(title, names) {
    const details = element('details', { open: true, className: 'group' });
    const summary = element('summary', { textContent: title });
    summary.append(element('span', { className: 'count', textContent: names.length }));
    details.append(summary, ...names.map((name) => this.row(name, title)));
    return details;
  }

  row(name, group) {
    const row = element('label', { className: 'slider', title: name });
    const input = element('input', { type: 'range', min: 0, max: 1, step: 0.01, value: 0 });
    input.dataset.morph = name;
    const value = element('output', { textContent: '0' });
    row.append(element('span', { textContent: label(name, group) }), input, value);
    input.addEventListener('input', () => {
      this.set(name, input.valueAsNumber);
      if (this.mirror?.checked && this.inputs.has(twin(name))) {
        this.set(twin(name), input.valueAsNumber);
      }
      this.onChange();
    });
    row.addEventListener('dblclick', () => {
      this.set(name, 0);
      this.onChange();
    });
    this.inputs.set(name, { input, value, row });
    return row;
  }

  set(name, amount) {
    const { input, value, row } = this.inputs.get(name);
    input.value = amount;
    value.textContent = String(Math.round(100 * amount));
    row.classList.toggle('moved', amount > 0);
    input.style.setProperty('--fill', `${100 * amount}%`);
    this.head.setMorph(name, amount);
  }

  reset() {
    for (const name of this.inputs.keys()) this.set(name, 0);
    this.onChange();
  }

  preset(amounts) {
    for (const name of this.inputs.keys()) this.set(name, amounts[name] ?? amounts[bare(name)] ?? 0);
    this.onChange();
  }
}

export class JointPose {
  constructor(root, head, onPick, onChange) {
    Object.assign(this, { root, head, onPick, onChange });
    this.select = root.querySelector('select');
    for (const name of [...head.joints.keys()]) {
      this.select.append(element('option', { value: name, textContent: name }));
    }
    this.axes = [...root.querySelectorAll('input[type=range]')];
    this.select.addEventListener('change', () => this.pick(this.select.value));
    this.axes.forEach((input) => input.addEventListener('input', () => this.turn()));
    root.querySelector('[data-reset]').addEventListener('click', () => {
      head.resetJoints();
      this.show();
      onChange();
    });
    root.hidden = !head.joints.size;
    if (head.joints.size) this.select.value = head.joints.has('jaw') ? 'jaw' : this.select.value;
  }

  pick(name) {
    this.select.value = name;
    this.show();
    this.onPick(name);
  }

  show() {
    const degrees = this.head.turns.get(this.select.value) ?? [0, 0, 0];
    this.axes.forEach((input, i) => this.axis(input, degrees[i]));
  }

  axis(input, degrees) {
    input.value = degrees;
    input.style.setProperty('--fill', `${(100 * (degrees - input.min)) / (input.max - input.min)}%`);
    input.parentElement.querySelector('output').textContent = `${Math.round(degrees)}°`;
    input.parentElement.classList.toggle('moved', degrees !== 0);
  }

  turn() {
    const degrees = this.axes.map((input) => input.valueAsNumber);
    this.axes.forEach((input, i) => this.axis(input, degrees[i]));
    this.head.turn(this.select.value, degrees);
    this.onChange();
  }
}

const bare = (name) => name.replace(/(Left|Right)$/, '');

function button(text, onClick) {
  const made = element('button', { type: 'button', textContent: text, className: 'chip' });
  made.addEventListener('click', onClick);
  return made;
}

const element = (kind, properties) => Object.assign(document.createElement(kind), properties);
