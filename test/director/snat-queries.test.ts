/** SNAT: queries of ICMP (RFC 5508 §3), their replies, and errors about them, byte by byte. */
import { describe, expect, it } from 'vitest';
import * as abi from '../../src/abi/memory.js';
import { Director } from '../../src/director.js';
import { explainPacket } from '../../src/explain.js';
import { listConnections } from '../../src/rules/index.js';
import { decode, encode } from '../../src/snapshot/format.js';
import { moduleOf } from '../support/core.js';
import { fragmentsOf } from '../support/fragments.js';
import { FAMILIES, type Family, NOW, restored } from '../support/fullnat.js';
import { reasonsOf } from '../support/lab.js';
import { counting, icmp, type PacketWords, packet, toHex } from '../support/packets.js';
import {
  addSnat,
  MARK,
  markOf,
  PLACES,
  SNAT_NETWORK,
  send,
  sendAll,
  serviceOf,
  snat,
  TWO_PORTS,
} from '../support/snat.js';

const ECHO = { 4: { request: 8, reply: 0, protocol: 1 }, 6: { request: 128, reply: 129, protocol: 58 } } as const;

type Says = Partial<PacketWords> & { id?: number; seq?: number; data?: Uint8Array; type?: number; code?: number };

/** A message with an identifier and a sequence number. */
function message(
  ends: Pick<PacketWords, 'source' | 'destination'>,
  type: number,
  { id = 0x1234, seq = 7, data = counting(8), type: other = type, code = 0, ...words }: Says,
): Uint8Array {
  return icmp({ ...ends, ...words }, other, code, data, ((id << 16) | seq) >>> 0);
}

/** What C sends, what V gets of it, what V answers, and what C gets of that. */
const ask = (family: Family, says: Says = {}) =>
  message({ source: PLACES[family].inner, destination: PLACES[family].outer }, ECHO[family].request, says);
const asked = (family: Family, id: number, says: Says = {}) =>
  message({ source: PLACES[family].own[0], destination: PLACES[family].outer }, ECHO[family].request, { ...says, id });
const reply = (family: Family, id: number, says: Says = {}) =>
  message({ source: PLACES[family].outer, destination: PLACES[family].own[0] }, ECHO[family].reply, { ...says, id });
const replied = (family: Family, says: Says = {}) =>
  message({ source: PLACES[family].outer, destination: PLACES[family].inner }, ECHO[family].reply, says);

/** Opens a connection by a query; its identifier outside. */
function opened(director: Director, family: Family, says: Says = {}): number {
  const { reason, connection } = send(director, ask(family, says), 'in');
  expect(reason).toBe('snat-in');
  return connection!.localPort!;
}

