/** NAT64: ICMP errors in the other family, byte by byte. */
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../src/director.js';
import { NOW, PROTOCOLS, restored } from '../support/fullnat.js';
import {
  atClient,
  atServer,
  CLIENT,
  fromClient,
  fromServer,
  idOf,
  LOCAL,
  nat64,
  network64,
  opened,
  ROUTER,
  ROUTER6,
  SECOND,
  SERVER,
  send64,
  sendAll,
  VIP,
  type Words64,
} from '../support/nat64.js';
import { ACK, counting, fixIpv4, hex, icmp, ipv4, ipv6, join, toHex, u32 } from '../support/packets.js';

/** A director with a connection, and what an error is about at each end; `delta`: of the client's numbers. */
function begun(words: Words64 = {}, settings = {}, options = {}) {
  const director = nat64(settings, options);
  const delta = opened(director, words);
  const there = { ...words, flags: ACK, seq: 0xffff_ff00, ttl: 3 };
  const back = { ...words, flags: ACK, ack: 7, ttl: 3 };
  return {
    director,
    /** What the server got, and the client sent. */
    request: [atServer({ ...there, seq: u32(0xffff_ff00 + delta) }), fromClient(there)] as const,
    /** What the client got, and the server sent, but for what it acknowledged: errors leave that. */
    reply: [atClient(back), fromServer(back)] as const,
  };
}

/** A quoted IPv6 packet as one of IPv4, or the other way round, but for the transport checksum, which stays the quoted one's. */
function quoted(packet: Uint8Array, as: Uint8Array): Uint8Array {
  const from = packet.subarray(packet[0]! >> 4 === 6 ? 40 : (packet[0]! & 15) * 4);
  const isV4 = as[0]! >> 4 === 4;
  const header = as.slice(0, isV4 ? 20 : 40);
  // Of a quotation nobody knows the number.
  if (isV4) header.set([0, 0, 0, 0], 4);
  const transport = as.slice(header.length);
  const [field, end] = { 6: [16, 18], 17: [6, 8], 132: [8, 12] }[header[isV4 ? 9 : 6]!] as [number, number];
  transport.set(from.subarray(field, end), field);
  return join(isV4 ? fixIpv4(header) : header, transport);
}

/** Sends an ICMP error of a router about what the server got. */
const fromRouter = (type: number, code: number, body: Uint8Array, rest = 0, words = {}): Uint8Array =>
  icmp({ source: ROUTER, destination: LOCAL, ...words }, type, code, body, rest);
const fromRouter6 = (type: number, code: number, body: Uint8Array, rest = 0, words = {}): Uint8Array =>
  icmp({ source: ROUTER6, destination: VIP, ...words }, type, code, body, rest);

const isError = (outcome: Outcome, packet: Uint8Array, reason: 'icmp-in' | 'icmp-out'): void => {
  expect([outcome.verdict, outcome.reason, outcome.outInterface]).toEqual([
    'forward',
    reason,
    reason === 'icmp-in' ? 'srv' : 'cli',
  ]);
  expect(toHex(outcome.frame)).toBe(toHex(packet));
};

it('an error is about a connection of a restored director as well', () => {
  const { director, request } = begun();
  const { reason } = send64(restored(director), fromRouter(11, 0, request[0]), 'srv');
  expect(reason).toBe('icmp-out');
});

