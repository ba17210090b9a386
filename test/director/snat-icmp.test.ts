/** SNAT: ICMP errors about its connections, and traceroute through it. */
import { describe, expect, it } from 'vitest';
import { FAMILIES, NOW, PROTOCOLS } from '../support/fullnat.js';
import { ACK, counting, hex, icmp, toHex, u32 } from '../support/packets.js';
import {
  addSnat,
  atInner,
  atOuter,
  fromInner,
  fromOuter,
  MARK,
  markOf,
  opened,
  PLACES,
  type Says,
  send,
  sendAll,
  serviceOf,
  snat,
} from '../support/snat.js';

type Word = readonly [type: number, code: number];
/** Type and code of host unreachable, time exceeded, and too big. */
const WORDS: Readonly<Record<4 | 6, readonly [Word, Word, Word]>> = {
  4: [
    [3, 1],
    [11, 0],
    [3, 4],
  ],
  6: [
    [1, 3],
    [3, 0],
    [2, 0],
  ],
};

/** A quoted packet as the other end knows it, with the checksum that it has. */
function quoted(packet: Uint8Array, as: Uint8Array, protocol: (typeof PROTOCOLS)[number]): Uint8Array {
  const at = (packet[0]! >> 4 === 4 ? 20 : 40) + { tcp: 16, udp: 6, sctp: 8 }[protocol];
  const length = protocol === 'sctp' ? 4 : 2;
  const copy = as.slice();
  copy.set(packet.subarray(at, at + length), at);
  return copy;
}

