/**
 * Builds what is missing or older than its sources, so that a fresh clone needs no step of its own before `npm start`.
 *
 * This stands in the scripts that need it, not in `prepare`: installing must not compile, and hooks do not run
 * everywhere (`ignore-scripts`).
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, rmSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BINARIES = ['debug', 'release', 'shared', 'testing'].map((name) => `build/${name}.wasm`);
const BINARY_SOURCES = [
  'assembly',
  'src/abi',
  'src/abi-hash.ts',
  'asconfig.json',
  'scripts/build-wasm.mjs',
  'scripts/wasm',
];
/** The compiler writes this file too each time it runs. */
const MODULES = ['dist/cli/main.js'];
const MODULE_SOURCES = ['src', 'tsconfig.json', 'package-lock.json'];

/** When something below `path` was last changed, deletions included; milliseconds. */
function changed(path) {
  const stat = statSync(ROOT + path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(ROOT + path).map((name) => changed(`${path}/${name}`)));
}

function isStale(outputs, sources) {
  const built = outputs.map((file) => statSync(ROOT + file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return Math.min(...built) <= Math.max(...sources.map(changed));
}

/** Said once: a build takes long, and says nothing itself. */
let said = false;
function sayBuilding() {
  if (!said) console.error('building…');
  said = true;
}

const run = (...args) => execFileSync(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });

/** Builds the binaries if need be. */
export function buildBinaries() {
  if (!isStale(BINARIES, [...BINARY_SOURCES, 'package-lock.json'])) return;
  sayBuilding();
  run('scripts/build-wasm.mjs');
}

/** Compiles src/ to dist/ if need be. */
export function buildModules() {
  if (!isStale(MODULES, MODULE_SOURCES)) return;
  sayBuilding();
  rmSync(`${ROOT}dist`, { recursive: true, force: true });
  try {
    run('node_modules/typescript/bin/tsc', '-p', '.');
  } catch (error) {
    // The compiler writes its output in spite of errors: the next run must not take it for good.
    rmSync(`${ROOT}dist`, { recursive: true, force: true });
    throw error;
  }
  chmodSync(`${ROOT}dist/cli/main.js`, 0o755);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    buildBinaries();
    buildModules();
  } catch (error) {
    console.error(`not built: ${error.message}`);
    process.exitCode = 1;
  }
}
