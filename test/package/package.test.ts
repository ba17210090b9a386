/**
 * The package as its users get it: packed, installed elsewhere, and used as README.md says.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { install, pack } from '../../scripts/package.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const TSC_FLAGS = '--strict --module nodenext --target es2023 --lib es2023,esnext.disposable,dom'.split(' ');

/** A program of README.md, and what its comments say that it prints. */
interface Example {
  typed: boolean;
  code: string;
  prints: string[];
}

/** The blocks of README.md that import the package, each with those after it that go on without an import. */
function examples(): Example[] {
  const found: Example[] = [];
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  for (const [, language, code = ''] of text.matchAll(/^```(ts|js)\n(.*?)^```/gms)) {
    if (/^import /m.test(code)) found.push({ typed: language === 'ts', code: '', prints: [] });
    const example = found.at(-1);
    if (example === undefined) throw new Error('README.md: the first block of code imports nothing');
    example.code += code;
    example.prints.push(...[...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, said = '']) => said));
  }
  return found;
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
    expect(files.filter((file) => !/^(dist\/.+\.(js|js\.map|d\.ts)|docs\/.+\.md|examples\/.+)$/.test(file))).toEqual([
      'ARCHITECTURE.md',
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'build/debug.wasm',
      'build/release.wasm',
      'build/shared.wasm',
      'package.json',
    ]);
    expect(files).toEqual(expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'dist/cli/main.js']));
    expect(files.filter((file) => /(^|\/)(test|bench|assembly)\//.test(file))).toEqual([]);
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

  it('has its command, and offers what works', () => {
    const help = run('node_modules/.bin/ipvs-wasm', '--help');
    expect(help).toMatch(/rewrite[\s\S]*explain[\s\S]*verify/);
    expect(help).not.toMatch(/demo/);
  });

  it('does what the examples of README.md say', () => {
    const all = examples();
    expect(all.length).toBeGreaterThan(0);
    for (const [index, { typed, code, prints }] of all.entries()) {
      const name = `readme-${index + 1}.${typed ? 'ts' : 'js'}`;
      writeFileSync(join(folder, name), code);
      if (typed) run(process.execPath, TSC, ...TSC_FLAGS, name);
      expect(run(process.execPath, name.replace(/ts$/, 'js')), name).toBe(prints.map((line) => `${line}\n`).join(''));
    }
  });

  it('has declarations that hold without our own types of Node and browsers', () => {
    const entries = ['ipvs-wasm', 'ipvs-wasm/reference', 'ipvs-wasm/capture', 'ipvs-wasm/rules', 'ipvs-wasm/toa'];
    writeFileSync(join(folder, 'types.ts'), entries.map((entry) => `export type * from '${entry}';\n`).join(''));
    // What a user has who says no word about libraries, and one who has neither browsers nor disposables declared.
    const plain = '--strict --noEmit --module nodenext --target es2022'.split(' ');
    for (const flags of [plain, [...plain, '--lib', 'es2022']]) run(process.execPath, TSC, ...flags, 'types.ts');
  });
});
