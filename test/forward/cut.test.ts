import { beforeEach, describe, expect, it } from 'vitest';
import { counting, ethernet, hex, ipv4, ipv6, toHex } from '../support/packets.js';
import { ETHER, HOP_MAC, MAC, PieceLab, RAW, TAGGED, VLAN } from '../support/pieces.js';

import {
  DESTINATION_OPTIONS,
  ENDS4,
  ENDS6,
  FIRST_ID,
  fragmentHeader,
  fragments,
  HOP_BY_HOP,
  lengths,
  packet4,
  ROUTING,
  UDP,
} from './cut-packets.js';

let lab: PieceLab;
beforeEach(() => {
  lab = new PieceLab();
});

describe('captures', () => {
  it('nat-frag, srv-out 28–36: nine fragments leave as they came', () => {
    const nine = [
      '4500001c01f820003f11459b0a0000330a01000ba80614e900480022',
      '4500001c01f820013f11459a0a0000330a01000b00070e151c232a31',
      '4500001c01f820023f1145990a0000330a01000b383f464d545b6269',
      '4500001c01f820033f1145980a0000330a01000b70777e858c939aa1',
      '4500001c01f820043f1145970a0000330a01000ba8afb6bdc4cbd2d9',
      '4500001c01f820053f1145960a0000330a01000be0e7eef5fc030a11',
      '4500001c01f820063f1145950a0000330a01000b181f262d343b4249',
      '4500001c01f820073f1145940a0000330a01000b50575e656c737a81',
      '4500001c01f800083f1165930a0000330a01000b888f969da4abb2b9',
    ];
    lab.gather(nine.map(hex).reverse());
    const { frames, ...judged } = lab.forward(1500, { out: ETHER });
    expect(judged).toEqual({ verdict: 'forward', reason: 'nat-in' });
    const link = `${toHex(HOP_MAC)}${toHex(MAC)}0800`;
    expect(frames.map(toHex)).toEqual(nine.map((fragment) => link + fragment));
  });

  it('tun6-ip6ip6, srv-out 37: an atomic fragment inside, an atomic fragment header outside', () => {
    const inner = 'fd000000000000000000000000000052fd000000000000000000000000000100';
    const outer = 'fd000001000000000000000000000001fd000001000000000000000000000021';
    const segment = 'b0f80050000003e8000000005002faf0046e0000';
    expect(lab.receive(hex(`60000000001c2c3f${inner}0600000001020304${segment}`))).toHaveProperty('whole');
    const { frames } = lab.forward(1500, { outer: hex(`60000000003c293f${outer}`) });
    expect(frames.map(toHex)).toEqual([
      `6000000000442c3f${outer}29000000${FIRST_ID.toString(16).padStart(8, '0')}600000000014063f${inner}${segment}`,
    ]);
  });

  it.each([
    ['nat-mtu, srv-out 4', 1401, 1400, [1396, 25]],
    ['nat-mtu, srv-out 6', 1500, 1400, [1396, 124]],
    ['tun-ipip-mtu, srv-out 6', 1501, 1500, [1500, 21]],
    ['tun-ipip-mtu, srv-out 10', 1520, 1500, [1500, 40]],
    ['tun-ipip-mtu, srv-out 28', 1301, 1300, [1300, 21]],
    ['tun-ipip-mtu, srv-out 32', 1500, 1300, [1300, 220]],
  ])('%s: sizes of what came whole', (_, length, mtu, expected) => {
    const { frames } = lab.send(packet4(length), mtu);
    expect(lengths(frames)).toEqual(expected);
  });

  it.each([
    ['42', 1501, [1496, 61]],
    ['46', 1540, [1496, 100]],
  ])('tun-4in6, srv-out %s: sizes of what came whole', (_, length, expected) => {
    const { frames } = lab.send(ipv6({ ...ENDS6, protocol: 4 }, counting(length - 40)), 1500);
    expect(lengths(frames)).toEqual(expected);
  });

  const EXTRA = { ipip: 20, gre: 28, gue: 32 };
  it.each([
    [
      'nat-frag, srv-out 6',
      false,
      [1480, 1480, 1480, 1480, 1480, 608],
      0,
      4,
      1500,
      [1500, 1500, 1500, 1500, 1500, 628],
    ],
    ['nat-frag, srv-out 38', false, [576, 576, 268], 0, 4, 1500, [596, 596, 288]],
    ['nat-mtu, srv-out 14', false, [1480, 1480, 48], 0, 4, 1400, [1396, 1396, 276]],
    ['tun-ipip-mtu, srv-out 14', false, [1480, 1480, 48], EXTRA.ipip, 4, 1500, [1500, 1500, 88]],
    [
      'tun-ipip-mtu, srv-out 17',
      false,
      [576, 576, 576, 576, 576, 128],
      EXTRA.ipip,
      4,
      1500,
      [596, 596, 596, 596, 596, 168],
    ],
    ['tun-ipip-mtu, srv-out 36', false, [1480, 1480, 48], EXTRA.ipip, 4, 1300, [1300, 1300, 488]],
    [
      'tun-ipip-mtu, srv-out 39',
      false,
      [576, 576, 576, 576, 576, 128],
      EXTRA.ipip,
      4,
      1300,
      [596, 596, 596, 596, 596, 168],
    ],
    ['tun-4in6, srv-out 53', false, [576, 576, 576, 576, 576, 128], 40, 6, 1500, [1496, 1496, 180]],
    ['nat6-raw, srv-out 30', true, [1232, 1232, 544], 0, 6, 1500, [1280, 1280, 592]],
    ['tun6-ip6ip6, srv-out 42', true, [1232, 1232, 544], 40, 6, 1500, [1280, 1280, 632]],
    ['tun6-gre-csum, srv-out 30', true, [1232, 1232, 544], EXTRA.gre, 4, 1500, [1300, 1252, 564]],
    ['tun6-gue-nocsum, srv-out 30', true, [1232, 1232, 544], EXTRA.gue, 4, 1500, [1500, 1500, 120]],
  ] as const)('%s: sizes of what came in fragments', (_, v6, given, extra, version, mtu, expected) => {
    const { length } = lab.gather(fragments(v6, given));
    const header =
      version === 4
        ? ipv4({ ...ENDS4, protocol: 47 }, new Uint8Array(extra + length - 20))
        : ipv6({ ...ENDS6, protocol: 41 }, new Uint8Array(extra + length - 40));
    const { frames } = lab.forward(mtu, { outer: header.subarray(0, extra) });
    expect(lengths(frames)).toEqual(expected);
  });
});