describe.each(PROTOCOLS)('an error about %s', (protocol) => {
  it("from the server's side goes to the client, about what that sent", () => {
    const { director, request } = begun({ protocol, payload: counting(40) });
    for (const source of [ROUTER, SERVER]) {
      const error = send64(director, fromRouter(11, 0, request[0], 0, { source, tos: 0xb8, ttl: 9 }), 'srv');
      const body = quoted(request[0], request[1]);
      isError(error, icmp({ source: VIP, destination: CLIENT, tos: 0xb8, ttl: 8 }, 3, 0, body), 'icmp-out');
    }
  });

  it("from the client's side goes to the server, about what that sent", () => {
    const { director, reply } = begun({ protocol, payload: counting(40) });
    for (const source of [ROUTER6, CLIENT]) {
      const error = send64(director, fromRouter6(3, 1, reply[0], 0, { source, tos: 0xb8, ttl: 9 }), 'cli');
      const words = { source: LOCAL, destination: SERVER, tos: 0xb8, ttl: 8, id: idOf(error.frame) };
      isError(error, icmp(words, 11, 1, quoted(reply[0], reply[1])), 'icmp-in');
    }
  });

  it('quotes nothing behind a header that says it is longer than its packet', () => {
    const { director, request } = begun({ protocol, payload: counting(40) });
    const shorter = request[0].slice();
    shorter.set([0, 7], 2);
    const body = quoted(...request);
    body.set([0, 0], 4);
    const outcome = send64(director, fromRouter(3, 1, shorter), 'srv');
    isError(outcome, icmp({ source: VIP, destination: CLIENT, ttl: 63 }, 1, 0, body), 'icmp-out');
  });

  it('quotes as little as it got', () => {
    const { director, request, reply } = begun({ protocol, payload: counting(40) });
    for (const length of [4, 7, 8, 9, 19]) {
      const out = send64(director, fromRouter(3, 1, request[0].subarray(0, 20 + length)), 'srv').frame;
      const all = quoted(request[0], request[1]);
      // Without all of its number it stays the server's.
      if (protocol === 'tcp' && length < 8) all.set(request[0].subarray(24, 28), 44);
      const words = { source: VIP, destination: CLIENT, ttl: 63 };
      expect(toHex(out)).toBe(toHex(icmp(words, 1, 0, all.subarray(0, 40 + length))));
      const back = send64(director, fromRouter6(1, 0, reply[0].subarray(0, 40 + length)), 'cli').frame;
      const there = { source: LOCAL, destination: SERVER, ttl: 63, id: idOf(back) };
      expect(toHex(back)).toBe(toHex(icmp(there, 3, 1, quoted(...reply).subarray(0, 20 + length))));
    }
    expect(send64(director, fromRouter(3, 1, request[0].subarray(0, 23)), 'srv').reason).toBe('local-delivery');
  });
});

/** Type, code, second word; what that becomes, or none. RFC 7915 §4.2, figure 3. */
type Words = readonly [type: number, code: number, rest: number];
const TO_6: readonly (readonly [...Words, Words | null])[] = [
  ...[0, 1, 5, 6, 7, 8, 11, 12].map((code) => fixed([3, code, 0, [1, 0, 0]])),
  ...[9, 10, 13, 15].map((code) => fixed([3, code, 0, [1, 1, 0]])),
  fixed([3, 2, 0, [4, 1, 6]]),
  fixed([3, 3, 0, [1, 4, 0]]),
  fixed([3, 4, 1400, [2, 0, 1420]]),
  fixed([3, 4, 1260, [2, 0, 1280]]),
  fixed([3, 4, 68, [2, 0, 1280]]),
  fixed([3, 4, 1481, [2, 0, 1500]]),
  fixed([3, 4, 0, [2, 0, 1280]]),
  fixed([3, 14, 0, null]),
  fixed([3, 16, 0, null]),
  fixed([4, 0, 0, null]),
  fixed([11, 0, 0, [3, 0, 0]]),
  fixed([11, 1, 0, [3, 1, 0]]),
  fixed([11, 2, 0, null]),
  ...pointers({ 0: 0, 1: 1, 2: 4, 3: 4, 8: 7, 9: 6, 12: 8, 15: 8, 16: 24, 19: 24 }, 21).flatMap(([from, to]) =>
    [0, 2].map((code) => fixed([12, code, from * 0x1000000, to === undefined ? null : [4, 0, to]])),
  ),
  fixed([12, 1, 0, null]),
];

