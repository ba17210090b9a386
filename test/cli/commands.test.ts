import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Io, wantsColor } from '../../src/cli/io.js';
import { run, runWith, scenarioWords } from './support.js';

describe('the command line', () => {
  test('prints its version', async () => {
    const manifest = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8');
    const { version } = JSON.parse(manifest) as { version: string };
    expect(await run('--version')).toEqual({ code: 0, out: `ipvs-wasm ${version}\n`, err: '' });
  });

  test('prints an overview with every command and exit code', async () => {
    const { code, out, err } = await run('--help');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const word of ['rewrite', 'explain', 'verify', 'demo', 'Exit codes']) expect(out).toContain(word);
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    // Without any word it is a message, not data.
    expect(await run()).toEqual({ code: 2, out: '', err: out });
  });

  test('documents every exit code', async () => {
    const { out } = await run('--help');
    for (const code of [0, 1, 2, 70, 130]) expect(out).toMatch(new RegExp(`^ {2}${code} +[a-z]`, 'm'));
    for (const command of ['rewrite', 'explain']) expect((await run(command, '--help')).out).toMatch(/70 a\sdefect/);
  });

  test.each([
    ['rewrit', "unknown command 'rewrit': see ipvs-wasm --help"],
    ['toString', "unknown command 'toString': see ipvs-wasm --help"],
    ['--verbose', "unknown option '--verbose': see ipvs-wasm --help"],
  ])('refuses %s', async (word, message) => {
    expect(await run(word)).toEqual({ code: 2, out: '', err: `ipvs-wasm: ${message}\n` });
  });

  test('says nothing when the reader of its output has gone', async () => {
    const { folder, words } = scenarioWords('nat-tcp');
    const gone: Partial<Io> = {
      out: () => {
        throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' });
      },
    };
    const { code, err } = await runWith(gone, 'rewrite', ...words, '-o', join(folder, 'o.pcap'));
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  test('shows the stack of a defect, and only of that', async () => {
    const broken: Partial<Io> = {
      out: () => {
        throw new Error('that should not be');
      },
    };
    const { code, err } = await runWith(broken, '--version');
    expect(code).toBe(70);
    expect(err).toMatch(/defect[^\n]*\nError: that should not be\n +at /);
  });
});

test.each([
  [{}, true, true],
  [{}, false, false],
  [{ NO_COLOR: '1' }, true, false],
  [{ NO_COLOR: '' }, true, true],
  [{ FORCE_COLOR: '1' }, false, true],
  [{ FORCE_COLOR: '0' }, true, false],
  [{ NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
  [{ TERM: 'dumb' }, true, false],
])('colour with %j on a terminal %s: %s', (env, terminal, expected) => {
  expect(wantsColor(env, terminal)).toBe(expected);
});
