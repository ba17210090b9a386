/**
 * Contenders do all of the work that is measured, or no figure comes of it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fullLoops, laidBytes, layInto, updateLoops } from '../../bench/contenders/checksum.js';
import { assertReasons, held, type Tally } from '../../bench/contenders/held.js';
import { type ForBurst, map, native, ours, reference, typedArrays } from '../../bench/contenders/path.js';
import { buildNative } from '../../bench/rivals/native.js';
import { type World, writeWorld } from '../../bench/rivals/world.js';
import { frameOf, type Mode, makeFrames, makeWorld, type Scenario } from '../../bench/scenario.js';
import type { TestingExports } from '../../bench/testing.js';
import { innerCore, swap16 } from '../support/core.js';

const FLOWS = 100;
const folder = mkdtempSync(join(tmpdir(), 'ipvs-wasm-contenders-'));
afterAll(() => rmSync(folder, { recursive: true }));

const binary = buildNative(join(import.meta.dirname, '../../bench'));
const contenders: Record<string, (scenario: Scenario, world: World) => ForBurst> = {
  'ipvs-wasm': (scenario, { frames }) => ours(scenario, frames).core,
  "  with the host's part": (scenario, { frames }) => ours(scenario, frames).host,
  'typed arrays': (scenario, world) => typedArrays(scenario, world, false),
  'typed arrays, staged': (scenario, world) => typedArrays(scenario, world, true),
  Map: map,
  reference: (scenario, { frames }) => reference(scenario, frames),
};
if (binary !== undefined) {
  contenders['native C'] = (scenario, world) => {
    const file = join(folder, 'world');
    writeWorld(world, file);
    return native(scenario, binary, file);
  };
}

describe.each(Object.entries(contenders))('%s', (name, make) => {
  it.each<Mode>(['nat-in', 'nat-out', 'dr', 'ipip-encap', 'ipip-decap'])('%s: does what is measured', (mode) => {
    const scenario = { mode, connections: FLOWS };
    const contender = make(scenario, makeWorld(scenario))(32);
    expect(contender.name).toBe(name);
    expect(contender.measure(0.02).outside).toBeGreaterThan(0);
    expect(contender.measure(0.02).outside).toBeGreaterThan(0);
  });

  it('is refused when some packets belong to no connection', () => {
    const scenario = { mode: 'nat-in', connections: FLOWS } as const;
    const world = makeWorld(scenario, makeFrames({ ...scenario, connections: FLOWS + 1 }));
    expect(() => make(scenario, world)(32).measure(0.05)).toThrow(/expected all \d+ packets to be forwarded, got \d+/);
  });
});

describe('held', () => {
  const scenario = { mode: 'ipip-decap', connections: 1 } as const;
  const measured = (given: number, right: number) => {
    const tally: Tally = { given: 7, right: 3 };
    const contender = {
      name: 'one',
      measure() {
        tally.given += given;
        tally.right += right;
        return { ns: 5, outside: 1, rme: undefined };
      },
    };
    return held(contender, scenario, () => ({ ...tally })).measure(1);
  };

  it('lets figures through when all packets since the measurement began were right', () => {
    expect(measured(10, 10)).toEqual({ ns: 5, outside: 1, rme: undefined });
  });

  it.each([
    [10, 9],
    [10, 0],
    [10, 11],
    [0, 0],
  ])('refuses them when of %i given %i were right', (given, right) => {
    expect(() => measured(given, right)).toThrow(`expected all ${given} packets to be decapsulated, got ${right}`);
  });

  it('names the reasons that the native rival gave', () => {
    expect(() => assertReasons('native C', scenario, 10, { 22: 10 })).not.toThrow();
    expect(() => assertReasons('native C', scenario, 10, { 22: 8, 32: 2 })).toThrow('reasons: {"22":8,"32":2}');
    expect(() => assertReasons('native C', scenario, 10, {})).toThrow('got 0');
  });
});

describe('checksum', () => {
  const HELD = 0x8000;
  const COUNT = 5;

  /** The loops' results in network order, by name. */
  function results(loops: ReturnType<typeof fullLoops>): [string, number][] {
    return loops.map(({ name, loaded, run }) => [name, loaded ? swap16(run()) : run()]);
  }

  function laid(length: number) {
    const { call, bytes } = innerCore();
    expect(HELD + laidBytes(COUNT, length)).toBeLessThan(bytes.length);
    const frames = Array.from({ length: COUNT }, (_, n) => frameOf('nat-in', n * 7, { payload: length - 54 }).frame);
    return layInto(call as unknown as TestingExports, bytes.buffer as ArrayBuffer, HELD, frames);
  }

  it.each([64, 65, 576, 1499, 9000])('full, %i bytes: all come to the same', (length) => {
    const all = results(fullLoops(laid(length)));
    const [, expected] = all.find(([name]) => name === 'reference')!;
    expect(expected).not.toBe(0);
    expect(all).toEqual(all.map(([name]) => [name, expected]));
  });

  it('incremental: all come to what the frames of another server carry', () => {
    const { dests } = makeWorld({ mode: 'nat-in', connections: 1 });
    for (const dest of dests) {
      const all = results(updateLoops(laid(64), dest));
      const [, expected] = all.find(([name]) => name === 'DataView, summed anew')!;
      expect(expected).not.toBe(0);
      expect(all).toEqual(all.map(([name]) => [name, expected]));
    }
  });
});