/** The other way: §5.2, figure 6. */
const TO_4: typeof TO_6 = [
  ...[0, 2, 3].map((code) => fixed([1, code, 0, [3, 1, 0]])),
  fixed([1, 1, 0, [3, 10, 0]]),
  fixed([1, 4, 0, [3, 3, 0]]),
  fixed([1, 5, 0, null]),
  fixed([1, 6, 0, null]),
  fixed([2, 0, 1400, [3, 4, 1380]]),
  fixed([2, 0, 1280, [3, 4, 1260]]),
  fixed([2, 0, 9000, [3, 4, 1500]]),
  fixed([2, 0, 0xffff_ffff, [3, 4, 1500]]),
  fixed([2, 0, 88, [3, 4, 68]]),
  fixed([2, 0, 0, [3, 4, 68]]),
  fixed([3, 0, 0, [11, 0, 0]]),
  fixed([3, 1, 0, [11, 1, 0]]),
  fixed([3, 2, 0, null]),
  ...pointers({ 0: 0, 1: 1, 4: 2, 5: 2, 6: 9, 7: 8, 8: 12, 23: 12, 24: 16, 39: 16 }, 41).map(([from, to]) =>
    fixed([4, 0, from, to === undefined ? null : [12, 0, to * 0x1000000]]),
  ),
  fixed([4, 0, 0x1000000, null]),
  fixed([4, 1, 6, [3, 2, 0]]),
  fixed([4, 2, 0, null]),
  fixed([0, 0, 0, null]),
  fixed([5, 0, 0, null]),
  fixed([127, 0, 0, null]),
];

function fixed(row: (typeof TO_6)[number]): (typeof TO_6)[number] {
  return row;
}

/** The pointers of a figure: those that are named, and those in between as the one before where both ends of a field are. */
function pointers(named: Readonly<Record<number, number>>, end: number): [from: number, to: number | undefined][] {
  const all = Array.from({ length: end }, (_, from) => [from, named[from]] as [number, number | undefined]);
  const ends = Object.entries(named).map(([from, to]) => [Number(from), to] as const);
  for (const [i, [from, to]] of ends.entries()) {
    const next = ends[i + 1];
    if (next?.[1] === to) for (let at = from; at < next[0]; at++) all[at]![1] = to;
  }
  return all;
}

describe('an ICMP error', () => {
  const { director, request } = begun({ payload: counting(10) });

  it.each(TO_6)('of type %i, code %i and %i becomes %j', (type, code, rest, expected) => {
    const outcome = send64(director, fromRouter(type, code, request[0], rest), 'srv');
    if (!expected) {
      expect([outcome.verdict, outcome.reason]).toEqual(['drop', 'icmp-untranslatable']);
      return;
    }
    const [type6, code6, rest6] = expected;
    const words = { source: VIP, destination: CLIENT, ttl: 63 };
    isError(outcome, icmp(words, type6, code6, quoted(...request), rest6), 'icmp-out');
  });

  it('of other types is not looked at', () => {
    for (const type of [0, 5, 8, 13, 40]) {
      expect(send64(director, fromRouter(type, 0, request[0]), 'srv').reason).toBe('local-delivery');
    }
  });

  it('about another connection is the host’s, a problem with a parameter, too', () => {
    const other = atServer({ sport: 1025 });
    for (const type of [3, 11, 12]) {
      expect(send64(director, fromRouter(type, 0, other), 'srv').reason).toBe('local-delivery');
    }
    expect(send64(director, fromRouter(12, 0, new Uint8Array(0)), 'srv').reason).toBe('local-delivery');
  });

  it('with a wrong checksum is dropped', () => {
    const error = fromRouter(3, 1, request[0]);
    error[22]! ^= 1;
    expect(send64(director, error, 'srv').reason).toBe('icmp-checksum');
  });

  it('that tells no MTU means the plateau below what it quotes', () => {
    for (const [total, expected] of [
      [65535, 32020],
      [32001, 32020],
      [32000, 17934],
      [17914, 8186],
      [8167, 8186],
      [8166, 4372],
      [4352, 2022],
      [2002, 1512],
      [4353, 4372],
      [2003, 2022],
      [1493, 1512],
      [1492, 1280],
      [20, 1280],
    ] as const) {
      const wide = begun({}, {}, { network: network64(65_000, 65_000) });
      const quote = wide.request[0].slice();
      new DataView(quote.buffer).setUint16(2, total);
      const { frame } = send64(wide.director, fromRouter(3, 4, fixIpv4(quote)), 'srv');
      expect(new DataView(frame.buffer, frame.byteOffset).getUint32(44)).toBe(expected);
    }
  });

  it('tells no more than the way to the client carries, and less by what tells servers their clients', () => {
    const narrow = begun({}, {}, { network: network64(1400, 1500) });
    const told = ({ frame }: Outcome) => new DataView(frame.buffer, frame.byteOffset).getUint32(44);
    expect(told(send64(narrow.director, fromRouter(3, 4, narrow.request[0], 1480), 'srv'))).toBe(1400);
    const toa = nat64({ carry: 'toa' }, {}, ['tcp']);
    const { frame } = send64(toa, fromClient(), 'cli');
    expect(told(send64(toa, fromRouter(3, 4, frame, 1400), 'srv'))).toBe(1400);
    expect(told(send64(toa, fromRouter(3, 4, frame, 1270), 'srv'))).toBe(1280);
  });
});

