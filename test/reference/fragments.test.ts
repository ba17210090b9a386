import { describe, expect, it } from 'vitest';
import { cut } from '../../src/reference/fragments.js';
import { checksumIsRight } from '../../src/reference/packet/checksum.js';
import { type IpPacket, isIpv6, parseIp, serialiseIp } from '../../src/reference/packet/ip.js';
import { IP_FLAG } from '../../src/reference/packet/ipv4.js';
import type { Ipv6Packet } from '../../src/reference/packet/ipv6.js';
import { Reassembler } from '../../src/reference/reassembly.js';
import { ip } from './builders.js';
import { counting, geometry, piece, piece6, ROOMY, SIX, takeAll, whole, words } from './pieces.js';
import { hex, toHex } from './support.js';

describe('nat-frag, "tiny fragments of 8 bytes"', () => {
  const came = `4500001c01f82000401144430a0000330a000064a80600350048147e
    4500001c01f82001401144420a0000330a00006400070e151c232a31
    4500001c01f82002401144410a0000330a000064383f464d545b6269
    4500001c01f82003401144400a0000330a00006470777e858c939aa1
    4500001c01f820044011443f0a0000330a000064a8afb6bdc4cbd2d9
    4500001c01f820054011443e0a0000330a000064e0e7eef5fc030a11
    4500001c01f820064011443d0a0000330a000064181f262d343b4249
    4500001c01f820074011443c0a0000330a00006450575e656c737a81
    4500001c01f800084011643b0a0000330a000064888f969da4abb2b9`.split(/\s+/);
  const left = `4500001c01f820003f11459b0a0000330a01000ba80614e900480022
    4500001c01f820013f11459a0a0000330a01000b00070e151c232a31
    4500001c01f820023f1145990a0000330a01000b383f464d545b6269
    4500001c01f820033f1145980a0000330a01000b70777e858c939aa1
    4500001c01f820043f1145970a0000330a01000ba8afb6bdc4cbd2d9
    4500001c01f820053f1145960a0000330a01000be0e7eef5fc030a11
    4500001c01f820063f1145950a0000330a01000b181f262d343b4249
    4500001c01f820073f1145940a0000330a01000b50575e656c737a81
    4500001c01f800083f1165930a0000330a01000b888f969da4abb2b9`.split(/\s+/);

  it.each([
    ['in order', came],
    ['backwards', [...came].reverse()],
    ['shuffled', [3, 8, 0, 5, 7, 1, 6, 2, 4].map((i) => came[i]!)],
  ])('%s: whole at the last, and leaves as it came', (_, given) => {
    const taken = takeAll(given.map((text) => parseIp(hex(text))));
    const { packet, arrival, attached } = whole(given.map((text) => parseIp(hex(text))));
    expect(words(taken)).toEqual([...Array(8).fill('held'), 'whole']);
    expect(attached).toBe(given.indexOf(came[0]!));
    expect(toHex(serialiseIp(packet)).slice(0, 56)).toBe('4500005c01f80000401164030a0000330a000064a80600350048147e');
    expect(checksumIsRight(serialiseIp(packet).subarray(0, 20))).toBe(true);
    if (isIpv6(packet)) throw new Error('IPv6');
    const translated = { ...packet, ttl: 63, destination: 0x0a01000b, payload: packet.payload.slice() };
    translated.payload.set(hex('14e900480022'), 2);
    const pieces = cut(translated, { mtu: 1500, identification: 0, arrival });
    expect(pieces).not.toBe('too-big');
    expect(pieces === 'too-big' ? [] : pieces.map((each) => toHex(serialiseIp(each)))).toEqual(left);
  });
});