describe.each(FAMILIES)('queries of ICMP by SNAT, IPv%i', (family) => {
  const { inner, outer, own, router } = PLACES[family];
  const other = family === 4 ? '10.1.0.12' : 'fd00:1::12';
  const name = family === 4 ? 'icmp' : 'icmpv6';
  const [unreachable, exceeded] = family === 4 ? ([3, 11] as const) : ([1, 3] as const);

  it('go out by the own address, and their replies back in', () => {
    const director = snat();
    const id = opened(director, family);
    expect(id).toBe(1024);
    for (const [seq, data] of [counting(0), counting(1), counting(56), counting(1400, 0xf0)].entries()) {
      const words = { seq, data, ttl: 9, tos: 0xb8 };
      const there = send(director, ask(family, words), 'in');
      expect(there).toMatchObject({ verdict: 'forward', reason: 'snat-in', outInterface: 'out' });
      expect(toHex(there.frame)).toBe(toHex(asked(family, id, { ...words, ttl: 8 })));
      const back = send(director, reply(family, id, words), 'out');
      expect(back).toMatchObject({ verdict: 'forward', reason: 'snat-out', outInterface: 'in' });
      expect(toHex(back.frame)).toBe(toHex(replied(family, { ...words, ttl: 8 })));
    }
    const [one] = director.connections(NOW);
    expect(one).toMatchObject({
      ...{ protocol: name, clientAddress: inner, clientPort: 0x1234, virtualAddress: outer, virtualPort: 0 },
      ...{ destAddress: outer, destPort: 0, method: 'snat', state: 'UDP', expires: 300, inPackets: 5 },
      ...{ localAddress: own[0], localPort: id },
    });
    expect(serviceOf(director, family)).toMatchObject({
      stats: { connections: 1n, inPackets: 5n, outPackets: 4n },
      dests: [{ activeConnections: 0, inactiveConnections: 1 }],
    });
    const text = listConnections(director.connections(NOW));
    expect(text).toContain(`${name.toUpperCase()} 05:00  UDP `);
  });

  it('of two clients with one identifier have two at V; 0 is one like any other', () => {
    const director = snat();
    expect(opened(director, family, { id: 0 })).toBe(1024);
    expect(opened(director, family, { id: 0, source: other })).toBe(1025);
    expect(opened(director, family, { id: 0 })).toBe(1024);
    expect(opened(director, family, { id: 1 })).toBe(1026);
    expect(director.connections(NOW)).toHaveLength(3);
    const to = (id: number) => send(director, reply(family, id), 'out');
    expect(toHex(to(1024).frame)).toBe(toHex(replied(family, { id: 0, ttl: 63 })));
    expect(toHex(to(1025).frame)).toBe(toHex(replied(family, { id: 0, destination: other, ttl: 63 })));
    // A reply of the client itself is none of its connection, though it has the same ends.
    const answer = ask(family, { type: ECHO[family].reply, id: 0 });
    expect(send(director, answer, 'in')).toMatchObject({ reason: 'routed', connection: undefined });
    const query = { source: outer, destination: inner };
    expect(send(director, message(query, ECHO[family].request, { id: 0 }), 'out').reason).toBe('routed');
    director.advance(NOW + 400_000);
    expect(director.connections(NOW + 400_000)).toEqual([]);
  });

  it('leave alone what has no mark, replies and other types of the client, and queries to L', () => {
    const director = snat();
    const id = opened(director, family);
    expect(director.send(ask(family), 'in', NOW)[0]?.reason).toBe('routed');
    const replying = ask(family, { type: ECHO[family].reply });
    expect(send(director, replying, 'in').reason).toBe('routed');
    for (const says of [{ code: 1 }, { type: family === 4 ? 15 : 130 }, { type: family === 4 ? 10 : 133 }]) {
      expect(send(director, ask(family, says), 'in')).toMatchObject({ reason: 'routed', connection: undefined });
    }
    const toL = message({ source: outer, destination: own[0] }, ECHO[family].request, { id });
    expect(send(director, toL, 'out').reason).toBe('local-delivery');
    expect(send(director, reply(family, id + 1), 'out').reason).toBe('local-delivery');
    expect(send(director, reply(family, id, { code: 1 }), 'out').reason).toBe('local-delivery');
    expect(send(director, ask(family, { destination: own[1] }), 'in').reason).toBe('local-delivery');
  });

  it('keep a checksum wrong that was', () => {
    const director = snat();
    const id = opened(director, family);
    const at = (family === 4 ? 20 : 40) + 2;
    const damaged = (one: Uint8Array) => {
      const copy = one.slice();
      copy[at]! ^= 0x55;
      return copy;
    };
    const there = send(director, damaged(ask(family)), 'in');
    expect(there.reason).toBe('snat-in');
    // By how much it was wrong.
    const right = asked(family, id, { ttl: 63 });
    const sum = (one: Uint8Array) => ((one[at]! << 8) | one[at + 1]!) % 0xffff;
    const off = (wrong: Uint8Array, good: Uint8Array) => (sum(wrong) - sum(good) + 0xffff) % 0xffff;
    expect(off(there.frame, right)).toBe(off(damaged(ask(family)), ask(family)));
    expect(off(there.frame, right)).not.toBe(0);
  });

  it('have a checksum, whatever a frame says of it', () => {
    const director = snat();
    const [there] = director.send(ask(family), 'in', NOW, { mark: MARK, partialChecksum: true });
    const id = there!.connection!.localPort!;
    expect(toHex(there!.frame)).toBe(toHex(asked(family, id, { ttl: 63 })));
    const [back] = director.send(reply(family, id), 'out', NOW, { partialChecksum: true });
    expect(toHex(back!.frame)).toBe(toHex(replied(family, { ttl: 63 })));
  });

  it('with fewer than 8 bytes are not let go', () => {
    const director = snat();
    const id = opened(director, family);
    const whole = ask(family).subarray(family === 4 ? 20 : 40);
    const back = reply(family, id).subarray(family === 4 ? 20 : 40);
    for (const length of [1, 4, 7]) {
      const cut = packet({ source: inner, destination: outer }, ECHO[family].protocol, whole.slice(0, length));
      expect(reasonsOf(sendAll(director, cut, 'in'))).toEqual(['transport-truncated']);
      const short = packet({ source: outer, destination: own[0] }, ECHO[family].protocol, back.slice(0, length));
      expect(send(director, short, 'out').reason).toBe('transport-truncated');
    }
  });

  it('are told of errors from outside, whole and about 8 bytes', () => {
    const director = snat();
    const id = opened(director, family);
    const [seen, sent] = [asked(family, id, { ttl: 1 }), ask(family, { ttl: 1 })];
    const head = family === 4 ? 28 : 48;
    for (const length of [seen.length, head]) {
      const error = icmp({ source: router, destination: own[0], ttl: 9 }, exceeded, 0, seen.slice(0, length));
      const outcome = send(director, error, 'out');
      expect(outcome).toMatchObject({ verdict: 'forward', reason: 'icmp-out', outInterface: 'in' });
      const expected = icmp({ source: router, destination: inner, ttl: 8 }, exceeded, 0, sent.slice(0, length));
      expect(toHex(outcome.frame)).toBe(toHex(expected));
    }
    const short = icmp({ source: router, destination: own[0] }, exceeded, 0, seen.slice(0, head - 1));
    expect(send(director, short, 'out').reason).toBe('local-delivery');
    const foreign = icmp({ source: router, destination: own[0] }, exceeded, 0, asked(family, id + 1));
    expect(send(director, foreign, 'out').reason).toBe('local-delivery');
  });

  it.each([0x1234, 0])('errors from the inside about a reply to %i go out from L', (cid) => {
    const director = snat();
    const id = opened(director, family, { id: cid });
    const error = icmp({ source: inner, destination: outer, ttl: 9 }, unreachable, 1, replied(family, { id: cid }));
    const outcome = director.send(error, 'in', NOW)[0]!;
    expect(outcome).toMatchObject({ verdict: 'forward', reason: 'icmp-in', outInterface: 'out' });
    const expected = icmp({ source: own[0], destination: outer, ttl: 7 }, unreachable, 1, reply(family, id));
    expect(toHex(outcome.frame)).toBe(toHex(expected));
    // About a query with the same ends it is another's.
    const query = message({ source: outer, destination: inner }, ECHO[family].request, { id: cid });
    const about = icmp({ source: inner, destination: outer }, unreachable, 1, query);
    expect(director.send(about, 'in', NOW)[0]?.reason).toBe('routed');
  });

  it('as fragments are put together, and go on in pieces', () => {
    const director = snat();
    const large = { data: counting(200), ttl: 64 };
    const pieces = fragmentsOf(ask(family, large), [96]);
    expect(reasonsOf(sendAll(director, pieces[1]!, 'in'))).toEqual(['fragment-held']);
    const whole = sendAll(director, pieces[0]!, 'in');
    expect(reasonsOf(whole)).toEqual(['snat-in', 'fragment']);
    const id = director.connections(NOW)[0]!.localPort!;
    const expected = fragmentsOf(asked(family, id, { ...large, ttl: 63 }), [96], 0);
    expect(whole.map(({ frame }) => toHex(frame))).toEqual(expected.map(toHex));
    const back = fragmentsOf(reply(family, id, large), [96]);
    expect(back.flatMap((piece) => reasonsOf(sendAll(director, piece, 'out')))).toEqual([
      ...['fragment-held', 'snat-out', 'fragment'],
    ]);
  });

  it('find no identifier where all are given, and those that ended are given again', () => {
    const director = snat({}, TWO_PORTS);
    expect([opened(director, family, { id: 1 }), opened(director, family, { id: 2 })]).toEqual([5000, 5001]);
    expect(send(director, ask(family, { id: 3 }), 'in').reason).toBe('no-local-port');
    const later = NOW + 300_000;
    expect(send(director, reply(family, 5000), 'out', later - 1).reason).toBe('snat-out');
    director.advance(later + 1000);
    const again = send(director, ask(family, { id: 3 }), 'in', later + 1000);
    expect([again.reason, again.connection?.localPort]).toEqual(['snat-in', 5001]);
    expect(toHex(send(director, reply(family, 5001), 'out', later + 1000).frame)).toBe(
      toHex(replied(family, { id: 3, ttl: 63 })),
    );
  });

  it('are as before in a director of a snapshot', () => {
    const director = snat({ persistent: 60 }, {}, [4, 6], 2);
    const id = opened(director, family, { id: 0 });
    const copy = restored(director);
    for (const one of [director, copy]) {
      const back = send(one, reply(family, id, { destination: own[1] }), 'out');
      expect(toHex(back.frame)).toBe(toHex(replied(family, { id: 0, ttl: 63 })));
      expect(send(one, ask(family, { id: 0 }), 'in').connection?.localPort).toBe(id);
      expect(send(one, ask(family, { id: 9 }), 'in').connection).toMatchObject({
        ...{ localAddress: own[1], localPort: id + 1 },
      });
    }
    expect(copy.connections(NOW)).toEqual(director.connections(NOW));
  });

  it.each([
    ['CONN_VPORT_BE', abi.CONN_VPORT_BE],
    ['CONN_DPORT_BE', abi.CONN_DPORT_BE],
  ])('have no port outside, in a made-up snapshot neither: %s', (name, field) => {
    const director = snat({}, {}, [family]);
    opened(director, family);
    const made = (port: number): Uint8Array => {
      const snapshot = decode(director.snapshot());
      // Of the same pool.
      snapshot.sections[family === 4 ? 'conns' : 'conns6'].bytes.fill(port, field, field + 2);
      return encode(snapshot);
    };
    const restore = (port: number) => Director.restoreSync(made(port), { wasm: moduleOf('release') });
    expect(restore(0).connections(NOW)).toEqual(director.connections(NOW));
    const refused = { code: 'BAD_SNAPSHOT', message: expect.stringContaining(name) };
    expect(() => restore(77)).toThrow(expect.objectContaining(refused));
  });

  it('without a usable dest are dropped, and their client told; with a dest that is gone, too', () => {
    const director = snat();
    const id = opened(director, family);
    director.deleteDest(markOf(family), { address: own[0] });
    expect(reasonsOf(sendAll(director, ask(family), 'in'))).toEqual(['dest-unavailable']);
    expect(send(director, reply(family, id), 'out').reason).toBe('snat-out');
    addSnat(director, family, { address: own[0], weight: 0 });
    const none = sendAll(director, ask(family, { id: 2 }), 'in');
    expect(reasonsOf(none)).toEqual(['no-dest', 'port-unreachable']);
    expect(opened(director, family)).toBe(id);
    // V is the director's by now: it gets what L sent.
    const interfaces = SNAT_NETWORK.interfaces.map((one) =>
      one.name === 'out' ? { ...one, addresses: [...one.addresses, `${outer}/${family === 4 ? 32 : 128}`] } : one,
    );
    director.setNetwork({ ...SNAT_NETWORK, interfaces });
    const local = director.send(ask(family), 'in', NOW)[0]!;
    expect(local).toMatchObject({ verdict: 'local', reason: 'local-dest' });
    expect(toHex(local.frame)).toBe(toHex(asked(family, id)));
  });

  it('are explained', () => {
    const director = snat();
    const told = (frame: Uint8Array, wire: 'in' | 'out') =>
      explainPacket(director, frame, wire, NOW, wire === 'in' ? { mark: MARK } : {}).steps.flatMap(({ lines }) =>
        lines.map(({ looked, found }) => `${looked}: ${found}`),
      );
    const word = family === 4 ? 'ICMP' : 'ICMPv6';
    const [c, v, l] = [inner, outer, own[0]].map((one) => (family === 4 ? one : `[${one}]`));
    const there = told(ask(family), 'in');
    expect(there).toContain(`connection ${word} ${c}:4660 > ${v}:0: none`);
    expect(there).toContain('new connection: UDP, snat, expires in 300 s');
    expect(there).toContain(`method snat: source ${c}:4660 becomes ${l}:1024, checksum updated`);
    const back = told(reply(family, 1024), 'out');
    expect(back).toContain(`connection ${word} reply ${v}:0 > ${l}:1024: UDP, service ${v}:0 (snat)`);
    expect(back).toContain(`method snat: destination ${l}:1024 becomes ${c}:4660, checksum updated`);
  });
});