describe('an ICMPv6 error', () => {
  const { director, reply } = begun({ payload: counting(10) });

  it.each(TO_4)('of type %i, code %i and %i becomes %j', (type, code, rest, expected) => {
    const outcome = send64(director, fromRouter6(type, code, reply[0], rest), 'cli');
    if (!expected) {
      expect([outcome.verdict, outcome.reason]).toEqual(['drop', 'icmp-untranslatable']);
      return;
    }
    const [type4, code4, rest4] = expected;
    const words = { source: LOCAL, destination: SERVER, ttl: 63, id: idOf(outcome.frame) };
    isError(outcome, icmp(words, type4, code4, quoted(...reply), rest4), 'icmp-in');
  });

  it('with a wrong checksum gets a right one, as by FullNAT', () => {
    const error = fromRouter6(1, 0, reply[0]);
    error[42]! ^= 1;
    const outcome = send64(director, error, 'cli');
    const words = { source: LOCAL, destination: SERVER, ttl: 63, id: idOf(outcome.frame) };
    isError(outcome, icmp(words, 3, 1, quoted(...reply)), 'icmp-in');
  });
});

describe('a quotation', () => {
  it('is cut off where an error is as long as may be', () => {
    const { director, request, reply } = begun({ payload: counting(2000) }, {}, { network: network64(9000, 9000) });
    const out = send64(director, fromRouter(3, 1, request[0]), 'srv');
    const all = quoted(...request);
    isError(out, icmp({ source: VIP, destination: CLIENT, ttl: 63 }, 1, 0, all.subarray(0, 1232)), 'icmp-out');
    const back = send64(director, fromRouter6(1, 0, reply[0]), 'cli');
    const words = { source: LOCAL, destination: SERVER, ttl: 63, id: 0, df: true };
    isError(back, icmp(words, 3, 1, quoted(...reply).subarray(0, 1252)), 'icmp-in');
    const narrow = begun({ payload: counting(500) }, {}, { network: network64(1500, 300) });
    const short = send64(narrow.director, fromRouter6(1, 0, narrow.reply[0]), 'cli').frame;
    expect(short.length).toBe(300);
  });

  it('ends before extensions', () => {
    const { director, request, reply } = begun({ payload: counting(200) });
    const extension = hex('2000fefd00080101deadbeef');
    const quote = request[0].slice(0, 132);
    const out = send64(director, fromRouter(3, 1, join(quote, extension), 33 << 16), 'srv');
    const words = { source: VIP, destination: CLIENT, ttl: 63 };
    isError(out, icmp(words, 1, 0, quoted(...request).subarray(0, 152)), 'icmp-out');
    const back = send64(director, fromRouter6(1, 0, join(reply[0].slice(0, 136), extension), 17 << 24), 'cli');
    const there = { source: LOCAL, destination: SERVER, ttl: 63, id: idOf(back.frame) };
    isError(back, icmp(there, 3, 1, quoted(...reply).subarray(0, 116)), 'icmp-in');
    // However short it is said to be, it has eight bytes of the transport.
    const least = send64(director, fromRouter(3, 1, quote, 1 << 16), 'srv');
    isError(least, icmp(words, 1, 0, quoted(...request).subarray(0, 48)), 'icmp-out');
  });

  it('loses options of IPv4 and extension headers', () => {
    const { director, request, reply } = begun();
    const plain = request[0];
    const options = hex('010101010101010101010100');
    const quote = ipv4({ source: LOCAL, destination: SERVER, ttl: 3, options }, plain.subarray(20));
    const out = send64(director, fromRouter(3, 1, quote, 0, { options: hex('01010100') }), 'srv');
    isError(out, icmp({ source: VIP, destination: CLIENT, ttl: 63 }, 1, 0, quoted(...request)), 'icmp-out');
    const extensions = [[60, hex('00010400000000')]] as const;
    const quote6 = ipv6({ source: VIP, destination: CLIENT, hopLimit: 3, extensions }, reply[0].subarray(40));
    const back = send64(director, fromRouter6(1, 0, quote6), 'cli');
    const words = { source: LOCAL, destination: SERVER, ttl: 63, id: idOf(back.frame) };
    isError(back, icmp(words, 3, 1, quoted(...reply)), 'icmp-in');
  });

  it('of a fragment names its connection if it is the first', () => {
    const { director, request } = begun({ protocol: 'udp', payload: counting(64) });
    const first = request[0].slice(0, 60);
    first.set([0x20, 0], 6);
    const out = send64(director, fromRouter(3, 1, fixIpv4(first)), 'srv');
    isError(
      out,
      icmp({ source: VIP, destination: CLIENT, ttl: 63 }, 1, 0, quoted(...request).subarray(0, 80)),
      'icmp-out',
    );
    const later = first.slice();
    later.set([0x20, 5], 6);
    expect(send64(director, fromRouter(3, 1, fixIpv4(later)), 'srv').reason).toBe('local-delivery');
  });
});

