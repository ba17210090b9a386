import { describe, expect, it } from 'vitest';
import { createScanner } from '../../src/capture/index.js';
import { hex, pattern, pcap } from './bytes.js';
import { collect } from './collect.js';

const MICRO = 0xa1b2c3d4;
const NANO = 0xa1b23c4d;

describe('a capture written out by hand', () => {
  it('reads microseconds, little-endian', async () => {
    const bytes = hex(`
      d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000
      10f15365 40e20100 03000000 03000000 aabbcc
      11f15365 01000000 02000000 dc050000 0102`);
    const { packets, error } = await collect(bytes);
    expect(error).toBeUndefined();
    expect(packets).toEqual([
      {
        timestamp: 1_700_000_016_123_456_000n,
        data: Uint8Array.of(0xaa, 0xbb, 0xcc),
        originalLength: 3,
        interfaceIndex: 0,
        interfaceName: undefined,
        linkType: 1,
        number: 1,
        offset: 24,
        comments: [],
        packetId: undefined,
        direction: undefined,
        queue: undefined,
      },
      expect.objectContaining({
        timestamp: 1_700_000_017_000_001_000n,
        data: Uint8Array.of(1, 2),
        originalLength: 1500,
        number: 2,
        offset: 43,
      }),
    ]);
  });

  it('reads nanoseconds, big-endian', async () => {
    const bytes = hex(`
      a1b23c4d 0002 0004 00000000 00000000 0000ffff 00000065
      6553f110 3b9ac9ff 00000001 00000001 45`);
    const { packets, error } = await collect(bytes);
    expect(error).toBeUndefined();
    expect(packets).toHaveLength(1);
    expect(packets[0]).toMatchObject({ timestamp: 1_700_000_016_999_999_999n, linkType: 101, originalLength: 1 });
    expect(packets[0]!.data).toEqual(Uint8Array.of(0x45));
  });
});

describe.each([
  ['microseconds', MICRO, 1000n],
  ['nanoseconds', NANO, 1n],
] as const)('%s', (_, magic, tick) => {
  it.each([
    ['little-endian', true],
    ['big-endian', false],
  ])('%s', async (_order, little) => {
    const records = [
      { seconds: 0, ticks: 0, data: [] },
      { seconds: 0xffffffff, ticks: 999_999, data: pattern(60), original: 1514 },
      { seconds: 1_700_000_000, ticks: 1, data: pattern(1514) },
    ];
    const { bytes, offsets } = pcap(little, magic, records);
    const { packets, error } = await collect(bytes);
    expect(error).toBeUndefined();
    expect(packets.map(({ timestamp }) => timestamp)).toEqual(
      records.map(({ seconds, ticks }) => BigInt(seconds) * 1_000_000_000n + BigInt(ticks) * tick),
    );
    expect(packets.map(({ data }) => Array.from(data))).toEqual(records.map(({ data }) => data));
    expect(packets.map(({ originalLength }) => originalLength)).toEqual([0, 1514, 1514]);
    expect(packets.map(({ offset }) => offset)).toEqual(offsets.slice(0, -1));
    expect(packets.map(({ number }) => number)).toEqual([1, 2, 3]);
  });
});

describe('rules', () => {
  const one = [{ seconds: 5, ticks: 0, data: pattern(20) }];

  it.each([1, 12, 14, 101, 228, 229])('reads link type %i', async (linkType) => {
    const { packets, error } = await collect(pcap(true, MICRO, one, { linkType }).bytes);
    expect(error).toBeUndefined();
    expect(packets[0]!.linkType).toBe(linkType);
  });

  it.each([
    [0, '0 (NULL)'],
    [113, '113 (LINUX_SLL)'],
    [147, '147'],
    [276, '276 (LINUX_SLL2)'],
  ])('refuses link type %i by its number and name', async (linkType, text) => {
    const { packets, error } = await collect(pcap(true, MICRO, one, { linkType }).bytes);
    expect(packets).toEqual([]);
    expect(error).toMatchObject({ code: 'BAD_CAPTURE', offset: 20, packet: 0 });
    expect(error!.message).toContain(
      `at byte 20, before the first packet: link type ${text} is not read here, only Ethernet and raw IP are`,
    );
  });

  it('does not take frame check sequence bits for the link type', async () => {
    const { packets } = await collect(pcap(true, MICRO, one, { linkType: 0x24000001 }).bytes);
    expect(packets[0]!.linkType).toBe(1);
  });

  it('carries ticks beyond a second over', async () => {
    const micro = pcap(true, MICRO, [{ seconds: 5, ticks: 2_000_003, data: [1] }]).bytes;
    const nano = pcap(true, NANO, [{ seconds: 5, ticks: 4_294_967_295, data: [1] }]).bytes;
    expect((await collect(micro)).packets[0]!.timestamp).toBe(7_000_003_000n);
    expect((await collect(nano)).packets[0]!.timestamp).toBe(9_294_967_295n);
    for (const [bytes, seconds, nanoseconds] of [[micro, 7, 3_000] as const, [nano, 9, 294_967_295] as const]) {
      const scanner = createScanner(bytes);
      scanner.push(bytes);
      expect(scanner.next()).toBe(true);
      expect(scanner).toMatchObject({ seconds, nanoseconds });
    }
  });

  it('cuts a record at the snapshot length of the file', async () => {
    const { bytes } = pcap(true, MICRO, [{ seconds: 1, ticks: 0, data: pattern(100) }, ...one], { snaplen: 64 });
    const { packets, error } = await collect(bytes);
    expect(error).toBeUndefined();
    expect(packets.map(({ data }) => data.length)).toEqual([64, 20]);
    expect(packets[0]).toMatchObject({ originalLength: 100 });
  });

  it('takes a snapshot length of 0 for none', async () => {
    const { packets } = await collect(pcap(true, MICRO, one, { snaplen: 0 }).bytes);
    expect(packets[0]!.data).toHaveLength(20);
  });

  it('believes 262144 bytes, and no more', async () => {
    const largest = pcap(true, MICRO, [...one, { seconds: 5, ticks: 0, data: pattern(262144) }]);
    const { data } = (await collect(largest.bytes)).packets[1]!;
    expect(Buffer.compare(data, Uint8Array.from(pattern(262144)))).toBe(0);
    const beyond = pcap(true, MICRO, [...one, { seconds: 5, ticks: 0, data: pattern(262145) }]);
    const { packets, error } = await collect(beyond.bytes);
    expect(packets).toHaveLength(1);
    expect(error).toMatchObject({
      offset: beyond.offsets[1],
      packet: 1,
      detail: 'captured length 262145 is beyond 262144',
    });
  });

  it('refuses another version and another magic', async () => {
    const { bytes } = pcap(true, MICRO, one);
    const older = bytes.slice();
    older[6] = 3;
    expect((await collect(older)).error!.detail).toBe('version 2.3 is not 2.4');
    expect((await collect(pcap(false, 0xa1b2cd34, one).bytes)).error!.detail).toContain('0xa1b2cd34');
  });
});