describe('DF on fragments', () => {
  const both = IP_FLAG.dontFragment | IP_FLAG.moreFragments;

  it('nat-frag, "fragments with DF set as well": the whole has it, too', () => {
    const came = [
      piece(0, 976, true, { flags: both, identification: 0x02c6 }),
      piece(976, 976, true, { flags: both, identification: 0x02c6 }),
      piece(1952, 56, false, { flags: IP_FLAG.dontFragment, identification: 0x02c6 }),
    ];
    const { packet, arrival } = whole(came);
    expect(toHex(serialiseIp(packet)).slice(0, 16)).toBe('450007ec02c64000');
    expect(arrival).toMatchObject({ dontFragment: true, largest: 996 });
    // As they came they leave without DF, else with it.
    expect(geometry(cut(packet, { mtu: 1500, identification: 0, arrival })).map(([, , flags]) => flags)).toEqual([
      1, 1, 0,
    ]);
    expect(geometry(cut(packet, { mtu: 900, identification: 0, arrival })).map(([, , flags]) => flags)).toEqual([
      3, 3, 2,
    ]);
  });

  it('counts only if the largest has it', () => {
    const small = [piece(0, 976, true), piece(976, 56, false, { flags: IP_FLAG.dontFragment })];
    expect(whole(small)).toMatchObject({ packet: { flags: 0 }, arrival: { dontFragment: false } });
  });

  it('and the reserved bit goes', () => {
    const odd = [piece(0, 16, true, { flags: 5 }), piece(16, 8, false, { flags: 4 })];
    expect(whole(odd)).toMatchObject({ packet: { flags: 0, fragmentOffset: 0 } });
  });
});

describe('the whole', () => {
  it('has the header of the first fragment', () => {
    const options = hex('94040000');
    const { packet } = whole([
      piece(16, 8, false, { ttl: 9, tos: 0x10 }),
      piece(0, 16, true, { ttl: 60, tos: 0xb8, options }),
    ]);
    expect(packet).toMatchObject({ ttl: 60, tos: 0xb8, options, payload: counting(24) });
  });

  it('of IPv6 has the extension headers in front of its fragment header', () => {
    const hopByHop = '00010400000000';
    const first = parseIp(hex(`6000000000200007${'00'.repeat(32)}2c${hopByHop}3c00000100000005${counting16()}`));
    const last = parseIp(hex(`6000000000180007${'00'.repeat(32)}2c${hopByHop}3b00001000000005${'aa'.repeat(8)}`));
    const { packet } = whole([last, first]);
    expect(toHex(serialiseIp(packet))).toBe(
      `6000000000200007${'00'.repeat(32)}3c${hopByHop}${counting16()}${'aa'.repeat(8)}`,
    );
  });

  it('knows how it came', () => {
    const { arrival } = whole([
      piece(24, 5, false),
      piece(0, 8, true, { options: hex('94040000') }),
      piece(8, 16, true),
    ]);
    expect(arrival).toEqual({ family: 4, rest: [16, 5], largest: 36, dontFragment: false, identification: 0x1234 });
    const six = whole([piece6(0, 16, true), piece6(16, 3, false)]);
    expect(six.arrival).toEqual({ family: 6, rest: [3], largest: 64, dontFragment: false, identification: 5 });
  });

  // RFC 3168 §5.3 and what Linux drops.
  it.each([
    [[0, 0], 0],
    [[2, 2], 2],
    [[1, 2], 1],
    [[2, 1], 2],
    [[3, 2], 3],
    [[1, 3], 3],
    [[0, 2], undefined],
    [[3, 0], undefined],
  ])('ECN %j becomes %s', ([first, second], expected) => {
    const four = takeAll([piece(0, 8, true, { tos: first! }), piece(8, 8, false, { tos: second! })]);
    const six = takeAll([piece6(0, 8, true, { trafficClass: first! }), piece6(8, 8, false, { trafficClass: second! })]);
    for (const taken of [four, six]) {
      const last = taken.at(-1);
      if (expected === undefined) expect(last).toMatchObject({ state: 'refused', reason: 'fragment-malformed' });
      else if (last?.state !== 'whole') throw new Error('not whole');
      else expect(isIpv6(last.packet) ? last.packet.trafficClass : last.packet.tos).toBe(expected);
    }
  });
});

function counting16(): string {
  return '3b00010400000000'.padEnd(32, '5');
}

