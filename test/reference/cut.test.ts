/** How packets are cut, and cut again as they came. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cut } from '../../src/reference/fragments.js';
import { checksumIsRight } from '../../src/reference/packet/checksum.js';
import { type IpPacket, ipLength, isIpv6, parseIp, serialiseIp } from '../../src/reference/packet/ip.js';
import { serialiseIpv4 } from '../../src/reference/packet/ipv4.js';
import { unfragmentableLength } from '../../src/reference/packet/ipv6-extensions.js';
import type { Arrival } from '../../src/reference/reassembly.js';
import { properties } from '../support/property.js';
import { ip } from './builders.js';
import { counting, geometry, piece, piece6, SIX, whole } from './pieces.js';
import { hex, toHex } from './support.js';

const property = properties(import.meta.url);

describe('what comes out is cut as it came', () => {
  /** What came, what was put in front, the MTU, what left. */
  const captured: Record<string, [IpPacket[], number, 4 | 6, number, number[][]]> = {
    'nat-frag, 4000 bytes': [
      [piece(0, 1480, true), piece(1480, 1480, true), piece(2960, 40, false)],
      0,
      4,
      1500,
      [
        [1500, 0, 1],
        [1500, 1480, 1],
        [60, 2960, 0],
      ],
    ],
    'nat-mtu, fragments larger than the MTU': [
      [piece(0, 1480, true), piece(1480, 1480, true), piece(2960, 40, false)],
      0,
      4,
      1400,
      [
        [1396, 0, 1],
        [1396, 1376, 1],
        [268, 2752, 0],
      ],
    ],
    'tun-ipip-mtu, fragments of 600: none larger than the largest': [
      [...[0, 1, 2, 3, 4].map((i) => piece(i * 576, 576, true)), piece(2880, 120, false)],
      20,
      4,
      1500,
      [...[0, 1, 2, 3, 4].map((i) => [596, i * 576, 1]), [160, 2880, 0]],
    ],
    'tun-4in6, fragments of 600: the other family does not know the largest': [
      [...[0, 1, 2, 3, 4].map((i) => piece(i * 576, 576, true)), piece(2880, 120, false)],
      20,
      6,
      1500,
      [
        [1496, 0, 1],
        [1496, 1448, 1],
        [172, 2896, 0],
      ],
    ],
    'tun6-gre-csum: the first piece grows by a multiple of 8': [
      [piece6(0, 1232, true), piece6(1232, 1232, true), piece6(2464, 544, false)],
      48,
      4,
      1500,
      [
        [1300, 0, 1],
        [1252, 1280, 1],
        [564, 2512, 0],
      ],
    ],
    'tun6-gue-nocsum: it does not': [
      [piece6(0, 1232, true), piece6(1232, 1232, true), piece6(2464, 544, false)],
      52,
      4,
      1500,
      [
        [1500, 0, 1],
        [1500, 1480, 1],
        [120, 2960, 0],
      ],
    ],
    'tun6-ip6ip6': [
      [piece6(0, 1232, true), piece6(1232, 1232, true), piece6(2464, 544, false)],
      40,
      6,
      1500,
      [
        [1280, 0, 1],
        [1280, 1232, 1],
        [632, 2464, 0],
      ],
    ],
    'nat6-raw, fragments of 1280': [
      [piece6(0, 1232, true), piece6(1232, 1232, true), piece6(2464, 544, false)],
      0,
      6,
      1500,
      [
        [1280, 0, 1],
        [1280, 1232, 1],
        [592, 2464, 0],
      ],
    ],
    'nat6-raw, atomic: the fragment header is gone': [[piece6(0, 20, false)], 0, 6, 1500, [[60, 0, 0]]],
    'tun6-ip6ip6, atomic: the outer packet becomes atomic': [[piece6(0, 20, false)], 40, 6, 1500, [[108, 0, 0]]],
  };

  it.each(Object.entries(captured))('%s', (_, [came, front, family, mtu, expected]) => {
    const { packet, arrival } = whole(came);
    const inside = front === 0 ? packet.payload : serialiseIp(packet);
    // What the tunnel put in front without the inner header, which `front` counts.
    const header = front === 0 ? 0 : front - (ipLength(packet) - packet.payload.length);
    const payload = Uint8Array.from([...new Uint8Array(header), ...inside]);
    const leaving: IpPacket = family === 6 ? { ...SIX, payload } : ip({ payload });
    const pieces = cut(leaving, { mtu, identification: 9, arrival });
    expect(geometry(pieces)).toEqual(expected);
    if (pieces === 'too-big') throw new Error(pieces);
    if (pieces.length > 1) expect(toHex(serialiseIp(whole(pieces).packet))).toBe(toHex(serialiseIp(leaving)));
  });

  it('tun6-ip6ip6, "new flow with atomic fragment"', () => {
    const inner = '600000000014063ffd000000000000000000000000000052fd000000000000000000000000000100';
    const tcp = 'b0f80050000003e8000000005002faf0046e0000';
    const outer = `fd000001000000000000000000000001fd000001000000000000000000000021`;
    const { arrival } = whole([
      parseIp(
        hex(`60000000001c2c40fd000000000000000000000000000052fd000000000000000000000000000100 0600000001020304${tcp}`),
      ),
    ]);
    const leaving = parseIp(hex(`60000000003c293f${outer}${inner}${tcp}`));
    const pieces = cut(leaving, { mtu: 1500, identification: 0x75f747da, arrival });
    const [first] = pieces === 'too-big' ? [] : pieces;
    expect(first && toHex(serialiseIp(first))).toBe(`6000000000442c3f${outer}2900000075f747da${inner}${tcp}`);
  });
});

