// Headless Chromium with WebGL 2 in software, cut off from every network.
import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const candidates = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

export async function launch() {
  const executablePath = candidates.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error('no Chromium found; install it or set CHROMIUM=/path');
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--use-angle=swiftshader',
      '--enable-unsafe-swiftshader',
      '--ignore-gpu-blocklist',
    ],
  });
}

// A page of an invented host, answered from node_modules and from this folder.
export async function openModulePage(browser, script) {
  const page = await browser.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  const here = new URL('.', import.meta.url);
  await page.route('**/*', async (route) => {
    const path = new URL(route.request().url()).pathname;
    if (path === '/') {
      const imports = {
        three: '/node_modules/three/build/three.module.js',
        'three/addons/': '/node_modules/three/examples/jsm/',
      };
      const map = `<script type="importmap">${JSON.stringify({ imports })}</script>`;
      const main = `<script type="module" src="/${script}"></script>`;
      return route.fulfill({ contentType: 'text/html', body: `<!doctype html>${map}${main}` });
    }
    if (path === '/favicon.ico') return route.fulfill({ status: 204 });
    const body = await readFile(new URL(`.${path}`, here));
    return route.fulfill({ contentType: 'text/javascript', body });
  });
  await page.goto('http://rigface.test/');
  return { page, problems };
}
