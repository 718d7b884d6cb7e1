// node page_check.mjs PAGE.html [PICTURES_DIR]: opens one of our pages from disk, uses it as a
// person would, takes pictures of it where asked to, and writes what happened as JSON on stdout.
import { mkdir, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { launch } from './browser.mjs';

const [file, out] = process.argv.slice(2);
if (out) await mkdir(out, { recursive: true });
const browser = await launch();
const answer = { requests: [], problems: [], states: {} };

async function open(width, height, colorScheme) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  const page = await context.newPage();
  page.on('request', (request) => answer.requests.push(request.url().slice(0, 60)));
  page.on('pageerror', (error) => answer.problems.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.text().startsWith('THREE.')) {
      answer.problems.push(message.text());
    }
  });
  await page.goto(pathToFileURL(file).href);
  await page.waitForSelector('[data-stage][data-ready]', { timeout: 60000 });
  return page;
}

const picture = async (page, name, options) =>
  out && writeFile(`${out}/${name}.png`, await page.screenshot(options));

// The canvas as a short fingerprint: did the picture change?
const fingerprint = (page) =>
  page.evaluate(() => {
    const { stage } = window.rigface;
    stage.drawNow();
    const gl = stage.renderer.getContext();
    const [w, h] = [gl.drawingBufferWidth, gl.drawingBufferHeight];
    const pixels = new Uint8Array(4 * w * h);
    gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    let sum = 0;
    let drawn = 0;
    for (let i = 0; i < pixels.length; i += 4) {
      if (pixels[i + 3]) drawn++;
      sum = (sum * 31 + pixels[i] + 256 * pixels[i + 1] + 65536 * pixels[i + 2]) % 4294967291;
    }
    return { sum, drawn: drawn / (w * h) };
  });

try {
  const page = await open(1280, 800, 'light');
  const step = async (name, action) => {
    if (action) await action();
    answer.states[name] = await fingerprint(page);
    await picture(page, name);
  };
  const click = (selector) => page.click(selector);
  const hasScan = (await page.$('[data-choice="show"]')) !== null;
  await step('start');
  if (hasScan) {
    await step('scale', () =>
      page.evaluate(() => {
        const slider = document.querySelector('[data-legend] input');
        slider.value = slider.max;
        slider.dispatchEvent(new Event('input', { bubbles: true }));
      }),
    );
    await step('plain', () => click('[data-choice="paint"] [value="plain"]'));
    await click('[data-choice="paint"] [value="error"]');
    await step('both', () => click('[data-choice="show"] [value="both"]'));
    await step('fit', () => click('[data-choice="show"] [value="fit"]'));
  }
  await click('[data-choice="tab"] [value="animate"]');
  await step('bones', () => click('[data-toggle="bones"]'));
  await step('hover', async () => {
    const at = await page.evaluate(() => {
      const { stage, bones } = window.rigface;
      const joint = Math.max(bones.names.indexOf('lip_corner.L'), 0);
      const frame = stage.renderer.domElement.getBoundingClientRect();
      const { x, y } = stage.project(bones.positions[joint]);
      return [x + frame.left, y + frame.top];
    });
    await page.mouse.move(at[0] + 1, at[1] + 1);
    await page.waitForSelector('[data-tooltip]:not([hidden])', { timeout: 5000 });
  });
  answer.tooltip = await page.textContent('[data-tooltip]');
  await click('[data-toggle="bones"]');
  answer.sliders = await page.$$eval('[data-morph]', (inputs) =>
    inputs.map((input) => input.dataset.morph),
  );
  answer.groups = await page.$$eval('[data-groups] summary', (all) =>
    all.map((one) => one.firstChild.textContent),
  );
  await step('neutral');
  const open_ = '[data-morph="jawOpen"]';
  if (await page.$(open_)) {
    await step('jawOpen', () => page.fill(open_, '1'));
    await step('reset', () => click('[data-expressions] [data-reset]'));
  }
  await step('joint', async () => {
    await page.fill('[data-pose] [data-axis="x"]', '20');
    await page.$eval('[data-pose]', (section) => section.scrollIntoView());
  });
  await step('wireframe', async () => {
    await click('[data-pose] [data-reset]');
    await click('[data-toggle="wireframe"]');
  });
  await click('[data-toggle="wireframe"]');
  await click('[data-view="left"]');
  await click('[data-theme-button]');
  if (hasScan) {
    await click('[data-choice="tab"] [value="results"]');
    await click('[data-choice="show"] [value="scan"]');
  }
  await step('dark');
  answer.text = await page.evaluate(() => document.body.innerText);
  answer.overflow = {};
  for (const [width, height] of [[1280, 800], [390, 844], [820, 1180]]) {
    const narrow = await open(width, height, width === 390 ? 'dark' : 'light');
    answer.overflow[width] = await narrow.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth,
    );
    await picture(narrow, `${width}x${height}`, { fullPage: true });
    await narrow.context().close();
  }
  process.stdout.write(JSON.stringify(answer));
} finally {
  await browser.close();
}
