// node three_check.mjs FILE.glb CASES.json: vertices of every case in three.js, JSON on stdout.
import { readFile } from 'node:fs/promises';
import { launch, openModulePage } from './browser.mjs';

const [glb, cases] = process.argv.slice(2);
const browser = await launch();
try {
  const { page, problems } = await openModulePage(browser, 'three_page.mjs');
  await page.waitForFunction('window.ready', null, { timeout: 20000 });
  const base64 = (await readFile(glb)).toString('base64');
  const entries = JSON.parse(await readFile(cases, 'utf8'));
  const answer = await page.evaluate(([data, list]) => window.check(data, list), [base64, entries]);
  process.stdout.write(JSON.stringify({ ...answer, problems }));
} finally {
  await browser.close();
}