describe('IPv4', () => {
  it('each piece has the identification, and the offset and a checksum of its own', () => {
    const { frames, ...judged } = lab.send(packet4(100, { id: 0xbeef, tos: 0xb8, ttl: 63 }), 60);
    expect(judged).toEqual({ verdict: 'forward', reason: 'nat-in' });
    const words = { ...ENDS4, id: 0xbeef, tos: 0xb8, ttl: 63, protocol: UDP };
    expect(frames.map(toHex)).toEqual(
      [0, 40].map((at) => toHex(ipv4({ ...words, offset: at / 8, mf: at === 0 }, counting(40, at)))),
    );
  });

  it('pieces are multiples of eight but for the last', () => {
    expect(lengths(lab.send(packet4(100), 59).frames)).toEqual([52, 52, 36]);
  });

  it('later pieces have the options that are to be in each, and no-operations for the others', () => {
    const mixed = hex('07070401020304 8303040144040500 01 0000 00 00'.padEnd(40, '0')).subarray(0, 20);
    expect(mixed.length).toBe(20);
    const later = mixed.slice();
    later.fill(1, 0, 7);
    later.fill(1, 11, 15);
    // Behind the first length that cannot be, nothing is touched.
    const { frames } = lab.send(packet4(140, { options: mixed }), 100);
    const words = { ...ENDS4, protocol: UDP };
    expect(frames.map(toHex)).toEqual([
      toHex(ipv4({ ...words, options: mixed, mf: true }, counting(56))),
      toHex(ipv4({ ...words, options: later, offset: 7 }, counting(44, 56))),
    ]);
  });

  it.each([
    ['too long', '07', '0b04'],
    ['too short', '07', '0104'],
    ['without a length', '01010107', ''],
  ])('an option that is %s stays, with all behind it', (_, start, rest) => {
    const options = hex((start + rest).padEnd(start === '07' ? 16 : 8, '4'));
    const { frames } = lab.send(packet4(120, { options }), 100);
    expect(toHex((frames[1] as Uint8Array).subarray(20, 20 + options.length))).toBe(toHex(options));
  });

  it('a fragment is cut into fragments of the same datagram', () => {
    for (const mf of [true, false]) {
      const options = hex('07070401020304 01');
      const { frames } = lab.send(packet4(128, { offset: 10, mf, options }), 79);
      expect(frames.map(toHex)).toEqual([
        toHex(ipv4({ ...ENDS4, protocol: UDP, options, offset: 10, mf: true }, counting(48))),
        toHex(ipv4({ ...ENDS4, protocol: UDP, options, offset: 16, mf: true }, counting(48, 48))),
        toHex(ipv4({ ...ENDS4, protocol: UDP, options, offset: 22, mf }, counting(4, 96))),
      ]);
    }
  });

  it('DF goes when what has it is cut all the same', () => {
    const { frames } = lab.send(packet4(100, { df: true }), 60);
    expect(frames.map((frame) => frame[6])).toEqual([0x20, 0]);
  });

  it.each([
    ['in the same fragments: it goes', 1500, [0x20, 0x20, 0]],
    ['in others: it stays', 1400, [0x60, 0x60, 0x40]],
  ])('DF of a datagram that leaves %s', (_, mtu, expected) => {
    lab.gather(fragments(false, [1480, 1480, 48], { df: true }));
    expect(lab.forward(mtu).frames.map((frame) => (frame[6] as number) & 0x60)).toEqual(expected);
  });

  it('a datagram that came in fragments leaves in fragments, even if it would fit', () => {
    lab.gather(fragments(false, [16, 16, 5]));
    expect(lengths(lab.forward(1500).frames)).toEqual([36, 36, 25]);
  });

  it('what is cut was in fragments of any length before', () => {
    lab.gather(fragments(false, [800, 160, 1200, 8, 5]));
    expect(lengths(lab.forward(1500).frames)).toEqual([820, 180, 1220, 28, 25]);
    lab.gather(fragments(false, [800, 160, 1200, 8, 5]));
    // 1200 bytes do not fit, nor may anything be longer than the longest.
    expect(lengths(lab.forward(1219).frames)).toEqual([1212, 1001]);
    lab.gather(fragments(false, [8, 8, 400, 5]));
    expect(lengths(lab.forward(1500, { outer: ipv4(ENDS4, new Uint8Array(441)).subarray(0, 20) }).frames)).toEqual([
      420, 61,
    ]);
  });
});

