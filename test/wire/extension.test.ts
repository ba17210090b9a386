/** Extension headers, held to a plain model; the rules of options are those of Linux. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reason } from '../../src/abi/verdict.js';
import { hex, ipv6, join } from '../support/packets.js';
import { properties } from '../support/property.js';
import { AT, core } from './header.js';

const property = properties(import.meta.url);

const HOP_BY_HOP = 0;
const TCP = 6;
const ROUTING = 43;
const FRAGMENT = 44;
const AH = 51;
const NO_NEXT = 59;
const DESTINATION = 60;

const ADDRESSES = { source: 'fd00::2', destination: 'fd00::100' };

interface Found {
  protocol: number;
  offset: number;
  /** 0 for none. */
  fragment: number;
  fault: string | undefined;
}

function taken(word: bigint): Found {
  const number = (shift: bigint, mask: bigint): number => Number((BigInt.asUintN(64, word) >> shift) & mask);
  const fault = number(56n, 0xffn);
  return {
    protocol: number(0n, 0xffn),
    offset: number(8n, 0xffffffn),
    fragment: number(32n, 0xffffffn),
    fault: fault === 0 ? undefined : Reason[fault],
  };
}

/** What `walk` finds in a packet behind which lies something else. */
function find(packet: Uint8Array, walk = core.call.extensions, behind = 0xa5): Found {
  core.bytes.fill(behind, AT, AT + packet.length + 4096);
  core.bytes.set(packet, AT);
  return taken(walk(AT, AT + packet.length));
}

/** A header of options, without its first byte, padded to a multiple of eight with one PadN. */
function options(...bytes: readonly Uint8Array[]): Uint8Array {
  const all = join(...bytes);
  const room = (8 - ((all.length + 2) % 8)) % 8;
  const pad =
    room === 0 ? hex('') : room === 1 ? hex('00') : join(hex('01'), Uint8Array.of(room - 2), new Uint8Array(room - 2));
  return join(Uint8Array.of((all.length + pad.length + 2) / 8 - 1), all, pad);
}

const PLAIN = options(hex(''));
const fragment = (offset: number, more = false): Uint8Array =>
  join(hex('00'), Uint8Array.of(offset >> 5, ((offset & 31) << 3) | (more ? 1 : 0)), hex('01020304'));

const withHeaders = (...extensions: [number, Uint8Array][]): Uint8Array =>
  ipv6({ ...ADDRESSES, extensions }, new Uint8Array(20));