describe('cut', () => {
  const exit = { mtu: 100, identification: 77, arrival: undefined };

  it('leaves alone what fits', () => {
    const fits = ip({ payload: counting(80) });
    expect(cut(fits, exit)).toEqual([fits]);
    const six = { ...SIX, payload: counting(60) };
    expect(cut(six, exit)).toEqual([six]);
  });

  it('IPv6 into pieces with a fragment header behind what all repeat', () => {
    const payload = hex(`3c00010400000000 1100010400000000 ${'ab'.repeat(60)}`);
    const pieces = cut({ ...SIX, nextHeader: 0, payload }, exit);
    expect(geometry(pieces)).toEqual([
      [96, 0, 1],
      [92, 32, 0],
    ]);
    if (pieces === 'too-big') throw new Error(pieces);
    expect(toHex(pieces[0]!.payload).slice(0, 48)).toBe('3c000104000000002c00010400000000110000010000004d');
    expect(toHex(pieces[1]!.payload).slice(0, 48)).toBe('3c000104000000002c00010400000000110000200000004d');
  });

  it('IPv6 with one such header, which goes on announcing the fragment header', () => {
    const payload = hex(`1100010400000000 ${'ab'.repeat(60)}`);
    const pieces = cut({ ...SIX, nextHeader: 0, payload }, exit);
    if (pieces === 'too-big') throw new Error(pieces);
    for (const each of pieces) expect(each).toMatchObject({ nextHeader: 0 });
    expect(pieces.map(({ payload: bytes }) => toHex(bytes).slice(0, 32))).toEqual([
      '2c00010400000000110000010000004d',
      '2c00010400000000110000280000004d',
    ]);
  });

  it('does not repeat destination options behind a routing header', () => {
    const routing = `3c00040000000000 1100010400000000`;
    expect(unfragmentableLength({ nextHeader: 43, payload: hex(routing) })).toBe(8);
    expect(unfragmentableLength({ nextHeader: 60, payload: hex(`2b00010400000000 1100040000000000`) })).toBe(16);
    expect(unfragmentableLength({ nextHeader: 51, payload: hex('1104000000000000') })).toBe(0);
  });

  it('fills later fragments with no operations where options are not copied', () => {
    // Stream identifier (copied), record route (not), router alert (copied), timestamp (not), end.
    const options = hex('8804abcd 070704 00000000 94040000 01 44080500 00000000 00000000');
    const [first, second] = geometryOf(cut(ip({ options, payload: counting(64) }), { ...exit, mtu: 88 }));
    expect(first).toBe(toHex(options));
    expect(second).toBe('8804abcd0101010101010194040000010101010101010101000000 00'.replaceAll(' ', ''));
  });

  it('leaves malformed options alone from there on', () => {
    for (const options of ['07ff0400', '07010400', '00070304', '01010107']) {
      const [, second] = geometryOf(cut(ip({ options: hex(options), payload: counting(90) }), exit));
      expect(second).toBe(options);
    }
  });

  it('leaves the options of a later fragment as they are', () => {
    const later = ip({ options: hex('0707080a00000100'), fragmentOffset: 40, payload: counting(90) });
    expect(geometryOf(cut(later, exit))).toEqual(['0707080a00000100', '0707080a00000100']);
  });

  it('cannot cut below 8 bytes, nor IPv6 smaller than it came', () => {
    expect(cut(ip({ payload: counting(64) }), { ...exit, mtu: 27 })).toBe('too-big');
    expect(cut({ ...SIX, payload: counting(64) }, { ...exit, mtu: 55 })).toBe('too-big');
    const arrival: Arrival = { family: 6, rest: [600], largest: 1400, dontFragment: false, identification: 1 };
    expect(cut({ ...SIX, payload: counting(1900) }, { ...exit, mtu: 1399, arrival })).toBe('too-big');
    expect(cut({ ...SIX, payload: counting(1900) }, { ...exit, mtu: 1400, arrival })).not.toBe('too-big');
  });

  it('drops DF and the reserved bit of what was told to be cut', () => {
    const flagged = ip({ flags: 6, payload: counting(160) });
    expect(geometry(cut(flagged, exit)).map(([, , flags]) => flags)).toEqual([1, 0]);
  });
});

