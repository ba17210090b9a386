import { beforeEach, describe, expect, it } from 'vitest';
import { counting, hex, ipv4, ipv6, join, toHex } from '../support/packets.js';
import { PieceLab, type Taken } from '../support/pieces.js';

import {
  DESTINATION_OPTIONS,
  dropped,
  HELD,
  HOP_BY_HOP,
  OTHER,
  type Piece,
  piece,
  piece4,
  piece6,
  ROUTING,
  UDP,
} from './pieces.js';

let lab: PieceLab;
beforeEach(() => {
  lab = new PieceLab();
});

const whole = (taken: Taken): string => ('whole' in taken ? toHex(taken.whole) : JSON.stringify(taken));

/** nat-frag, cli-in 28–36: a UDP datagram of 72 bytes in nine fragments. */
const NINE = [
  '4500001c01f82000401144430a0000330a000064a80600350048147e',
  '4500001c01f82001401144420a0000330a00006400070e151c232a31',
  '4500001c01f82002401144410a0000330a000064383f464d545b6269',
  '4500001c01f82003401144400a0000330a00006470777e858c939aa1',
  '4500001c01f820044011443f0a0000330a000064a8afb6bdc4cbd2d9',
  '4500001c01f820054011443e0a0000330a000064e0e7eef5fc030a11',
  '4500001c01f820064011443d0a0000330a000064181f262d343b4249',
  '4500001c01f820074011443c0a0000330a00006450575e656c737a81',
  '4500001c01f800084011643b0a0000330a000064888f969da4abb2b9',
].map(hex);
const NINE_WHOLE = ipv4(
  { source: '10.0.0.51', destination: '10.0.0.100', id: 0x01f8, protocol: UDP },
  join(...NINE.map((fragment) => fragment.subarray(20))),
);

describe('captures', () => {
  it('nine fragments become a datagram', () => {
    expect(toHex(lab.gather(NINE))).toBe(toHex(NINE_WHOLE));
    expect(lab.held).toEqual({ datagrams: 0, blocks: 0 });
  });

  it('in whatever order', () => {
    for (const first of NINE.keys()) {
      const turned = [...NINE.slice(first), ...NINE.slice(0, first)];
      expect(toHex(lab.gather(turned))).toBe(toHex(NINE_WHOLE));
      expect(toHex(lab.gather(turned.reverse()))).toBe(toHex(NINE_WHOLE));
    }
  });

  it('an atomic fragment loses its fragment header', () => {
    // nat6-raw, cli-in 29.
    const ends = 'fd000000000000000000000000000052fd000000000000000000000000000100';
    const segment = 'b0f80050000003e8000000005002faf0046e0000';
    const taken = lab.receive(hex(`60000000001c2c40${ends}0600000001020304${segment}`));
    expect(whole(taken)).toBe(`6000000000140640${ends}${segment}`);
  });
});

describe('what makes fragments of one datagram', () => {
  const first = piece(0, true, 16);
  const last = piece(16, false, 5);

  it.each([
    ['identification', { id: 0x1235 }],
    ['protocol', { protocol: 6 }],
    ['source', { source: '10.0.0.52' }],
    ['destination', { destination: '10.0.0.101' }],
  ])('IPv4: %s', (_, other) => {
    expect(lab.receive(piece4(first))).toEqual(HELD);
    expect(lab.receive(piece4(last, other))).toEqual(HELD);
    expect(lab.held.datagrams).toBe(2);
    expect(lab.receive(piece4(last))).toHaveProperty('whole');
  });

  it.each([
    ['identification', { id: 0x11223345 }],
    ['source', { source: 'fd00::53' }],
    ['destination', { destination: 'fd01::100' }],
  ])('IPv6: %s', (_, other) => {
    expect(lab.receive(piece6(first))).toEqual(HELD);
    expect(lab.receive(piece6(last, other))).toEqual(HELD);
    expect(lab.held.datagrams).toBe(2);
    expect(lab.receive(piece6(last))).toHaveProperty('whole');
  });

  it('IPv6: not the next header, for which the first fragment speaks', () => {
    expect(lab.receive(piece6(last, { protocol: 6 }))).toEqual(HELD);
    expect(whole(lab.receive(piece6(first, { protocol: OTHER })))).toBe(
      toHex(ipv6({ source: 'fd00::52', destination: 'fd00::100', protocol: OTHER }, counting(21))),
    );
  });
});