it('profiles keep hops, and have errors of IPv4 that must not be cut', () => {
  const { director, request, reply } = begun({}, { profile: 'dpvs' });
  const out = send64(director, fromRouter(3, 1, request[0], 0, { tos: 4, ttl: 9 }), 'srv');
  isError(out, icmp({ source: VIP, destination: CLIENT, tos: 4, ttl: 9 }, 1, 0, quoted(...request)), 'icmp-out');
  const back = send64(director, fromRouter6(1, 0, reply[0], 0, { tos: 4, ttl: 9 }), 'cli');
  const words = { source: LOCAL, destination: SERVER, ttl: 9, id: 0, df: true };
  isError(back, icmp(words, 3, 1, quoted(...reply)), 'icmp-in');
});

it('an error whose hops are used up is dropped, and nobody told', () => {
  const { director, request, reply } = begun();
  const reasons = [
    ...sendAll(director, fromRouter(3, 1, request[0], 0, { ttl: 1 }), 'srv'),
    ...sendAll(director, fromRouter6(1, 0, reply[0], 0, { ttl: 1 }), 'cli'),
  ].map(({ reason }) => reason);
  expect(reasons).toEqual(['ttl-exceeded', 'ttl-exceeded']);
});

it('an error that passes through counts a hop more', () => {
  const { director, reply } = begun();
  const words = { source: ROUTER6, destination: 'fd00:1::77', ttl: 9 };
  const { frame } = director.send(icmp(words, 1, 0, reply[0]), 'cli', NOW)[0]!;
  const expected = icmp({ source: LOCAL, destination: SERVER, ttl: 7, id: idOf(frame) }, 3, 1, quoted(...reply));
  expect(toHex(frame)).toBe(toHex(expected));
});

it('a server that is the director is told what the client’s way carries: its own has no MTU', () => {
  const director = nat64({}, { network: network64(9000, 1300) }, []);
  const key = { protocol: 'udp', address: VIP, port: 80 } as const;
  director.addService({ ...key, scheduler: 'rr', localAddresses: [LOCAL] });
  director.addDest(key, { address: SECOND, port: 8080, method: 'fullnat' });
  opened(director, { protocol: 'udp' });
  const { reason, frame } = send64(director, fromRouter6(2, 0, atClient({ protocol: 'udp' }), 8000), 'cli');
  expect([reason, new DataView(frame.buffer, frame.byteOffset).getUint16(26)]).toEqual(['local-dest', 7980]);
});

it('schedule_icmp: an error opens the connection that it is about', () => {
  const director = nat64({ localAddresses: [SECOND] }, { sysctl: { schedule_icmp: 1 } });
  const { reason, frame } = send64(director, fromRouter6(1, 4, atClient({ protocol: 'udp' })), 'cli');
  expect([reason, toHex(frame.subarray(12, 20))]).toEqual(['icmp-in', '0a0100020a01000b']);
});