describe('IPv6', () => {
  /** What TUN puts around an IPv4 packet: nothing else of IPv6 is cut that did not come in fragments. */
  const packet6 = (length: number, extensions: readonly (readonly [number, Uint8Array])[] = []): Uint8Array => {
    const empty = ipv6({ ...ENDS6, extensions, protocol: UDP }).length;
    return ipv6({ ...ENDS6, extensions, protocol: UDP }, counting(length - empty));
  };

  it('each piece has a fragment header, with an identification of the datagram’s own', () => {
    for (const id of [FIRST_ID, FIRST_ID + 1]) {
      const { frames } = lab.send(packet6(1400), 1300);
      expect(frames.map(toHex)).toEqual([
        toHex(ipv6({ ...ENDS6, extensions: [fragmentHeader(0, true, id)], protocol: UDP }, counting(1248))),
        toHex(ipv6({ ...ENDS6, extensions: [fragmentHeader(1248, false, id)], protocol: UDP }, counting(112, 1248))),
      ]);
    }
  });

  const hops = [HOP_BY_HOP, hex('00050200000100')] as const;
  const options = [DESTINATION_OPTIONS, hex('00010400000000')] as const;
  const routing = [ROUTING, hex('01000000000000 0000000000000000')] as const;
  it.each([
    ['hop-by-hop options', [hops], 1],
    ['a routing header', [routing], 1],
    ['destination options', [options], 1],
    ['all that comes before and with a routing header', [hops, options, routing], 3],
    ['not the destination options behind a routing header', [routing, options], 1],
  ])('%s: in each piece', (_, extensions, kept) => {
    const packet = packet6(1400, extensions);
    const { frames } = lab.send(packet, 1300);
    const repeated = extensions.slice(0, kept);
    const front = ipv6({ ...ENDS6, extensions: repeated }).length;
    const data = packet.subarray(front);
    const protocol = extensions[kept]?.[0] ?? UDP;
    const first = (1300 - front - 8) & ~7;
    const make = (at: number, more: boolean, part: Uint8Array): string =>
      toHex(ipv6({ ...ENDS6, extensions: [...repeated, fragmentHeader(at, more, FIRST_ID)], protocol }, part));
    expect(frames.map(toHex)).toEqual([
      make(0, true, data.subarray(0, first)),
      make(first, false, data.subarray(first)),
    ]);
  });

  it('an extension header that reaches beyond the packet: dropped', () => {
    const beyond = hex('ff050200000100').fill(0xff, 0, 1);
    expect(lab.send(packet6(1400, [[HOP_BY_HOP, beyond]]), 1300)).toEqual({
      verdict: 'drop',
      reason: 'ipv6-truncated',
      frames: [],
    });
  });

  it('a datagram no longer than its longest fragment leaves whole', () => {
    expect(lengths([lab.gather(fragments(true, [64]))])).toEqual([104]);
    expect(lengths(lab.forward(1500).frames)).toEqual([104]);
    lab.gather(fragments(true, [1232, 8]));
    expect(lengths(lab.forward(1500).frames)).toEqual([1280]);
    lab.gather(fragments(true, [1232, 9]));
    expect(lengths(lab.forward(1500).frames)).toEqual([1280, 57]);
  });

  it('a datagram in short fragments leaves in these, or in ones of 1280', () => {
    lab.gather(fragments(true, [800, 600, 5]));
    expect(lengths(lab.forward(1500).frames)).toEqual([848, 648, 53]);
    // Shifted by an outer header the last does not begin at a multiple of eight any more.
    const { length } = lab.gather(fragments(true, [800, 600, 5]));
    const outer = ipv6({ ...ENDS6, protocol: 47 }, new Uint8Array(4 + length)).subarray(0, 44);
    expect(lengths(lab.forward(1500, { outer }).frames)).toEqual([1280, 48 + 1449 - 1232]);
  });
});

