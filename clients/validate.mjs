// node validate.mjs FILE.glb: the Khronos validator's report as JSON on stdout.
import { readFile } from 'node:fs/promises';
import validator from 'gltf-validator';

const bytes = new Uint8Array(await readFile(process.argv[2]));
const report = await validator.validateBytes(bytes, { maxIssues: 0 });
process.stdout.write(JSON.stringify({ issues: report.issues, info: report.info }));
