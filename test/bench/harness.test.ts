/**
 * The harness of the benchmarks: figures, copying, options, tables.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copier } from '../../bench/copier.js';
import { Feeder, HEADROOM, ownMemory, SLOT_BYTES } from '../../bench/feeder.js';
import { type Contender, compare, inProcess, median } from '../../bench/harness.js';
import { readOptions } from '../../bench/options.js';
import { client, frameOf, layOut, shuffled } from '../../bench/scenario.js';
import { table } from '../../bench/table.js';

/** A contender with given figures, which notes when it is asked. */
function scripted(name: string, figures: number[], log: string[]): Contender {
  const left = [...figures];
  return {
    name,
    measure() {
      log.push(name);
      return { ns: left.shift()!, outside: 2, rme: undefined };
    },
  };
}

describe('compare', () => {
  it('takes contenders in turn, and the middle of the rounds', () => {
    const log: string[] = [];
    const [a, b] = compare([scripted('a', [10, 90, 20], log), scripted('b', [4, 4, 5], log)], 3, 1);
    expect(log).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
    expect(a).toMatchObject({ name: 'a', ns: 20, spread: 100, outside: 2, rounds: [10, 90, 20], rme: undefined });
    expect(b).toMatchObject({ ns: 4, spread: 6.25 });
  });

  it('has the mean of the two in the middle of an even number', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});

describe('inProcess', () => {
  it('runs the work and, apart, what is left out; after what comes before', () => {
    const calls: string[] = [];
    const note = (call: string) => (): void => {
      if (calls.at(-1) !== call) calls.push(call);
    };
    const contender = inProcess('one', 10, note('work'), note('outside'), note('before'));
    const { ns, outside, rme } = contender.measure(0.02);
    expect(calls).toEqual(['before', 'work', 'outside']);
    expect(outside).toBeGreaterThan(0);
    expect(Number.isFinite(ns) && Number.isFinite(rme)).toBe(true);
  });

  it('throws what the work throws', () => {
    const failing = (): void => {
      throw new RangeError('no');
    };
    expect(() => inProcess('one', 1, failing).measure(0.01)).toThrow('no');
  });
});

describe('copier', () => {
  it('copies whole blocks to their slots, and nothing else', () => {
    const sizes = fc.record({
      blocks: fc.integer({ min: 1, max: 4 }),
      gap: fc.nat(5),
      count: fc.integer({ min: 1, max: 9 }),
    });
    const memory = new WebAssembly.Memory({ initial: 1 });
    const copy = copier(memory);
    const property = fc.property(sizes, fc.nat(40), ({ blocks, gap, count }, from) => {
      const bytes = new Uint8Array(memory.buffer).fill(0xa5);
      const stride = blocks * 16;
      const slot = stride + gap;
      for (let i = 0; i < stride * count; i++) bytes[from + i] = i % 251;
      const expected = bytes.slice();
      for (let i = 0; i < count; i++) {
        expected.copyWithin(4096 + i * slot, from + i * stride, from + (i + 1) * stride);
      }
      copy(from, 4096, stride, slot, count);
      expect(Buffer.compare(bytes, expected)).toBe(0);
    });
    fc.assert(property, { numRuns: 300, verbose: 1 });
  });
});

describe('feeder', () => {
  it('gives the frames in turn, and begins anew where a burst does not fit any more', () => {
    const arrivals = Array.from({ length: 5 }, (_, n) => frameOf('nat-in', n, { payload: 10 }));
    const frames = layOut(arrivals, 5, 64);
    const memory = ownMemory(frames);
    const feeder = new Feeder(frames, memory);
    const seen = (slot: number): number => {
      const frame = new Uint8Array(memory.buffer, HEADROOM + slot * SLOT_BYTES, 64);
      return arrivals.findIndex(({ frame: one }) => Buffer.compare(one, frame) === 0);
    };
    feeder.feed(2);
    expect([seen(0), seen(1), seen(2)]).toEqual([0, 1, -1]);
    feeder.feed(3);
    expect([seen(0), seen(1), seen(2)]).toEqual([2, 3, 4]);
    feeder.feed(2);
    expect([seen(0), seen(1)]).toEqual([0, 1]);
  });
});

describe('scenario', () => {
  it('has a client of its own for each flow', () => {
    const names = Array.from({ length: 3000 }, (_, n) => `${client(n * 331).address}:${client(n * 331).port}`);
    expect(new Set(names).size).toBe(3000);
    expect(client(999_999)).toEqual({ address: '172.31.66.63', port: 1024 + ((999_999 * 40_503) & 0x7fff) });
  });

  it('takes each flow once, in an order that does not change', () => {
    const order = shuffled(1000);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(order).toEqual(shuffled(1000));
    expect([...order.slice(0, 3)]).not.toEqual([0, 1, 2]);
  });
});

describe('options', () => {
  it('reads lists and numbers', () => {
    const options = readOptions(['--only', 'nat,dr', '--only=ipip', '--connections', '10,20', '--burst=32', '--json']);
    expect(options).toMatchObject({
      only: ['nat', 'dr', 'ipip'],
      connections: [10, 20],
      bursts: [32],
      json: true,
      quick: false,
    });
  });

  it.each([
    ['--burst', '257'],
    ['--burst', '0'],
    ['--connections', '2000000'],
    ['--rounds', 'x'],
    ['--frobnicate', '1'],
  ])('refuses %s %s', (...words) => {
    expect(() => readOptions(words)).toThrow();
  });
});

describe('table', () => {
  it('gives each contender its ratio to the library', () => {
    const figure = (name: string, ns: number, outside: number) => ({
      name,
      ns,
      spread: 3.4,
      outside,
      rme: 1,
      rounds: [ns],
    });
    const figures = [figure('ipvs-wasm', 50, 4), figure('native C', 25, 3), figure('Map', 5432.1, 0)];
    expect(table({ suite: 'nat', task: 'nat-in', item: 'packet', figures })).toBe(
      [
        'nat: nat-in',
        '                 ns/packet                ratio   outside',
        '  ipvs-wasm           50.0    ± 3 %                  4.00',
        '  native C            25.0    ± 3 %      0.50 ×      3.00',
        '  Map                5,432    ± 3 %    108.64 ×',
        '',
      ].join('\n'),
    );
  });
});
