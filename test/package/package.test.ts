/**
 * The package as its users get it: packed, installed elsewhere, and used as README.md says.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { install, pack } from '../../scripts/package.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');

/** The TypeScript and JavaScript blocks of README.md that import the package. */
function examples(): string[] {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const blocks = [...text.matchAll(/^```(?:ts|js|typescript|javascript)\n(.*?)^```/gms)].map(([, code]) => code ?? '');
  return blocks.filter((code) => /from 'ipvs-wasm/.test(code));
}

let folder = '';
let files: string[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ipvs-wasm-test-'));
  const packed = pack(folder);
  files = packed.files;
  install(packed.tarball, folder);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

describe('the tarball', () => {
  it('holds what runs, and nothing else', () => {
    expect(files.filter((file) => !/^dist\/.+\.(js|js\.map|d\.ts)$/.test(file))).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'build/debug.wasm',
      'build/release.wasm',
      'build/shared.wasm',
      'package.json',
    ]);
    expect(files).toEqual(expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'dist/cli/main.js']));
    expect(files.filter((file) => /test|bench|assembly/.test(file))).toEqual([]);
  });

  it('has the source of each module in its map', () => {
    const map = JSON.parse(readFileSync(join(folder, 'node_modules/ipvs-wasm/dist/index.js.map'), 'utf8'));
    expect(map.sourcesContent).toEqual([readFileSync(join(ROOT, 'src/index.ts'), 'utf8')]);
  });

  it('names no path of the machine that packed it', () => {
    const grep = ['-rlF', ROOT.replace(/\/$/, ''), 'node_modules/ipvs-wasm'];
    expect(() => run('grep', ...grep), 'grep found none').toThrow(expect.objectContaining({ status: 1 }));
  });
});

describe('the installed package', () => {
  it('balances in every binary, as the reference does', () => {
    copyFileSync(join(ROOT, 'test/package/smoke.mjs'), join(folder, 'smoke.mjs'));
    expect(run(process.execPath, 'smoke.mjs')).toMatch(/: ok\n$/);
  });

  it('has its command', () => {
    expect(run('node_modules/.bin/ipvs-wasm', '--help')).toMatch(/rewrite[\s\S]*explain[\s\S]*verify/);
  });

  it('runs the examples of README.md, which its types accept', () => {
    const sources = examples();
    expect(sources.length).toBeGreaterThan(0);
    mkdirSync(join(folder, 'examples'));
    const names = sources.map((_, index) => join('examples', `readme-${index + 1}.ts`));
    for (const [index, name] of names.entries()) writeFileSync(join(folder, name), sources[index] ?? '');
    const flags = '--module nodenext --target es2023 --lib es2023,esnext.disposable,dom --strict --outDir compiled';
    // Not skipLibCheck: the declarations must hold without our own packages of types.
    run(process.execPath, tsc, ...flags.split(' '), '--rootDir', '.', ...names);
    for (const name of names) run(process.execPath, join('compiled', name.replace(/\.ts$/, '.js')));
  });
});
