import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CaptureError, CaptureMerger, type MergeInput, mergeCaptures } from '../../src/capture/index.js';
import { blocks, describe as describeInterface, enhanced, option, pattern, pcap, section, text } from './bytes.js';
import { chunked } from './collect.js';

const NANO = 0xa1b23c4d;

const capture = (times: number[], mark: number, linkType = 1): Uint8Array =>
  pcap(
    true,
    NANO,
    times.map((time, i) => ({ seconds: Math.floor(time / 10), ticks: time % 10, data: [mark, i] })),
    { linkType },
  ).bytes;

/** Input and packet numbers in the order of the merger, and the error at the end. */
async function merged(inputs: MergeInput[]): Promise<{ order: [number, number][]; error?: CaptureError }> {
  const order: [number, number][] = [];
  try {
    for await (const { data } of mergeCaptures(inputs)) order.push([data[0]!, data[1]!]);
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    return { order, error };
  }
  return { order };
}

describe('mergeCaptures', () => {
  it('orders by time, and equal times as the captures were named', async () => {
    const { order } = await merged([
      { source: capture([10, 12, 12, 30], 0) },
      { source: capture([12, 30], 1) },
      { source: capture([5, 12, 31], 2) },
    ]);
    expect(order.map((pair) => pair.join('.'))).toEqual('2.0 0.0 0.1 0.2 1.0 2.1 0.3 1.1 2.2'.split(' '));
  });

  it('tells which interface, input and number a packet has', async () => {
    const packets = [];
    for await (const packet of mergeCaptures([
      { source: capture([1, 3], 0), name: 'cli' },
      { source: capture([2], 1, 101), name: 'srv' },
      { source: capture([4], 2), name: 'cli' },
    ])) {
      const { input, interfaceIndex, interfaceName, linkType, number, timestamp, offset } = packet;
      packets.push([input, interfaceIndex, interfaceName, linkType, number, timestamp, offset]);
    }
    expect(packets).toEqual([
      [0, 0, 'cli', 1, 1, 1n, 24],
      [1, 1, 'srv', 101, 1, 2n, 24],
      [0, 0, 'cli', 1, 2, 3n, 42],
      [2, 0, 'cli', 1, 1, 4n, 24],
    ]);
  });

  it('keeps the interfaces of a capture that was given no name', async () => {
    const { bytes } = blocks(
      section(true),
      describeInterface(true, [option(true, 2, text('eth1'))]),
      describeInterface(true),
      enhanced(true, { ticks: 1n, data: [1] }),
      enhanced(true, { id: 1, ticks: 2n, data: [2] }),
    );
    const names = [];
    for await (const { interfaceName } of mergeCaptures([{ source: bytes }])) names.push(interfaceName);
    expect(names).toEqual(['eth1', 'if1']);
  });

  it('is a stable merge, in whatever chunks the captures come', async () => {
    const times = fc.array(fc.nat({ max: 30 }), { maxLength: 12 }).map((list) => list.sort((a, b) => a - b));
    const chunk = fc.integer({ min: 1, max: 50 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(times, chunk), { minLength: 1, maxLength: 4 }), async (captures) => {
        const { order } = await merged(
          captures.map(([list, length], mark) => ({ source: chunked(capture(list, mark), [length]) })),
        );
        const expected = captures.flatMap(([list], mark) => list.map((time, i) => ({ time, pair: [mark, i] })));
        expected.sort((a, b) => a.time - b.time);
        expect(order).toEqual(expected.map(({ pair }) => pair));
      }),
      { numRuns: 1000 },
    );
  }, 60_000);

  it('keeps the order of a file whose times go back', async () => {
    const { order } = await merged([{ source: capture([10, 5, 20], 0) }, { source: capture([7, 15], 1) }]);
    expect(order.map((pair) => pair.join('.'))).toEqual('1.0 0.0 0.1 1.1 0.2'.split(' '));
  });

  it('ends a damaged capture at its damage and goes on with the others, then names file and place', async () => {
    const cut = capture([10, 20, 30], 0).slice(0, -1);
    const { order, error } = await merged([{ source: cut, file: 'a.pcap' }, { source: capture([1, 15, 20, 40], 1) }]);
    expect(order.map((pair) => pair.join('.'))).toEqual('1.0 0.0 1.1 0.1 1.2 1.3'.split(' '));
    expect(error).toMatchObject({ file: 'a.pcap', packet: 2, offset: 60 });
  });

  it('tells the damage of each capture, also of what packets say beside their bytes', async () => {
    const badFlags = [option(true, 2, [1, 0])];
    const { bytes } = blocks(
      section(true),
      describeInterface(true),
      enhanced(true, { ticks: 1_500_000n, data: [0, 0] }),
      enhanced(true, { ticks: 2_500_000n, data: [0, 1], options: badFlags }),
      enhanced(true, { ticks: 2_600_000n, data: [0, 2] }),
    );
    const corrupt = capture([10, 20, 30], 1);
    new DataView(corrupt.buffer).setUint32(24 + 18 + 8, 0x7fffffff, true);
    const inputs = [
      { source: bytes, file: 'a' },
      { source: corrupt, file: 'b' },
      { source: capture([10, 40], 2), file: 'c' },
    ];
    const { order, error } = await merged(inputs);
    expect(order.map((pair) => pair.join('.'))).toEqual('1.0 2.0 0.0 2.1'.split(' '));
    expect(error).toMatchObject({ file: 'b', packet: 1, offset: 42 });

    const merger = await CaptureMerger.open(inputs.slice(1));
    let packets = 0;
    await expect(async () => {
      do while (merger.next()) packets++;
      while (await merger.fill());
    }).rejects.toBe(merger.damages[0]);
    await merger.close();
    expect(packets).toBe(3);
    expect(merger.damages).toMatchObject([{ file: 'b', packet: 1 }]);
  });

  it('closes every capture, also when one does not open', async () => {
    const closed: number[] = [];
    const source = (mark: number, bytes: Uint8Array): AsyncIterable<Uint8Array> => ({
      async *[Symbol.asyncIterator]() {
        try {
          yield bytes;
        } finally {
          closed.push(mark);
        }
      },
    });
    const good = capture([1, 2], 0);
    await expect(
      merged([{ source: source(0, good) }, { source: source(1, text('no capture')) }]),
    ).resolves.toMatchObject({ order: [], error: { packet: 0 } });
    expect(closed.sort()).toEqual([0, 1]);
    for await (const _ of mergeCaptures([{ source: source(2, good) }, { source: source(3, good) }])) break;
    expect(closed.sort()).toEqual([0, 1, 2, 3]);
    await expect(merged([])).rejects.toThrow(RangeError);
  });
});

describe('CaptureMerger', () => {
  it('scans in windows of the caller, which may be shared memory', async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const times = Array.from({ length: 500 }, (_, i) => i);
    const inputs = [0, 1].map((mark) => ({
      source: pcap(
        true,
        NANO,
        times.map((time) => ({ seconds: time, ticks: 0, data: pattern(60, mark) })),
      ).bytes,
      window: new Uint8Array(memory.buffer, mark * 1000, 1000),
    }));
    const merger = await CaptureMerger.open(inputs);
    const seen: string[] = [];
    do {
      while (merger.next()) {
        const { scanner } = merger;
        expect(scanner.buffer.buffer).toBe(memory.buffer);
        expect(Array.from(scanner.data)).toEqual(pattern(60, merger.input));
        seen.push(`${scanner.millis}/${merger.input}`);
      }
    } while (await merger.fill());
    await merger.close();
    expect(seen).toEqual(times.flatMap((time) => [`${time * 1000}/0`, `${time * 1000}/1`]));
    expect(merger.interfaces).toEqual([{ index: 0, name: 'if0', linkType: 1, snaplen: 262144 }]);
  });
});