describe('the header of the whole', () => {
  const options = hex('8303040001010100');

  it('IPv4: is that of the first fragment, options included', () => {
    expect(lab.receive(piece4(piece(16, false, 5), { ttl: 9, tos: 0x10 }))).toEqual(HELD);
    const taken = lab.receive(piece4(piece(0, true, 16), { ttl: 63, tos: 0xb8, options }));
    const words = { source: '10.0.0.51', destination: '10.0.0.100', protocol: UDP, ttl: 63, tos: 0xb8, options };
    expect(whole(taken)).toBe(toHex(ipv4(words, counting(21))));
  });

  it('IPv6: keeps what stands before the fragment header', () => {
    const before = [
      [HOP_BY_HOP, hex('00050200000100')],
      [DESTINATION_OPTIONS, hex('00010400000000')],
      [ROUTING, hex('00000000000000')],
    ] as const;
    const words = { source: 'fd00::52', destination: 'fd00::100', trafficClass: 0xb8 };
    expect(lab.receive(piece6(piece(0, true, 16), { before, ...words }))).toEqual(HELD);
    const taken = lab.receive(piece6(piece(16, false, 5), { trafficClass: 0x10 }));
    expect(whole(taken)).toBe(toHex(ipv6({ ...words, extensions: before, protocol: OTHER }, counting(21))));
  });

  it.each([
    ['all have DF', [true, true], true],
    ['the longest has DF', [true, false], true],
    ['a shorter one has DF', [false, true], false],
  ] as const)('IPv4: %s', (_, [first, second], df) => {
    expect(lab.receive(piece4(piece(0, true, 16), { df: first }))).toEqual(HELD);
    const words = { source: '10.0.0.51', destination: '10.0.0.100', protocol: UDP, df };
    expect(whole(lab.receive(piece4(piece(16, false, 5), { df: second })))).toBe(toHex(ipv4(words, counting(21))));
  });

  describe('ECN (RFC 3168 §5.3)', () => {
    const NOT_ECT = 0;
    const ECT1 = 1;
    const ECT0 = 2;
    const CE = 3;
    const table = [NOT_ECT, ECT1, ECT0, CE].flatMap((a) => [NOT_ECT, ECT1, ECT0, CE].map((b) => [a, b] as const));

    it.each(table)('%i and %i', (a, b) => {
      const mixed = a !== b && (a === NOT_ECT || b === NOT_ECT);
      const ecn = a === CE || b === CE ? CE : a;
      for (const v6 of [false, true]) {
        const make = (part: Piece, field: number): Uint8Array =>
          v6 ? piece6(part, { trafficClass: 0xb8 | field }) : piece4(part, { tos: 0xb8 | field });
        expect(lab.receive(make(piece(0, true, 16), a))).toEqual(HELD);
        const taken = lab.receive(make(piece(16, false, 5), b));
        if (mixed) {
          expect(taken).toEqual(dropped('fragment-malformed'));
        } else {
          const ends4 = { source: '10.0.0.51', destination: '10.0.0.100', protocol: UDP, tos: 0xb8 | ecn };
          const ends6 = { source: 'fd00::52', destination: 'fd00::100', protocol: OTHER, trafficClass: 0xb8 | ecn };
          expect(whole(taken)).toBe(toHex(v6 ? ipv6(ends6, counting(21)) : ipv4(ends4, counting(21))));
        }
        expect(lab.held).toEqual({ datagrams: 0, blocks: 0 });
      }
    });
  });
});

describe.each([
  ['IPv4', piece4],
  ['IPv6', piece6],
] as const)('%s: what is there already', (_, make) => {
  const receive = (...[at, more, length]: Parameters<typeof piece>): Taken =>
    lab.receive(make(piece(at, more, length)));

  it('is dropped alone when it is the same', () => {
    expect(receive(0, true, 16)).toEqual(HELD);
    expect(receive(0, true, 16)).toEqual(dropped('fragment-duplicate'));
    expect(receive(16, false, 5)).toHaveProperty('whole');
  });

  it('is dropped alone when it lies in a run that came in in order', () => {
    expect(receive(0, true, 16)).toEqual(HELD);
    expect(receive(16, true, 16)).toEqual(HELD);
    expect(receive(8, true, 16)).toEqual(dropped('fragment-duplicate'));
    expect(receive(32, false, 5)).toHaveProperty('whole');
  });

  it('takes the datagram with it when it lies in two runs', () => {
    expect(receive(16, true, 16)).toEqual(HELD);
    expect(receive(0, true, 16)).toEqual(HELD);
    expect(receive(8, true, 16)).toEqual(dropped('fragment-overlap'));
    expect(lab.held).toEqual({ datagrams: 0, blocks: 0 });
  });

  it.each([
    [8, 16],
    [24, 16],
    [8, 32],
  ])('takes the datagram with it when more comes with it: %i, %i', (at, length) => {
    expect(receive(16, true, 16)).toEqual(HELD);
    expect(receive(at, true, length)).toEqual(dropped('fragment-overlap'));
    expect(lab.held).toEqual({ datagrams: 0, blocks: 0 });
  });

  it('may touch', () => {
    for (const at of [64, 0, 32, 16, 48]) expect(receive(at, true, 16)).toEqual(HELD);
    const taken = receive(80, false, 1);
    expect('whole' in taken && toHex(taken.whole.slice(-81))).toBe(toHex(counting(81)));
  });
});

