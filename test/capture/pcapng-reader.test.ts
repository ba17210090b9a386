import { describe, expect, it } from 'vitest';
import {
  block,
  blocks,
  describe as describeInterface,
  enhanced,
  hex,
  obsolete,
  option,
  pattern,
  section,
  simple,
  text,
} from './bytes.js';
import { collect } from './collect.js';

const NS = (little: boolean): Uint8Array => option(little, 9, [9]);

describe('a capture written out by hand', () => {
  it('reads an interface name, a comment, a packet id, a direction and a queue', async () => {
    const bytes = hex(`
      0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000
      01000000 28000000 0100 0000 00000400 0200 0300 63 6c 69 00 0900 0100 09 000000 00000000 28000000
      06000000 50000000 00000000 79db9717 0ad7da3f 03000000 dc050000 aabbcc 00
      0100 0200 6869 0000  0100 0000
      0200 0400 02000000   0500 0800 0807060504030201   0600 0400 07000000   00000000 50000000`);
    const { packets, error } = await collect(bytes);
    expect(error).toBeUndefined();
    expect(packets).toEqual([
      {
        timestamp: (0x1797db79n << 32n) | 0x3fdad70an,
        data: Uint8Array.of(0xaa, 0xbb, 0xcc),
        originalLength: 1500,
        interfaceIndex: 0,
        interfaceName: 'cli',
        linkType: 1,
        number: 1,
        offset: 68,
        comments: ['hi', ''],
        packetId: 0x0102030405060708n,
        direction: 'outbound',
        queue: 7,
      },
    ]);
  });
});