describe('fragments that do not fit', () => {
  it.each<[string, IpPacket[], string[]]>([
    ['the same twice', [piece(0, 16, true), piece(0, 16, true)], ['held', 'fragment-duplicate']],
    [
      'within several that came in order',
      [piece(0, 16, true), piece(16, 16, true), piece(8, 16, true), piece(32, 8, false)],
      ['held', 'held', 'fragment-duplicate', 'whole'],
    ],
    [
      'over several that did not',
      [piece(16, 16, true), piece(0, 16, true), piece(8, 16, true), piece(32, 8, false)],
      ['held', 'held', 'fragment-overlap', 'held'],
    ],
    ['an overlap at its start', [piece(0, 16, true), piece(8, 16, true)], ['held', 'fragment-overlap']],
    ['an overlap at its end', [piece(8, 16, true), piece(0, 16, true)], ['held', 'fragment-overlap']],
    ['more than one there is', [piece(8, 8, true), piece(0, 24, true)], ['held', 'fragment-overlap']],
    [
      'after an overlap all is gone',
      [piece(0, 16, true), piece(8, 16, true), piece(16, 8, false), piece(0, 16, true)],
      ['held', 'fragment-overlap', 'held', 'whole'],
    ],
    [
      'beyond the end',
      [piece(16, 8, false), piece(16, 16, true), piece(0, 16, true)],
      ['held', 'fragment-malformed', 'held'],
    ],
    ['an end before what is there', [piece(16, 16, true), piece(8, 8, false)], ['held', 'fragment-malformed']],
    ['two ends', [piece(8, 16, false), piece(16, 16, false)], ['held', 'fragment-malformed']],
    ['nothing', [piece(0, 0, true)], ['fragment-malformed']],
    ['less than 8 bytes before the last', [piece(0, 7, true)], ['fragment-malformed']],
    ['bytes over before the last', [piece(0, 13, true), piece(8, 8, false)], ['held', 'whole']],
  ])('IPv4: %s', (_, packets, expected) => {
    expect(words(takeAll(packets))).toEqual(expected);
  });

  it('IPv4: more than 65535 bytes, found out at the end', () => {
    const big = ip({ flags: 1, payload: new Uint8Array(65_512) });
    const last = (length: number) => ip({ fragmentOffset: 8189, payload: new Uint8Array(length) });
    expect(words(takeAll([big, last(4)]))).toEqual(['held', 'fragment-malformed']);
    expect(words(takeAll([big, last(3)]))).toEqual(['held', 'whole']);
    expect(words(takeAll([ip({ fragmentOffset: 8191, payload: new Uint8Array(100) })]))).toEqual(['held']);
  });

  it.each<[string, IpPacket[], string[]]>([
    ['the same twice', [piece6(0, 16, true), piece6(0, 16, true)], ['held', 'fragment-duplicate']],
    ['an overlap', [piece6(0, 16, true), piece6(8, 16, true)], ['held', 'fragment-overlap']],
    [
      'beyond the end: the others stay',
      [piece6(16, 8, false), piece6(16, 16, true), piece6(0, 16, true)],
      ['held', 'fragment-malformed', 'whole'],
    ],
    [
      'two ends: the others stay',
      [piece6(8, 16, false), piece6(16, 16, false), piece6(0, 8, true)],
      ['held', 'fragment-malformed', 'whole'],
    ],
    [
      'no multiple of 8 before the last: all goes',
      [piece6(8, 8, false), piece6(0, 12, true), piece6(0, 8, true)],
      ['held', 'fragment-malformed', 'held'],
    ],
    ['nothing', [piece6(8, 0, true)], ['fragment-malformed']],
  ])('IPv6: %s', (_, packets, expected) => {
    expect(words(takeAll(packets))).toEqual(expected);
  });

  const refusal = (packet: IpPacket) => takeAll([packet])[0];
  const malformed = { state: 'refused', reason: 'fragment-malformed' };

  it('IPv6: what the sender is told (RFC 8200 §4.5)', () => {
    expect(refusal(piece6(0, 12, true))).toEqual({ ...malformed, problem: { code: 0, pointer: 4 } });
    expect(refusal(piece6(8, 12, true, { nextHeader: 253 }))).toEqual({
      ...malformed,
      problem: { code: 0, pointer: 4 },
    });
    expect(refusal(piece6(8, 12, true, { nextHeader: 58 }))).toEqual(malformed);
    expect(refusal(piece6(65_528, 8, false))).toEqual(malformed);
    expect(refusal(piece6(65_528, 7, false))).toEqual({ state: 'held' });
    expect(refusal(piece6(8, 0, false))).toEqual(malformed);
  });

  it.each([
    ['UDP', 17, 8],
    ['TCP', 6, 24],
    ['ICMPv6', 58, 8],
    ['SCTP', 132, 8],
    ['another', 253, 8],
  ])('IPv6: a first fragment without the whole header of %s', (_, nextHeader, length) => {
    const first = (bytes: number) => refusal(piece6(0, bytes, true, { nextHeader }));
    expect(first(length)).toEqual({ state: 'held' });
    const expected = nextHeader === 253 ? { ...malformed, problem: { code: 3, pointer: 0 } } : malformed;
    expect(first(length - 8)).toEqual(expected);
    const atomic = refusal(piece6(0, nextHeader > 100 ? 1 : length, false, { nextHeader }));
    expect(atomic?.state).toBe('whole');
  });

  it('IPv6: a first fragment that ends within an extension header, or carries nothing, is none of those', () => {
    expect(refusal(piece6(0, 8, true, { nextHeader: 59 }))).toEqual({ state: 'held' });
    expect(refusal(piece6(0, 0, true, { nextHeader: 59 }))).toEqual(malformed);
    const cutShort = piece6(0, 8, true, { nextHeader: 60 });
    cutShort.payload[9] = 4;
    expect(refusal(cutShort)).toEqual({ state: 'held' });
  });

  it('IPv6: a payload length of more than 65535, found out at the end', () => {
    const hop = hex('2c00010400000000');
    const withHop = (packet: Ipv6Packet) => ({
      ...packet,
      nextHeader: 0,
      payload: Uint8Array.from([...hop, ...packet.payload]),
    });
    const packets = [withHop(piece6(0, 65_520, true)), withHop(piece6(65_520, 9, false))];
    expect(words(takeAll(packets))).toEqual(['held', 'fragment-malformed']);
    expect(words(takeAll([packets[0]!, withHop(piece6(65_520, 7, false))]))).toEqual(['held', 'whole']);
  });

  it('are no fragments', () => {
    expect(() => takeAll([ip()])).toThrow(RangeError);
    expect(() => takeAll([SIX])).toThrow(RangeError);
  });
});