describe('the transport header', () => {
  it.each<[string, [number, Uint8Array][], Partial<Found>]>([
    ['without any extension', [], { protocol: TCP, offset: 40 }],
    ['behind hop-by-hop options', [[HOP_BY_HOP, PLAIN]], { protocol: TCP, offset: 48 }],
    ['behind destination options of 16 bytes', [[DESTINATION, options(new Uint8Array(14))]], { offset: 56 }],
    ['behind a routing header', [[ROUTING, hex('02 0001 00000000 00000000000000000000000000000000')]], { offset: 64 }],
    [
      'behind AH, whose length counts in fours',
      [[AH, hex('04 0000 00000000 00000000 000000000000000000000000')]],
      { offset: 64 },
    ],
    ['behind an atomic fragment header', [[FRAGMENT, fragment(0)]], { protocol: TCP, offset: 48, fragment: 40 }],
    ['of a first fragment', [[FRAGMENT, fragment(0, true)]], { protocol: TCP, offset: 48, fragment: 40 }],
    [
      'of a later fragment is none',
      [
        [FRAGMENT, fragment(1)],
        [DESTINATION, PLAIN],
      ],
      { protocol: DESTINATION, offset: 48, fragment: 40 },
    ],
    [
      'behind all of them',
      [
        [HOP_BY_HOP, PLAIN],
        [DESTINATION, PLAIN],
        [ROUTING, hex('00 0000 00000000')],
        [FRAGMENT, fragment(0)],
        [DESTINATION, PLAIN],
      ],
      { protocol: TCP, offset: 80, fragment: 64 },
    ],
  ])('%s', (_, extensions, expected) => {
    expect(find(withHeaders(...extensions))).toEqual({ protocol: TCP, fragment: 0, fault: undefined, ...expected });
  });

  it.each([NO_NEXT, 50, 17, 132, 58, 255])('%i ends the walk', (protocol) => {
    expect(find(ipv6({ ...ADDRESSES, protocol }))).toMatchObject({ protocol, offset: 40, fault: undefined });
  });

  it('may begin where the packet ends', () => {
    const packet = ipv6({ ...ADDRESSES, extensions: [[HOP_BY_HOP, PLAIN]] });
    expect(find(packet)).toMatchObject({ protocol: TCP, offset: 48, fault: undefined });
  });

  it.each([40, 41, 47, 48, 55])('is out of reach when the headers are cut at %i bytes', (length) => {
    const packet = withHeaders([HOP_BY_HOP, PLAIN], [DESTINATION, PLAIN]).subarray(0, length);
    expect(find(packet)).toMatchObject({ protocol: NO_NEXT, fault: 'Ipv6Truncated' });
  });

  it.each([48, 54, 55])('is out of reach when a header of 16 bytes is cut at %i', (length) => {
    const packet = withHeaders([DESTINATION, options(new Uint8Array(14))]).subarray(0, length);
    expect(find(packet)).toMatchObject({ protocol: NO_NEXT, fault: 'Ipv6Truncated' });
  });

  it('is named by the header before it', () => {
    const packet = withHeaders(
      [HOP_BY_HOP, PLAIN],
      [DESTINATION, options(new Uint8Array(14))],
      [FRAGMENT, fragment(0)],
    );
    core.bytes.set(packet, AT);
    const { offset, fragment: at } = find(packet);
    expect(core.call.nameOffset(AT, offset)).toBe(at);
    expect(core.call.nameOffset(AT, at)).toBe(48);
    expect(core.call.nameOffset(AT, 48)).toBe(40);
    expect(core.call.nameOffset(AT, 40)).toBe(6);
  });
});

/** The same walk, as plainly as can be. */
function model(packet: Uint8Array): Found {
  let protocol = packet[6] as number;
  let at = 40;
  let fragmentAt = 0;
  while ([HOP_BY_HOP, ROUTING, FRAGMENT, AH, DESTINATION].includes(protocol)) {
    if (at + 8 > packet.length) return { protocol: NO_NEXT, offset: at, fragment: fragmentAt, fault: 'Ipv6Truncated' };
    const [next, units, high, low] = packet.subarray(at) as unknown as [number, number, number, number];
    if (protocol === FRAGMENT) {
      fragmentAt = at;
      if ((((high << 8) | low) & 0xfff8) !== 0)
        return { protocol: next, offset: at + 8, fragment: at, fault: undefined };
    }
    at += protocol === FRAGMENT ? 8 : protocol === AH ? 4 * (units + 2) : 8 * (units + 1);
    protocol = next;
  }
  if (at > packet.length) return { protocol: NO_NEXT, offset: at, fragment: fragmentAt, fault: 'Ipv6Truncated' };
  return { protocol, offset: at, fragment: fragmentAt, fault: undefined };
}

const number = fc.oneof(fc.constantFrom(HOP_BY_HOP, ROUTING, FRAGMENT, AH, DESTINATION, TCP, NO_NEXT), fc.nat(255));
/** Chains of headers with small lengths; some end beyond the packet. */
const chains = fc
  .record({
    first: number,
    headers: fc.array(
      fc.tuple(number, fc.nat(2), fc.constantFrom(0, 0, 0, 1, 8), fc.uint8Array({ minLength: 28, maxLength: 28 })),
    ),
    cut: fc.nat(120),
  })
  .map(({ first, headers, cut }) => {
    const parts: Uint8Array[] = [];
    let protocol = first;
    for (const [next, units, offset, rest] of headers) {
      const length = protocol === FRAGMENT ? 8 : protocol === AH ? 4 * (units + 2) : 8 * (units + 1);
      parts.push(join(Uint8Array.of(next, units, 0, offset), rest).subarray(0, length));
      protocol = next;
    }
    const packet = join(ipv6({ ...ADDRESSES, protocol: first }), ...parts, new Uint8Array(20));
    return cut < 60 ? packet : packet.subarray(0, Math.max(40, packet.length - cut + 60));
  });