describe.each([
  ['little-endian', true],
  ['big-endian', false],
])('%s', (_, little) => {
  it('reads enhanced, simple and obsolete packet blocks and passes over the rest', async () => {
    const { bytes, offsets } = blocks(
      section(little),
      block(little, 4, (b) => b.raw(pattern(40))),
      describeInterface(little, [option(little, 2, text('a')), NS(little)]),
      enhanced(little, { ticks: 1_700_000_000_123_456_789n, data: pattern(61), original: 100 }),
      block(little, 0x80000bad, (b) => b.raw(pattern(17))),
      block(little, 5, () => {}),
      describeInterface(little, [option(little, 2, text('b'))], 101),
      simple(little, 5, pattern(5)),
      obsolete(little, 1, 1_700_000_000_654_321n, pattern(7)),
      enhanced(little, { id: 1, ticks: 3n, data: [] }),
    );
    const { packets, error } = await collect(bytes);
    expect(error).toBeUndefined();
    expect(
      packets.map((p) => [p.number, p.offset, p.timestamp, p.interfaceName, p.linkType, p.originalLength]),
    ).toEqual([
      [1, offsets[3], 1_700_000_000_123_456_789n, 'a', 1, 100],
      [2, offsets[7], 0n, 'a', 1, 5],
      [3, offsets[8], 1_700_000_000_654_321_000n, 'b', 101, 7],
      [4, offsets[9], 3_000n, 'b', 101, 0],
    ]);
    expect(packets.map(({ data }) => Array.from(data))).toEqual([pattern(61), pattern(5), pattern(7), []]);
  });

  it.each([
    ['10^-6 by default', undefined, 1_700_000_000_123_456n, 1_700_000_000_123_456_000n],
    ['10^0', 0, 1_700_000_000n, 1_700_000_000_000_000_000n],
    ['10^-3', 3, 1_700_000_000_123n, 1_700_000_000_123_000_000n],
    ['10^-9', 9, 18_446_744_073_709_551_615n, 18_446_744_073_709_551_615n],
    ['10^-9, one before a second', 9, 1_700_000_000_999_999_999n, 1_700_000_000_999_999_999n],
    ['10^-12', 12, 1_700_000_000_123_456n, 1_700_000_000_123n],
    ['2^0', 0x80, 12n, 12_000_000_000n],
    ['2^-3', 0x83, 13n, 1_625_000_000n],
    ['2^-10', 0x8a, 1024n * 5n + 512n, 5_500_000_000n],
    ['2^-32', 0xa0, (7n << 32n) + (1n << 31n), 7_500_000_000n],
    ['2^-63', 0xbf, (1n << 63n) + (1n << 62n), 1_500_000_000n],
  ])('tells the time in ticks of %s', async (_name, resolution, ticks, expected) => {
    const options = resolution === undefined ? [] : [option(little, 9, [resolution])];
    const { bytes } = blocks(
      section(little),
      describeInterface(little, options),
      enhanced(little, { ticks, data: [1] }),
    );
    expect((await collect(bytes)).packets[0]!.timestamp).toBe(expected);
  });

  it.each([
    ['ticks', [option(little, 9, [0])], 1n << 62n],
    ['if_tsoffset', [option(little, 14, little ? [0, 0, 0, 0, 0, 0, 0, 64] : [64, 0, 0, 0, 0, 0, 0, 0])], 1n],
  ])('refuses a time that no plain number holds, by %s', async (_name, options, ticks) => {
    const { bytes, offsets } = blocks(
      section(little),
      describeInterface(little),
      describeInterface(little, options),
      enhanced(little, { ticks: 7n, data: [1] }),
      enhanced(little, { id: 1, ticks, data: [2] }),
      enhanced(little, { ticks: 8n, data: [3] }),
    );
    const { packets, error } = await collect(bytes);
    expect(packets.map(({ timestamp }) => timestamp)).toEqual([7_000n]);
    expect(error).toMatchObject({ offset: offsets[4], packet: 1 });
    expect(error!.detail).toContain('the time is 2^53 seconds or more');
  });

  it('adds if_tsoffset', async () => {
    const seconds = (value: bigint): Uint8Array => {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigInt64(0, value, little);
      return option(little, 14, bytes);
    };
    const { bytes } = blocks(
      section(little),
      describeInterface(little, [seconds(1_700_000_000n), NS(little)]),
      describeInterface(little, [seconds(-10n), NS(little)]),
      enhanced(little, { ticks: 5n, data: [1] }),
      enhanced(little, { id: 1, ticks: 12_000_000_005n, data: [1] }),
      enhanced(little, { id: 1, ticks: 5n, data: [1] }),
    );
    const { packets } = await collect(bytes);
    expect(packets.map(({ timestamp }) => timestamp)).toEqual([
      1_700_000_000_000_000_005n,
      2_000_000_005n,
      -9_999_999_995n,
    ]);
  });

  it('begins anew with each section, which may have the other byte order', async () => {
    const { bytes } = blocks(
      section(little),
      describeInterface(little, [option(little, 2, text('first')), NS(little)]),
      enhanced(little, { ticks: 1n, data: [1] }),
      section(!little),
      describeInterface(!little, [option(!little, 2, text('second')), NS(!little)], 101),
      enhanced(!little, { ticks: 2n, data: [2] }),
      section(little),
      enhanced(little, { ticks: 3n, data: [3] }),
    );
    const { packets, error } = await collect(bytes);
    expect(packets.map((p) => [p.interfaceIndex, p.interfaceName, p.linkType, p.timestamp])).toEqual([
      [0, 'first', 1, 1n],
      [1, 'second', 101, 2n],
    ]);
    expect(error).toMatchObject({ packet: 2, detail: 'interface 0 is not described' });
  });

  it('cuts a simple packet at the snapshot length', async () => {
    const { bytes } = blocks(section(little), describeInterface(little, [], 1, 6), simple(little, 1514, pattern(6)));
    const { packets } = await collect(bytes);
    expect(packets[0]).toMatchObject({ originalLength: 1514, data: Uint8Array.from(pattern(6)) });
  });
});