describe('what cannot be', () => {
  it('IPv4: takes the datagram with it', () => {
    const start = (): void => {
      expect(lab.receive(piece4(piece(8, true, 16)))).toEqual(HELD);
    };
    const refused = (part: Piece): void => {
      expect(lab.receive(piece4(part)), `${part.at} ${part.more}`).toEqual(dropped('fragment-malformed'));
      expect(lab.held).toEqual({ datagrams: 0, blocks: 0 });
    };
    for (const part of [piece(24, false, 0), piece(24, true, 7), piece(65528, false, 8), piece(16, false, 4)]) {
      start();
      refused(part);
    }
    expect(lab.receive(piece4(piece(24, false, 5)))).toEqual(HELD);
    refused(piece(24, false, 4));
    expect(lab.receive(piece4(piece(24, false, 5)))).toEqual(HELD);
    refused(piece(24, true, 8));
  });

  it('IPv4: cuts off what no other can follow', () => {
    expect(lab.receive(piece4(piece(0, true, 23)))).toEqual(HELD);
    const taken = lab.receive(piece4(piece(16, false, 5)));
    const words = { source: '10.0.0.51', destination: '10.0.0.100', protocol: UDP };
    expect(whole(taken)).toBe(toHex(ipv4(words, counting(21))));
  });

  it('IPv6: is dropped alone', () => {
    expect(lab.receive(piece6(piece(8, true, 16)))).toEqual(HELD);
    for (const part of [piece(65528, false, 8), piece(16, false, 4), piece(16, true, 0)]) {
      expect(lab.receive(piece6(part))).toEqual(dropped('fragment-malformed'));
    }
    expect(lab.receive(piece6(piece(24, false, 5)))).toEqual(HELD);
    expect(lab.receive(piece6(piece(24, false, 4)))).toEqual(dropped('fragment-malformed'));
    expect(lab.receive(piece6(piece(24, true, 8)))).toEqual(dropped('fragment-malformed'));
    expect(lab.receive(piece6(piece(0, true, 8)))).toHaveProperty('whole');
  });

  it('IPv6: takes the datagram with it when none can follow', () => {
    expect(lab.receive(piece6(piece(8, true, 16)))).toEqual(HELD);
    expect(lab.receive(piece6(piece(24, true, 7)))).toEqual(dropped('fragment-malformed'));
    expect(lab.held).toEqual({ datagrams: 0, blocks: 0 });
  });

  it.each([
    ['TCP', 6, 20],
    ['UDP', 17, 8],
    ['ICMPv6', 58, 8],
  ])('IPv6: a first fragment without all of its %s header (RFC 8200 §4.5)', (_, protocol, needed) => {
    const refused = dropped('fragment-malformed');
    const short = Math.ceil(needed / 8) * 8 - 8;
    if (short > 0) expect(lab.receive(piece6(piece(0, true, short), { protocol }))).toEqual(refused);
    expect(lab.receive(piece6(piece(0, true, short + 8), { protocol }))).toEqual(HELD);
  });

  it.each([
    ['with an extension header that goes on in the next', '1101 010400000000', HELD],
    ['that ends before the transport header', 'c800 010400000000', dropped('fragment-malformed')],
    ['of a packet without a transport header', '3b00 010400000000', HELD],
  ])('IPv6: a first fragment %s', (_, options, expected) => {
    const part = { at: 0, more: true, payload: hex(options) };
    expect(lab.receive(piece6(part, { protocol: DESTINATION_OPTIONS }))).toEqual(expected);
  });

  it('a datagram of 65,535 bytes is the longest', () => {
    const room = new PieceLab({ fragmentBytes: 1 << 18, arenaBytes: 1 << 18 });
    const most = 44 * 1456;
    const parts = Array.from({ length: 44 }, (_, i) => piece(i * 1456, true, 1456));
    const rest = (to: number): Piece => piece(most, false, to - most);
    const whole4 = room.gather([...parts, rest(65515)].map((part) => piece4(part)));
    expect(toHex(whole4.slice(20))).toBe(toHex(counting(65515)));
    const last4 = [...parts, rest(65516)].map((part) => room.receive(piece4(part))).at(-1);
    expect(last4).toEqual(dropped('fragment-malformed'));
    const whole6 = room.gather([...parts, rest(65535)].map((part) => piece6(part)));
    expect(toHex(whole6.slice(40))).toBe(toHex(counting(65535)));
    const before = [[HOP_BY_HOP, hex('00050200000100')]] as const;
    const last6 = [...parts, rest(65528)].map((part) => room.receive(piece6(part, { before }))).at(-1);
    expect(last6).toEqual(dropped('fragment-malformed'));
    expect(room.held).toEqual({ datagrams: 0, blocks: 0 });
  });
});

