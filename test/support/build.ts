/**
 * Builds the binaries before the first test, when a source is newer than they are.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const BINARIES = ['debug', 'release', 'shared', 'testing'].map((name) => `${root}build/${name}.wasm`);
const SOURCES = ['assembly', 'src/abi', 'scripts', 'asconfig.json'];

function newest(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(`${path}/${name}`)));
}

export default function setup(): void {
  const source = Math.max(...SOURCES.map((name) => newest(root + name)));
  const built = Math.min(...BINARIES.map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0));
  if (source >= built) execFileSync(process.execPath, ['scripts/build-wasm.mjs'], { cwd: root, stdio: 'inherit' });
}