it('IPv4: timestamps are queries like echoes, of one connection with these', () => {
  const director = snat();
  const id = opened(director, 4);
  const words = { data: counting(12) };
  const there = send(director, ask(4, { ...words, type: 13 }), 'in');
  expect(toHex(there.frame)).toBe(toHex(asked(4, id, { ...words, type: 13, ttl: 63 })));
  const back = send(director, reply(4, id, { ...words, type: 14 }), 'out');
  expect(toHex(back.frame)).toBe(toHex(replied(4, { ...words, type: 14, ttl: 63 })));
  expect(director.connections(NOW)).toHaveLength(1);
});

it('IPv4: replies in fragments are routed as they are when there is no service any more', () => {
  const director = snat({}, {}, [6]);
  const key = { fwmark: 9, family: 4 } as const;
  director.addService({ ...key, scheduler: 'rr' });
  const routes = [...SNAT_NETWORK.routes, { dst: '192.0.2.0/24', dev: 'in', gateway: '10.1.0.77' }];
  director.setNetwork({ ...SNAT_NETWORK, routes });
  director.addDest(key, { address: '192.0.2.5', method: 'snat' });
  const [there] = director.send(ask(4), 'in', NOW, { mark: 9 });
  const back = reply(4, there!.connection!.localPort!, { destination: '192.0.2.5', data: counting(200) });
  director.deleteService(key);
  expect(reasonsOf(sendAll(director, back, 'out'))).toEqual(['snat-out']);
  const pieces = fragmentsOf(back, [96]);
  expect(pieces.flatMap((piece) => reasonsOf(sendAll(director, piece, 'out')))).toEqual(['routed', 'routed']);
});
