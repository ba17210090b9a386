import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createScanner } from '../../src/capture/index.js';
import { PCAP_HEADER_LENGTH } from '../../src/capture/pcap-reader.js';
import {
  block,
  blocks,
  describe as describeInterface,
  enhanced,
  obsolete,
  option,
  pattern,
  pcap,
  section,
  simple,
  text,
} from './bytes.js';
import { chunked, collect } from './collect.js';

const RECORDS = [
  { seconds: 1, ticks: 2, data: pattern(5) },
  { seconds: 2, ticks: 3, data: [] },
  { seconds: 3, ticks: 4, data: pattern(40), original: 90 },
];

interface Sample {
  name: string;
  bytes: Uint8Array;
  /** Where records, or blocks, begin, and the end. */
  offsets: number[];
  /** How many packets lie before each of them. */
  packets: number[];
}

function classic(name: string, little: boolean, magic: number): Sample {
  const { bytes, offsets } = pcap(little, magic, RECORDS);
  return { name, bytes, offsets, packets: offsets.map((_, i) => i) };
}

function sections(name: string, little: boolean): Sample {
  const comment = [option(little, 1, text('why')), option(little, 0, [])];
  const parts: [Uint8Array, number][] = [
    [section(little), 0],
    [describeInterface(little, [option(little, 2, text('eth0')), option(little, 9, [9])]), 0],
    [enhanced(little, { ticks: 5n, data: pattern(6), options: comment }), 1],
    [block(little, 0xbad, (b) => b.raw(pattern(30))), 0],
    [simple(little, 7, pattern(7)), 1],
    [section(!little), 0],
    [describeInterface(!little), 0],
    [obsolete(!little, 0, 9n, pattern(3)), 1],
    [enhanced(!little, { ticks: 5n, data: pattern(8) }), 1],
  ];
  const { bytes, offsets } = blocks(...parts.map(([part]) => part));
  const packets = offsets.map((_, i) => parts.slice(0, i).reduce((sum, [, count]) => sum + count, 0));
  return { name, bytes, offsets, packets };
}

const SAMPLES = [
  classic('pcap, microseconds, little-endian', true, 0xa1b2c3d4),
  classic('pcap, microseconds, big-endian', false, 0xa1b2c3d4),
  classic('pcap, nanoseconds, little-endian', true, 0xa1b23c4d),
  classic('pcap, nanoseconds, big-endian', false, 0xa1b23c4d),
  sections('pcapng, little-endian first', true),
  sections('pcapng, big-endian first', false),
];

const chunkLengths = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 4 });

