/** Builds the package: the binaries (build/*.wasm), then TypeScript to dist/. */
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const run = (...args) => execFileSync(process.execPath, args, { stdio: 'inherit' });

run('scripts/build-wasm.mjs');
rmSync('dist', { recursive: true, force: true });
run('node_modules/typescript/bin/tsc', '-p', '.');
chmodSync('dist/cli/main.js', 0o755);