it.each([
  ['identification', { identification: 1 }],
  ['protocol', { protocol: 6 }],
  ['source', { source: '10.0.0.3' }],
  ['destination', { destination: '10.0.0.3' }],
])('another %s is another datagram', (_, other) => {
  expect(words(takeAll([piece(0, 8, true), piece(8, 8, false, other)]))).toEqual(['held', 'held']);
});

it('another source, destination or identification is another datagram of IPv6', () => {
  const last = piece6(8, 8, false);
  const renamed = { ...last, payload: Uint8Array.from(last.payload, (byte, i) => (i === 7 ? 1 : byte)) };
  const others = [{ ...last, source: 9n }, { ...last, destination: 9n }, renamed];
  for (const other of others) expect(words(takeAll([piece6(0, 8, true), other]))).toEqual(['held', 'held']);
  expect(words(takeAll([piece6(0, 8, true), { ...last, nextHeader: 44 }]))).toEqual(['held', 'whole']);
});

describe('what is held', () => {
  it('is bounded in bytes, headers included', () => {
    const taken = takeAll([piece(0, 80, true), piece(80, 80, true), piece(160, 8, false)], { ...ROOMY, bytes: 200 });
    expect(words(taken)).toEqual(['held', 'held', 'fragment-limit']);
    const six = takeAll([piece6(0, 80, true), piece6(80, 8, false)], { ...ROOMY, bytes: 128 });
    expect(words(six)).toEqual(['held', 'fragment-limit']);
  });

  it('is bounded in datagrams', () => {
    const datagrams = [1, 2, 3, 1, 3].map((identification, i) => piece(i < 3 ? 0 : 8, 8, i < 3, { identification }));
    expect(words(takeAll(datagrams, { ...ROOMY, datagrams: 2 }))).toEqual([
      'held',
      'held',
      'fragment-limit',
      'whole',
      'held',
    ]);
  });

  it('is given up after 30 seconds, of IPv6 after 60', () => {
    const reassembler = new Reassembler<undefined>(ROOMY);
    reassembler.take(piece(0, 8, true), 1000, undefined);
    reassembler.take(piece6(0, 8, true), 1000, undefined);
    reassembler.take(piece6(16, 8, true), 50_000, undefined);
    expect(reassembler.bytes).toBe(28 + 56 + 56);
    expect(reassembler.expire(30_999)).toBe(0);
    expect(reassembler.expire(31_000)).toBe(1);
    expect(reassembler.take(piece(8, 8, false), 31_000, undefined).state).toBe('held');
    expect(reassembler.expire(60_999)).toBe(0);
    expect(reassembler.expire(61_000)).toBe(3);
    expect(reassembler.bytes).toBe(0);
  });

  it('is nothing after all was given back or dropped', () => {
    const reassembler = new Reassembler<undefined>(ROOMY);
    for (const each of [piece(0, 8, true), piece(8, 8, false), piece(0, 16, true), piece(8, 16, true)]) {
      reassembler.take(each, 0, undefined);
    }
    expect(reassembler.bytes).toBe(0);
  });
});