describe('damage', () => {
  const good = enhanced(true, { ticks: 1n, data: pattern(9) });
  const start = [section(true), describeInterface(true, [NS(true)], 1, 100), good];
  const at = blocks(...start).offsets[3]!;
  const edited = (bytes: Uint8Array, offset: number, value: number): Uint8Array => {
    const copy = bytes.slice();
    new DataView(copy.buffer).setUint32(offset, value, true);
    return copy;
  };

  it.each<[string, Uint8Array]>([
    ['block length 43 is not a multiple of 4', edited(good, 4, 43)],
    ['block length 28 is below 32, block type 6', edited(good, 4, 28)],
    ['block length 4294967292 is beyond 16777216', edited(good, 4, 0xfffffffc)],
    ['block length 0 is below 12, block type 99', edited(edited(good, 4, 0), 0, 99)],
    ["block length 44 is 48 at the block's end", edited(good, 40, 48)],
    ["block length 44 is 48 at the block's end", edited(edited(good, 40, 48), 0, 99)],
    ['captured length 101 is beyond 100', edited(good, 20, 101)],
    ['captured length 13 is beyond its block', edited(good, 20, 13)],
    ['interface 1 is not described', edited(good, 8, 1)],
    ['the section header has no byte-order magic', edited(section(true), 8, 0)],
    ['version 2.0 is not 1.0', edited(section(true), 12, 2)],
    ['block length 24 is below 28, block type 168627466', edited(section(true), 4, 24)],
    ['if_tsresol has 2 bytes, not 1', describeInterface(true, [option(true, 9, [9, 9])])],
    ['if_tsoffset has 4 bytes, not 8', describeInterface(true, [option(true, 14, [9, 9, 9, 9])])],
    [
      'an option of the interface goes beyond its block',
      describeInterface(true, [edited(option(true, 2, text('a')), 0, 0x00090002)]),
    ],
    [
      'an option goes beyond its block',
      enhanced(true, { ticks: 1n, data: [], options: [edited(option(true, 1, text('a')), 0, 0x00090001)] }),
    ],
    ['epb_flags has 8 bytes, not 4', enhanced(true, { ticks: 1n, data: [], options: [option(true, 2, pattern(8))] })],
    [
      'epb_packetid has 4 bytes, not 8',
      enhanced(true, { ticks: 1n, data: [], options: [option(true, 5, pattern(4))] }),
    ],
    ['epb_queue has 2 bytes, not 4', enhanced(true, { ticks: 1n, data: [], options: [option(true, 6, pattern(2))] })],
  ])('%s', async (detail, bad) => {
    const { packets, error } = await collect(blocks(...start, bad, good).bytes);
    expect(packets).toHaveLength(1);
    expect(error).toMatchObject({ code: 'BAD_CAPTURE', offset: at, packet: 1, detail });
    expect(error!.message).toBe(`capture: at byte ${at}, after packet 1: ${detail}`);
  });

  it('refuses a link type by its number, when a packet has it', async () => {
    const other = describeInterface(true, [], 189);
    expect((await collect(blocks(...start, other, good).bytes)).packets).toHaveLength(2);
    const { packets, error } = await collect(
      blocks(...start, other, enhanced(true, { id: 1, ticks: 1n, data: [] })).bytes,
    );
    expect(packets).toHaveLength(1);
    expect(error!.detail).toBe('link type 189 (USB_LINUX) is not read here, only Ethernet and raw IP are');
  });

  it('stops reading options at the end mark', async () => {
    const options = [option(true, 1, text('seen')), option(true, 0, []), option(true, 1, text('unseen'))];
    const { packets } = await collect(blocks(...start, enhanced(true, { ticks: 1n, data: [], options })).bytes);
    expect(packets[1]!.comments).toEqual(['seen']);
  });

  it('takes version 1.2 for 1.0', async () => {
    const { packets } = await collect(blocks(edited(section(true), 12, 0x00020001), ...start.slice(1)).bytes);
    expect(packets).toHaveLength(1);
  });
});
