/**
 * The native rival: when it is built again, and what its figures are of.
 */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TICK } from '../../bench/feeder.js';
import { buildNative, timeNative } from '../../bench/rivals/native.js';
import { writeWorld } from '../../bench/rivals/world.js';
import { makeWorld } from '../../bench/scenario.js';

const folder = mkdtempSync(join(tmpdir(), 'ipvs-wasm-native-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('building', () => {
  // notes each call, and makes an empty binary
  const command = join(folder, 'cc');
  const log = join(folder, 'log');
  writeFileSync(
    command,
    `#!/bin/sh\necho call >> '${log}'\nwhile [ "$1" != -o ]; do shift; done\n: > "$2"\n[ "$3" = '${join(folder, 'rivals', 'native', 'main.c')}' ]\n`,
  );
  chmodSync(command, 0o755);
  const sources = join(folder, 'rivals', 'native');
  mkdirSync(sources, { recursive: true });
  writeFileSync(join(sources, 'main.c'), 'int main(void) { return 0; }\n');
  writeFileSync(join(sources, 'path.h'), '');
  const calls = (): number => readFileSync(log, 'utf8').split('\n').length - 1;
  const compiler = { command, version: 'cc 1' };

  it('happens once, and again after a change of sources, flags or compiler', () => {
    const binary = buildNative(folder, compiler, ['-O3']);
    expect(binary).toBe(join(folder, 'rivals', 'build', 'rival'));
    buildNative(folder, compiler, ['-O3']);
    expect(calls()).toBe(1);
    const changes: [string, () => unknown][] = [
      ['flags', () => buildNative(folder, compiler, ['-O2'])],
      ['version', () => buildNative(folder, { command, version: 'cc 2' }, ['-O2'])],
      [
        'sources',
        () => {
          appendFileSync(join(sources, 'path.h'), '/* more */\n');
          return buildNative(folder, { command, version: 'cc 2' }, ['-O2']);
        },
      ],
      [
        'no binary',
        () => {
          rmSync(binary!);
          return buildNative(folder, { command, version: 'cc 2' }, ['-O2']);
        },
      ],
    ];
    for (const [i, [what, build]] of changes.entries()) {
      build();
      expect(calls(), what).toBe(i + 2);
      buildNative(folder, { command, version: i === 0 ? 'cc 1' : 'cc 2' }, ['-O2']);
      expect(calls(), `${what}, unchanged`).toBe(i + 2);
    }
    expect(existsSync(binary!)).toBe(true);
  });

  it('that fails leaves nothing behind that counts as built', () => {
    const failing = { command: 'false', version: 'cc 3' };
    expect(() => buildNative(folder, failing, [])).toThrow('cannot build the native rival');
    expect(() => buildNative(folder, failing, [])).toThrow('cannot build the native rival');
  });
});

const native = buildNative(join(import.meta.dirname, '../../bench'));

describe.runIf(native)('timing', () => {
  it.each([
    ['nat-in', 1, '1'],
    ['nat-out', 256, '2'],
    ['dr', 32, '3'],
    ['ipip-encap', 256, '4'],
    ['ipip-decap', 256, '22'],
  ] as const)('%s, burst %i: every packet measured got what it should', (mode, burst, reason) => {
    const world = join(folder, mode);
    writeWorld(makeWorld({ mode, connections: 100 }), world);
    const { ns, copy, packets, passed, reasons } = timeNative(native!, world, 'path', burst, 0.1);
    expect(packets).toBeGreaterThan(100_000);
    expect(reasons).toEqual({ [reason]: packets });
    expect(passed / packets).toBeCloseTo(TICK, 8);
    expect(ns).not.toBeNaN();
    expect(copy).toBeGreaterThan(0);
  });
});