describe('an atomic fragment', () => {
  it('is whole at once (RFC 6946), unless others of its identification wait: then Linux takes it for one of them', () => {
    expect(whole(lab.receive(piece6(piece(0, false, 21))))).toBe(
      toHex(ipv6({ source: 'fd00::52', destination: 'fd00::100', protocol: OTHER }, counting(21))),
    );
    expect(lab.receive(piece6(piece(8, true, 24)))).toEqual(HELD);
    expect(lab.receive(piece6(piece(0, false, 21)))).toEqual(dropped('fragment-malformed'));
  });

  it('keeps what stands before the fragment header', () => {
    const before = [[HOP_BY_HOP, hex('00050200000100')]] as const;
    const ends = { source: 'fd00::52', destination: 'fd00::100' };
    expect(whole(lab.receive(piece6(piece(0, false, 3), { before })))).toBe(
      toHex(ipv6({ ...ends, extensions: before, protocol: OTHER }, counting(3))),
    );
  });

  it('of nothing is refused', () => {
    expect(lab.receive(piece6(piece(0, false, 0)))).toEqual(dropped('fragment-malformed'));
  });
});

describe('time', () => {
  it.each([
    ['IPv4', piece4, 30_000],
    ['IPv6', piece6, 60_000],
  ] as const)('%s: from the first fragment on', (_, make, timeout) => {
    for (const start of [0, 0x1_0000_0000 - 10_000]) {
      const before = lab.counter('fragment-timeout');
      lab.now = start;
      expect(lab.receive(make(piece(0, true, 16)))).toEqual(HELD);
      lab.now = start + timeout - 1;
      expect(lab.receive(make(piece(32, true, 16)))).toEqual(HELD);
      expect(lab.held).toEqual({ datagrams: 1, blocks: 2 });
      lab.now = start + timeout;
      expect(lab.held).toEqual({ datagrams: 0, blocks: 0 });
      expect(lab.counter('fragment-timeout')).toBe(before + 2);
      expect(lab.receive(make(piece(16, true, 16)))).toEqual(HELD);
      lab.now = start + 2 * timeout;
    }
  });

  it('ends for each datagram by itself, in whatever order they are completed', () => {
    const ids = [1, 2, 3, 4, 5];
    for (const id of ids) {
      lab.now = id * 1000;
      expect(lab.receive(piece4(piece(0, true, 16), { id }))).toEqual(HELD);
      expect(lab.receive(piece6(piece(0, true, 16), { id }))).toEqual(HELD);
    }
    for (const id of [3, 1, 5]) expect(lab.receive(piece4(piece(16, false, 1), { id }))).toHaveProperty('whole');
    expect(lab.held.datagrams).toBe(7);
    lab.now = 32_000;
    expect(lab.held.datagrams).toBe(6);
    lab.now = 34_000;
    expect(lab.held.datagrams).toBe(5);
    lab.now = 62_999;
    expect(lab.held.datagrams).toBe(3);
    lab.now = 65_000;
    expect(lab.held).toEqual({ datagrams: 0, blocks: 0 });
    expect(lab.counter('fragment-timeout')).toBe(7);
  });
});
