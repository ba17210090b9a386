/**
 * Checks the package as its users get it: packs it, and holds publint, are-the-types-wrong and knip to it.
 *
 * `node scripts/package.mjs` says what is wrong, and exits with 1 when something is.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Packs into `folder`; gives the path of the tarball and the files in it. */
export function pack(folder) {
  const text = execFileSync('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [{ filename, files }] = JSON.parse(text);
  return { tarball: join(folder, filename), files: files.map(({ path }) => path).sort() };
}

/** Installs a tarball into `folder`, with the loader from node_modules: nothing is fetched. */
export function install(tarball, folder) {
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  const loader = join(ROOT, 'node_modules/@assemblyscript/loader');
  const flags = ['--offline', '--install-links', '--no-audit', '--no-fund', '--loglevel', 'error'];
  execFileSync('npm', ['install', ...flags, tarball, loader], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Runs a tool of node_modules; whether it found nothing. What it says is shown when it found something. */
function passes(tool, ...args) {
  const { status, stdout, stderr } = spawnSync(join(ROOT, 'node_modules/.bin', tool), args, {
    cwd: ROOT,
    encoding: 'utf8',
  });
  console.log(`${tool}: ${status === 0 ? 'passed' : `failed\n${stdout}${stderr}`}`);
  return status === 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), 'ipvs-wasm-package-'));
  try {
    const { tarball } = pack(folder);
    const results = [
      passes('publint', 'run', tarball, '--strict'),
      // A binary has no types.
      passes('attw', tarball, '--profile', 'esm-only', '--exclude-entrypoints', 'core.wasm'),
      passes('knip', '--no-progress'),
    ];
    if (results.includes(false)) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