describe.each(SAMPLES)('$name', { timeout: 60_000 }, ({ bytes, offsets, packets }) => {
  it('cut off at any byte: everything before, then the place', async () => {
    const whole = await collect(bytes);
    expect(whole.error).toBeUndefined();
    expect(whole.packets).toHaveLength(packets.at(-1)!);
    for (let length = 0; length <= bytes.length; length++) {
      const cut = await collect(chunked(bytes.slice(0, length), [37]));
      // The last record that begins within what is left, or the file header.
      const last = offsets.findLastIndex((offset) => offset <= length);
      const before = last < 0 ? 0 : packets[last]!;
      expect(cut.packets, `${length} bytes`).toEqual(whole.packets.slice(0, before));
      const clean = length > 0 && offsets[last] === length;
      if (clean) expect(cut.error, `${length} bytes`).toBeUndefined();
      else expect(cut.error, `${length} bytes`).toMatchObject({ offset: offsets[last] ?? 0, packet: before });
    }
  });

  it('with bytes changed, lost or added: only ever a CaptureError, which counts the packets before it', async () => {
    const edit = fc.tuple(fc.constantFrom('set', 'delete', 'insert'), fc.nat(), fc.nat({ max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 6 }), chunkLengths, async (edits, lengths) => {
        const changed = Array.from(bytes);
        for (const [kind, place, value] of edits) {
          const at = place % changed.length;
          if (kind === 'set') changed[at] = value;
          else changed.splice(at, kind === 'delete' ? 1 : 0, ...(kind === 'insert' ? [value] : []));
        }
        const { packets, error } = await collect(chunked(Uint8Array.from(changed), lengths));
        for (const { data, offset } of packets) expect(offset + data.length).toBeLessThanOrEqual(changed.length);
        if (error === undefined) return;
        expect(error.packet).toBe(packets.length);
        expect(error.offset).toBeLessThanOrEqual(changed.length);
        expect(error.message).toContain(`at byte ${error.offset}, `);
        // What is before the damage is a whole capture of the same packets, unless that is in the file's header.
        if (error.offset < PCAP_HEADER_LENGTH) return;
        const kept = await collect(Uint8Array.from(changed.slice(0, error.offset)));
        expect(kept).toEqual({ packets, error: undefined });
      }),
      { numRuns: 1000 },
    );
  });

  it('gives the same in whatever chunks it comes', async () => {
    const whole = await collect(bytes);
    await fc.assert(
      fc.asyncProperty(chunkLengths, async (lengths) => {
        expect(await collect(chunked(bytes, lengths))).toEqual(whole);
      }),
      { numRuns: 1000 },
    );
  });

  it('packed with gzip and cut off at any byte: a part of the packets, then an error', async () => {
    const whole = await collect(bytes);
    const packed = gzipSync(bytes);
    expect(await collect(packed)).toEqual(whole);
    for (let length = 0; length < packed.length; length++) {
      const { packets, error } = await collect(packed.slice(0, length));
      expect(error, `${length} bytes`).toBeDefined();
      expect(error!.packet).toBe(packets.length);
      expect(packets).toEqual(whole.packets.slice(0, packets.length));
    }
    const late = await collect(packed.slice(0, packed.length - 8));
    expect(late.packets).toEqual(whole.packets);
    expect(late.error!.detail).toBe('gzip: unexpected end of file');
  });
});

describe('any bytes', { timeout: 60_000 }, () => {
  it('begin with a magic number and go on anyhow: only ever a CaptureError', async () => {
    const head = fc.constantFrom(...SAMPLES.map(({ bytes }) => Array.from(bytes.slice(0, 28))), [0x1f, 0x8b, 8], []);
    await fc.assert(
      fc.asyncProperty(head, fc.uint8Array({ maxLength: 300 }), chunkLengths, async (start, rest, lengths) => {
        const { packets, error } = await collect(chunked(Uint8Array.from([...start, ...rest]), lengths));
        if (error !== undefined) expect(error.packet).toBe(packets.length);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('errors', () => {
  it('name the file, the byte and the packet', async () => {
    const { bytes, offsets } = SAMPLES[0]!;
    const { error } = await collect(bytes.slice(0, -1), { file: 'x.pcap' });
    expect(error!.message).toBe(`x.pcap: at byte ${offsets[2]}, after packet 2: the file ends 55 bytes into a record`);
    expect(error).toMatchObject({ name: 'IpvsError', code: 'BAD_CAPTURE', file: 'x.pcap' });
  });

  it('of what is no capture name its magic', async () => {
    expect((await collect(text('GIF89a'))).error!.message).toBe(
      'capture: at byte 0, before the first packet: magic number 0x47494638 is not that of a capture',
    );
    expect((await collect(new Uint8Array(0))).error!.detail).toBe('the file ends 0 bytes into its header');
  });

  it('stay where they are when one goes on asking', () => {
    const { bytes } = pcap(true, 0xa1b2c3d4, RECORDS);
    new DataView(bytes.buffer).setUint32(45 + 8, 0x7fffffff, true);
    const scanner = createScanner(bytes);
    scanner.push(bytes);
    expect(scanner.next()).toBe(true);
    expect(() => scanner.next()).toThrow('at byte 45, after packet 1');
    expect(() => scanner.next()).toThrow('at byte 45, after packet 1');
  });
});
