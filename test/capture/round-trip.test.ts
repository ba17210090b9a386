import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PacketOptions, PcapngWriter, PcapWriter } from '../../src/capture/index.js';
import { ascending, blocks, describe as describeInterface, enhanced, option, pcap, section, text } from './bytes.js';
import { chunked, collect } from './collect.js';

interface Packet {
  seconds: number;
  nanoseconds: number;
  data: Uint8Array;
  cutOff: number;
  /** Where the frame lies in the buffer it is written from. */
  before: number;
  interfaceIndex: number;
  options: PacketOptions | undefined;
}

const options: fc.Arbitrary<PacketOptions> = fc.record(
  {
    comments: fc.array(fc.string({ unit: 'grapheme', maxLength: 20 }), { maxLength: 3 }),
    packetId: fc.oneof(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.maxSafeNat()),
    direction: fc.constantFrom('inbound', 'outbound'),
    queue: fc.nat({ max: 0xffffffff }),
  },
  { requiredKeys: [] },
);

const packet: fc.Arbitrary<Packet> = fc.record({
  seconds: fc.oneof(fc.nat({ max: 0xffffffff }), fc.constantFrom(0, 1, 0xffff, 0x10000, 1_700_000_000, 0xffffffff)),
  nanoseconds: fc.oneof(fc.nat({ max: 999_999_999 }), fc.constantFrom(0, 999, 1000, 999_999_999)),
  data: fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.nat({ max: 700 }).map((length) => Uint8Array.from({ length }, (_, i) => (i * 37) ^ length)),
  ),
  cutOff: fc.nat({ max: 2000 }),
  before: fc.nat({ max: 9 }),
  interfaceIndex: fc.nat({ max: 1 }),
  options: fc.option(options, { nil: undefined }),
});

const file = fc.record({
  packets: fc.array(packet, { maxLength: 8 }),
  precision: fc.constantFrom<6 | 9>(6, 9),
  chunkLength: fc.integer({ min: 1, max: 3000 }),
  readChunks: fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 4 }),
});

const WRITERS = { pcap: PcapWriter, pcapng: PcapngWriter };

/** Writes the packets from memory with rubbish around them; returns the chunks joined. */
function write(format: 'pcap' | 'pcapng', packets: Packet[], precision: 6 | 9, chunkLength: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  const writer = new WRITERS[format](
    (chunk) => {
      chunks.push(chunk.slice());
      // A sink's chunk is the writer's again on return: rubbish in it must not come out.
      chunk.fill(0xa5);
    },
    { precision, chunkLength },
  );
  writer.addInterface({ name: 'in', linkType: 1 });
  writer.addInterface({ name: 'out äß', linkType: 1 });
  for (const { seconds, nanoseconds, data, cutOff, before, interfaceIndex, options } of packets) {
    const memory = new Uint8Array(before + data.length + 16).fill(0x5a);
    const buffer = memory.subarray(before >> 1);
    const start = before - (before >> 1);
    buffer.set(data, start);
    const end = start + data.length;
    writer.write(seconds, nanoseconds, buffer, start, end, data.length + cutOff, interfaceIndex, options);
  }
  writer.flushSync();
  return new Uint8Array(Buffer.concat(chunks));
}

/** The same capture, byte by byte, without the writer. */
function build(format: 'pcap' | 'pcapng', packets: Packet[], precision: 6 | 9): Uint8Array {
  const ticks = (nanoseconds: number): number => (precision === 9 ? nanoseconds : Math.floor(nanoseconds / 1000));
  if (format === 'pcap') {
    const records = packets.map(({ seconds, nanoseconds, data, cutOff }) => ({
      seconds,
      ticks: ticks(nanoseconds),
      data,
      original: data.length + cutOff,
    }));
    return pcap(true, precision === 9 ? 0xa1b23c4d : 0xa1b2c3d4, records).bytes;
  }
  const resolution = option(true, 9, [precision]);
  const end = option(true, 0, []);
  return blocks(
    section(true),
    describeInterface(true, [option(true, 2, text('in')), resolution, end], 1, 262144),
    describeInterface(true, [option(true, 2, text('out äß')), resolution, end], 1, 262144),
    ...packets.map(({ seconds, nanoseconds, data, cutOff, interfaceIndex, options = {} }) => {
      const { comments = [], direction, packetId, queue } = options;
      const list = comments.map((comment) => option(true, 1, text(comment)));
      if (direction !== undefined) list.push(option(true, 2, ascending(direction === 'inbound' ? 1 : 2, 4)));
      if (packetId !== undefined) list.push(option(true, 5, ascending(packetId, 8)));
      if (queue !== undefined) list.push(option(true, 6, ascending(queue, 4)));
      if (list.length > 0) list.push(end);
      const time = BigInt(seconds) * 10n ** BigInt(precision) + BigInt(ticks(nanoseconds));
      return enhanced(true, {
        id: interfaceIndex,
        ticks: time,
        data,
        original: data.length + cutOff,
        options: list,
      });
    }),
  ).bytes;
}

describe.each(['pcap', 'pcapng'] as const)('%s', { timeout: 60_000 }, (format) => {
  it('writes the bytes of a capture built by hand, in whatever chunks', () => {
    fc.assert(
      fc.property(file, ({ packets, precision, chunkLength }) => {
        const written = write(format, packets, precision, chunkLength);
        const built = build(format, packets, precision);
        // toEqual compares slowly; it is here for its message.
        if (Buffer.compare(written, built) !== 0) expect(written).toEqual(built);
      }),
      { numRuns: 1000 },
    );
  });

  it('reads back what was written, in whatever chunks', async () => {
    await fc.assert(
      fc.asyncProperty(file, async ({ packets, precision, chunkLength, readChunks }) => {
        const bytes = write(format, packets, precision, chunkLength);
        const { packets: read, error } = await collect(chunked(bytes, readChunks));
        expect(error).toBeUndefined();
        expect(read.map(({ offset: _, ...rest }) => rest)).toEqual(
          packets.map(({ seconds, nanoseconds, data, cutOff, interfaceIndex, options = {} }, i) => {
            const rest = precision === 9 ? nanoseconds : nanoseconds - (nanoseconds % 1000);
            const { packetId } = options;
            const ng = format === 'pcapng';
            return {
              timestamp: BigInt(seconds) * 1_000_000_000n + BigInt(rest),
              data,
              originalLength: data.length + cutOff,
              interfaceIndex: ng ? interfaceIndex : 0,
              interfaceName: ng ? ['in', 'out äß'][interfaceIndex] : undefined,
              linkType: 1,
              number: i + 1,
              comments: ng ? (options.comments ?? []) : [],
              packetId: ng && packetId !== undefined ? BigInt(packetId) : undefined,
              direction: ng ? options.direction : undefined,
              queue: ng ? options.queue : undefined,
            };
          }),
        );
      }),
      { numRuns: 1000 },
    );
  });
});
