// node build.mjs [OUT.js]: one minified script with the licence of what is inside it.
import { readFile } from 'node:fs/promises';
import { build } from 'esbuild';

const licence = await readFile('node_modules/three/LICENSE', 'utf8');
const { version } = JSON.parse(await readFile('node_modules/three/package.json', 'utf8'));
const [outfile = '../../src/rigface/assets/web/viewer.min.js'] = process.argv.slice(2);
await build({
  entryPoints: ['src/main.js'],
  outfile,
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none',
  banner: { js: `/*! rigface viewer (Apache-2.0), with three.js ${version}:\n${licence.trim()}\n*/` },
});