property(
  'any chain is walked as by the model, whatever lies behind the packet',
  fc.property(chains, (packet) => {
    const expected = model(packet);
    for (const behind of [0x00, 0x2c, 0xff]) expect(find(packet, core.call.extensions, behind)).toEqual(expected);
  }),
);

describe('hop-by-hop options', () => {
  const check = (rest: Uint8Array, destination = 'fd00::100'): Found => {
    const extensions: [number, Uint8Array][] = [[HOP_BY_HOP, rest]];
    return find(ipv6({ ...ADDRESSES, destination, extensions }, new Uint8Array(20)), core.call.hopByHop);
  };
  const FINE = { fault: undefined };
  const REFUSED = { fault: 'Ipv6Extension' };
  const problem = (code: number, pointer: number) => ({ fault: 'ParameterProblem', protocol: code, offset: pointer });

  it.each<[string, Uint8Array, object]>([
    ['padding alone', PLAIN, FINE],
    ['seven bytes of Pad1 before an option', options(hex('00000000000000 1e00')), FINE],
    ['eight bytes of Pad1', options(hex('0000000000000000 1e00')), REFUSED],
    ['Pad1 and PadN that make eight', options(hex('0000 0104 00000000 1e00')), REFUSED],
    ['padding of seven, an option, padding of five', options(hex('01050000000000 1e00 0103000000')), FINE],
    ['PadN with a byte that is not 0', options(hex('010200 01')), REFUSED],
    ['router alert', options(hex('05020000')), FINE],
    ['router alert of three bytes', options(hex('0503000000')), REFUSED],
    ['an unknown option to be skipped', options(hex('1e02ffff')), FINE],
    ['an unknown option to be dropped', options(hex('5e00')), REFUSED],
    ['an unknown option to be answered', options(hex('1e00 9e00')), problem(2, 44)],
    ['an unknown option to be answered unless multicast', options(hex('de00')), problem(2, 42)],
    ['an option longer than the header', hex('00 1e05 00000000'), REFUSED],
    ['an option without a length', hex('00 1e03000000 1e'), REFUSED],
    ['eight options', options(hex('1e00'.repeat(8))), FINE],
    ['nine options', options(hex('1e00'.repeat(9))), REFUSED],
    ['a jumbo length that is none', options(hex('c204 0000ffff')), problem(0, 44)],
    ['a jumbo length beside a payload length', options(hex('c204 00010000')), problem(0, 42)],
    ['a jumbo option of three bytes', options(hex('c203 000100')), REFUSED],
    ['a jumbo option one byte out of line', options(hex('00 c204 00010000')), REFUSED],
    ['a jumbo option two bytes out of line', options(hex('1e00 c204 00010000')), REFUSED],
  ])('%s', (_, rest, expected) => {
    expect(check(rest)).toMatchObject(expected);
  });

  it('an unknown option is not answered to a group', () => {
    expect(check(options(hex('de00')), 'ff02::1')).toMatchObject(REFUSED);
    expect(check(options(hex('9e00')), 'ff02::1')).toMatchObject(problem(2, 42));
  });

  it('only stand right behind the IPv6 header', () => {
    const packet = withHeaders([DESTINATION, options(hex('5e00'))], [HOP_BY_HOP, options(hex('5e00'))]);
    expect(find(packet, core.call.hopByHop)).toMatchObject(FINE);
  });

  it.each([40, 47, 48, 55])('cut at %i bytes', (length) => {
    const packet = withHeaders([HOP_BY_HOP, options(hex('1e0a'), new Uint8Array(10))]).subarray(0, length);
    expect(find(packet, core.call.hopByHop)).toMatchObject({ fault: 'Ipv6Truncated' });
  });
});