describe.each(FAMILIES)('an error of IPv%i', (family) => {
  const { inner, inside, outer, own, router } = PLACES[family];
  const insider = family === 4 ? '10.1.0.254' : 'fd00:1::fe';
  const [unreachable, exceeded, tooBig] = WORDS[family];

  describe.each(PROTOCOLS)('about %s', (protocol) => {
    it('from outside goes in, from who sent it, about what the server sent', () => {
      const director = snat();
      const { port, delta } = opened(director, family, { protocol });
      const words: Says = { protocol, payload: counting(24), flags: ACK };
      const sent = fromInner(family, { ...words, ttl: 1 });
      const seen = atOuter(family, port, { ...words, ttl: 1, seq: u32(1000 + delta) });
      for (const source of [router, outer]) {
        for (const [type, code] of [unreachable, exceeded, tooBig]) {
          const error = icmp({ source, destination: own[0], ttl: 9, tos: 0xb8 }, type, code, seen, 1400);
          const outcome = send(director, error, 'out');
          expect(outcome).toMatchObject({ verdict: 'forward', reason: 'icmp-out', outInterface: 'in' });
          const body = quoted(seen, sent, protocol);
          const expected = icmp({ source, destination: inner, ttl: 8, tos: 0xb8 }, type, code, body, 1400);
          expect(toHex(outcome.frame)).toBe(toHex(expected));
        }
      }
      const service = serviceOf(director, family);
      expect(service.stats).toMatchObject({ inPackets: 1n, outPackets: 6n });
    });

    it('from the inside goes out from the own address, whoever sent it, about what was sent to that', () => {
      const director = snat();
      const { port } = opened(director, family, { protocol });
      const words: Says = { protocol, payload: counting(24), flags: ACK };
      const sent = fromOuter(family, port, words);
      const seen = atInner(family, { ...words, ttl: 64 });
      for (const source of [inner, insider]) {
        // With the mark or without.
        for (const notes of [{}, { mark: MARK }]) {
          const error = icmp({ source, destination: outer, ttl: 9 }, ...unreachable, seen);
          const [outcome] = director.send(error, 'in', NOW, notes);
          expect(outcome).toMatchObject({ verdict: 'forward', reason: 'icmp-in', outInterface: 'out' });
          const body = quoted(seen, sent, protocol);
          const expected = icmp({ source: own[0], destination: outer, ttl: 7 }, ...unreachable, body);
          expect(toHex(outcome!.frame)).toBe(toHex(expected));
        }
      }
      const service = serviceOf(director, family);
      expect(service.stats).toMatchObject({ inPackets: 5n, outPackets: 0n });
    });
  });

  it('with a wrong checksum is dropped where NAT drops it', () => {
    const director = snat();
    const { port } = opened(director, family);
    const error = icmp({ source: router, destination: own[0] }, ...unreachable, atOuter(family, port));
    error[family === 4 ? 22 : 42]! ^= 1;
    expect(send(director, error, 'out').reason).toBe('icmp-checksum');
  });

  it('traceroute shows the director and each router behind it', () => {
    const director = snat();
    const probe = (ttl: number) =>
      fromInner(family, { protocol: 'udp', ttl, payload: counting(12), dport: 33_434 + ttl });
    const first = sendAll(director, probe(1), 'in');
    expect(first.map(({ reason }) => reason)).toEqual(['ttl-exceeded', 'time-exceeded']);
    const source = (packet: Uint8Array) => toHex(packet.subarray(...(family === 4 ? [12, 16] : ([8, 24] as const))));
    expect(source(first[1]!.frame)).toBe(source(icmp({ source: inside, destination: inner }, 0)));
    for (const [i, hop] of [router, outer].entries()) {
      const there = send(director, probe(2 + i), 'in');
      expect(there.reason).toBe('snat-in');
      const error = send(director, icmp({ source: hop, destination: own[0] }, ...exceeded, there.frame), 'out');
      expect(error).toMatchObject({ reason: 'icmp-out', outInterface: 'in' });
      expect(source(error.frame)).toBe(source(icmp({ source: hop, destination: inner }, 0)));
    }
  });

  it('tells either end what is too long for the other', () => {
    const director = snat();
    const { port } = opened(director, family, { protocol: 'udp' });
    const long = { protocol: 'udp', df: true, payload: counting(1600) } as const;
    const [there, told] = sendAll(director, fromInner(family, long), 'in');
    expect([there?.reason, told?.reason, told?.outInterface]).toEqual(['too-big', 'fragmentation-needed', 'in']);
    const [back, other] = sendAll(director, fromOuter(family, port, long), 'out');
    expect([back?.reason, other?.reason, other?.outInterface]).toEqual(['too-big', 'fragmentation-needed', 'out']);
  });

  it('comes from no address that a mark alone makes the director’s; IPv6 has another to say it from', () => {
    const elsewhere = family === 4 ? '203.0.113.9' : 'fd00:2::9';
    const director = snat({}, {}, [family]);
    director.deleteDest(markOf(family), { address: own[0] });
    addSnat(director, family, { address: elsewhere });
    const { port } = opened(director, family, { protocol: 'udp' });
    const back = (says: Says) => fromOuter(family, port, { protocol: 'udp', destination: elsewhere, ...says });
    const reasons = (says: Says, mark: number) =>
      director.send(back(says), 'out', NOW, { mark }).map((one) => one.reason);
    const spent = { ttl: 1 };
    const long = { df: true, payload: counting(1600) };
    // Without any dest its mark brings a packet to the director.
    director.deleteDest(markOf(family), { address: elsewhere });
    for (const [says, reason, told] of [
      [spent, 'ttl-exceeded', 'time-exceeded'],
      [long, 'too-big', 'fragmentation-needed'],
    ] as const) {
      expect(reasons(says, 0)).toEqual([reason, told]);
      expect(reasons(says, MARK)).toEqual(family === 4 ? [reason] : [reason, told]);
    }
  });

  it('of no connection opens none with schedule_icmp, and is routed', () => {
    const director = snat({}, { sysctl: { schedule_icmp: 1 } });
    const error = icmp({ source: inner, destination: outer }, ...unreachable, atInner(family));
    expect(send(director, error, 'in').reason).toBe('routed');
    expect(director.connections(NOW)).toEqual([]);
  });
});

it('IPv4: options of an error that record routers have the director, as of what is routed', () => {
  const director = snat();
  const { port } = opened(director, 4);
  const { router, own } = PLACES[4];
  const options = hex('070b04 00000000 00000000 00');
  const error = icmp({ source: router, destination: own[0], options }, 3, 1, atOuter(4, port));
  const { reason, frame } = send(director, error, 'out');
  expect(reason).toBe('icmp-out');
  expect(toHex(frame.subarray(20, 32))).toBe('070b080a0100010000000000');
});