describe('families mixed: what came in fragments leaves whole if it fits', () => {
  it('IPv4 in IPv6', () => {
    const { length } = lab.gather(fragments(false, [16, 16, 5]));
    const outer = ipv6({ ...ENDS6, protocol: 4 }, new Uint8Array(length)).subarray(0, 40);
    expect(lengths(lab.forward(1500, { outer }).frames)).toEqual([40 + length]);
  });

  it('IPv6 in IPv4', () => {
    const { length } = lab.gather(fragments(true, [16, 16, 5]));
    const outer = ipv4({ ...ENDS4, protocol: 41 }, new Uint8Array(length)).subarray(0, 20);
    expect(lengths(lab.forward(1500, { outer }).frames)).toEqual([20 + length]);
  });
});

describe('frames', () => {
  it.each([
    ['a raw interface', RAW, ''],
    ['Ethernet', ETHER, toHex(ethernet(toHex(HOP_MAC), toHex(MAC), new Uint8Array(0)))],
    ['a VLAN', TAGGED, toHex(ethernet(toHex(HOP_MAC), toHex(MAC), new Uint8Array(0), 0x0800, VLAN))],
  ])('on %s', (_, out, link) => {
    for (const frame of lab.send(packet4(100), 60, out).frames) {
      expect(toHex(frame.subarray(0, link.length / 2))).toBe(link);
      expect(frame[link.length / 2]).toBe(0x45);
    }
  });

  it('of IPv6 are of its EtherType', () => {
    lab.gather(fragments(true, [1232, 544]));
    for (const frame of lab.forward(1500, { out: ETHER }).frames) expect(toHex(frame.subarray(12, 15))).toBe('86dd60');
  });

  it('no room in the arena: dropped, and nothing made stays', () => {
    const small = new PieceLab({ arenaBytes: 1 << 16 });
    expect(small.send(packet4(40_000), 1500)).toEqual({ verdict: 'drop', reason: 'no-room', frames: [] });
    expect(small.send(packet4(20_000), 1500).frames).toHaveLength(14);
  });

  it('not so many descriptors: dropped, and nothing made stays', () => {
    const large = new PieceLab({ arenaBytes: 1 << 19 });
    expect(large.send(packet4(20 + 8 * 1025), 28)).toEqual({ verdict: 'drop', reason: 'no-room', frames: [] });
    expect(large.send(packet4(20 + 8 * 1024), 28).frames).toHaveLength(1024);
  });

  it('no room in a piece for anything: dropped', () => {
    expect(lab.send(packet4(100), 27)).toEqual({ verdict: 'drop', reason: 'too-big', frames: [] });
    expect(lab.send(packet4(100), 28).frames).toHaveLength(10);
    expect(lab.send(ipv6(ENDS6, counting(100)), 55)).toEqual({ verdict: 'drop', reason: 'too-big', frames: [] });
    expect(lab.send(ipv6(ENDS6, counting(100)), 56).frames).toHaveLength(13);
  });

  it('no headroom for a fragment header: dropped', () => {
    lab.gather(fragments(true, [1232, 544]));
    const outer = ipv6(ENDS6, new Uint8Array(40 + 1776)).subarray(0, 40);
    expect(lab.forward(1500, { outer, headroom: 40 + 14 + 7, out: ETHER })).toEqual({
      verdict: 'drop',
      reason: 'no-headroom',
      frames: [],
    });
    lab.gather(fragments(true, [1232, 544]));
    expect(lab.forward(1500, { outer, headroom: 40 + 14 + 8, out: ETHER }).frames).toHaveLength(2);
  });
});

// --- properties