function geometryOf(packets: IpPacket[] | 'too-big'): string[] {
  if (packets === 'too-big') throw new Error(packets);
  return packets.map((packet) => (isIpv6(packet) ? '' : toHex(packet.options)));
}

property(
  'pieces fit, and make the whole again in any order',
  fc.property(
    fc.boolean(),
    fc.integer({ min: 100, max: 400 }),
    fc.integer({ min: 0, max: 2000 }),
    fc.infiniteStream(fc.nat()),
    (six, mtu, length, order) => {
      const packet: IpPacket = six ? { ...SIX, payload: counting(length) } : ip({ payload: counting(length) });
      const pieces = cut(packet, { mtu, identification: 3, arrival: undefined });
      if (pieces === 'too-big') throw new Error(pieces);
      for (const each of pieces) expect(ipLength(each)).toBeLessThanOrEqual(mtu);
      if (pieces.length === 1) return;
      const shuffled = pieces.map((each) => ({ each, at: order.next().value })).sort((a, b) => a.at - b.at);
      const { packet: again, arrival } = whole(shuffled.map(({ each }) => each));
      expect(toHex(serialiseIp(again))).toBe(toHex(serialiseIp(packet)));
      expect(geometry(cut(again, { mtu: 9000, identification: 3, arrival }))).toEqual(
        six && ipLength(packet) <= arrival.largest ? [[ipLength(packet), 0, 0]] : geometry(pieces),
      );
    },
  ),
);

it('IPv4 checksums are those of each piece', () => {
  const pieces = cut(ip({ payload: counting(300) }), { mtu: 100, identification: 0, arrival: undefined });
  if (pieces === 'too-big') throw new Error(pieces);
  for (const each of pieces) {
    if (isIpv6(each)) throw new Error('IPv6');
    expect(checksumIsRight(serialiseIpv4(each, each.checksum).subarray(0, 20))).toBe(true);
  }
});
