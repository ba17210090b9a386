/**
 * Runs the packed and installed package on several versions of Node: `node scripts/smoke.mjs 22 24`. Without versions, on
 * this one.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { install, pack } from './package.mjs';

const versions = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'ipvs-wasm-smoke-'));
try {
  install(pack(folder).tarball, folder);
  copyFileSync(fileURLToPath(new URL('../test/package/smoke.mjs', import.meta.url)), join(folder, 'smoke.mjs'));
  const run = (command, ...args) => execFileSync(command, args, { cwd: folder, stdio: 'inherit' });
  if (versions.length === 0) run(process.execPath, 'smoke.mjs');
  for (const version of versions) run('npx', '-y', '-p', `node@${version}`, 'node', 'smoke.mjs');
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
