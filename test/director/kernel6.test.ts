/** What a live kernel does with IPv6, held to core and reference. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { NetworkConfig } from '../../src/types.js';
import { createDirector, SMALL_PLAN } from '../support/core.js';
import { ACK, FIN, icmp, ip6, ipv6, SYN, tcp, toHex, udp } from '../support/packets.js';

type Any = Director | ReferenceDirector;

const NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'cli', kind: 'raw', addresses: ['fd00::100/128', 'fd00::1/64'] },
    { name: 'srv', kind: 'raw', addresses: ['fd00:1::1/64'] },
    { name: 'bare', kind: 'raw' },
  ],
  routes: [
    { dst: 'default', dev: 'cli', gateway: 'fd00::fe' },
    { dst: 'fd00:9::/32', dev: 'cli', gateway: 'fd00::2' },
    { dst: 'fd00:8::/32', dev: 'cli', gateway: 'fd00::2', prefsrc: 'fd00:1::1' },
  ],
};
const CLIENT = 'fd00::2';
const VIP = 'fd00::100';
const KEY = { protocol: 'tcp', address: VIP, port: 80 } as const;

const DIRECTORS: readonly [name: string, make: () => Any][] = [
  ['core', () => createDirector('release', { plan: SMALL_PLAN, network: NETWORK })],
  ['reference', () => new ReferenceDirector({ network: NETWORK })],
];

const judged = (director: Any, packet: Uint8Array, by: string): string[] =>
  director.send(packet, by, 0).map(({ verdict, reason }) => `${verdict} ${reason}`);

describe.each(DIRECTORS)('%s', (_, make) => {
  it.each([
    ['in by cli', 'fd00:9::1', 'cli', 'fd00::100'],
    ['in by another interface than it goes back', 'fd00:9::1', 'srv', 'fd00:1::1'],
    ['in by an interface without addresses', 'fd00:9::1', 'bare', 'fd00::100'],
    ['where the route names a source', 'fd00:8::1', 'cli', 'fd00:1::1'],
    ['where the subnet’s address is nearer', 'fd00:1::99', 'bare', 'fd00:1::1'],
  ])('an error about a packet %s comes from %s', (_why, source, by, from) => {
    const dying = udp({ source, destination: '2001:db8::5', sport: 1, dport: 2, ttl: 1 });
    const [, answer] = make().send(dying, by, 0);
    expect(answer?.reason).toBe('time-exceeded');
    expect(toHex(answer?.frame.subarray(8, 24) ?? new Uint8Array(0))).toBe(toHex(ip6(from)));
  });

  it('a link-local address is one on the link that the packet came in by', () => {
    const dying = (source: string) => udp({ source, destination: '2001:db8::5', sport: 1, dport: 2, ttl: 1 });
    expect(judged(make(), dying('fe80::9'), 'cli')).toEqual(['drop ttl-exceeded', 'forward time-exceeded']);
    expect(judged(make(), dying('fe80::9'), 'srv')).toEqual(['drop ttl-exceeded']);
    const to = udp({ source: CLIENT, destination: 'fe80::9', sport: 1, dport: 2 });
    expect(judged(make(), to, 'cli')).toEqual(['forward routed']);
    expect(judged(make(), to, 'srv')).toEqual(['drop no-route', 'forward net-unreachable']);
  });

  it('a link-local client whose packet dies on its way to a server is one on the link of the VIP', () => {
    const director = make();
    director.addService({ ...KEY, scheduler: 'rr' });
    director.addDest(KEY, { address: 'fd00:1::11', method: 'dr' });
    const dying = tcp({ source: 'fe80::9', destination: VIP, sport: 1000, dport: 80, flags: SYN, ttl: 1 });
    const [, answer] = director.send(dying, 'srv', 0);
    expect(answer).toMatchObject({ reason: 'time-exceeded', outInterface: 'cli' });
    expect(toHex(answer?.frame.subarray(8, 40) ?? new Uint8Array(0))).toBe(toHex(ip6(VIP)) + toHex(ip6('fe80::9')));
  });

  it('sources of one link go out by it again, and by no other', () => {
    const from = (source: string) => udp({ source, destination: 'fd00::77', sport: 1, dport: 2 });
    for (const source of ['fe80::9', '::']) {
      expect(judged(make(), from(source), 'cli')).toEqual(['forward routed']);
      expect(judged(make(), from(source), 'srv')).toEqual(['drop martian-source']);
    }
  });

  it('a wrong checksum in a NAT client’s error is not looked at, and put right', () => {
    const director = make();
    director.addService({ ...KEY, scheduler: 'rr' });
    director.addDest(KEY, { address: 'fd00:1::11', port: 8080, method: 'nat' });
    const ends = { source: CLIENT, destination: VIP };
    director.send(tcp({ ...ends, sport: 40_000, dport: 80, flags: SYN }), 'cli', 0);
    const quote = tcp({ source: VIP, destination: CLIENT, sport: 80, dport: 40_000, flags: ACK });
    const right = icmp(ends, 1, 4, quote);
    const wrong = right.slice();
    wrong[42] = (wrong[42] ?? 0) ^ 1;
    const [good, put] = [right, wrong].map((packet) => director.send(packet, 'cli', 0)[0]);
    expect(good?.reason).toBe('icmp-in');
    expect(toHex(put?.frame ?? new Uint8Array(0))).toBe(toHex(good?.frame ?? new Uint8Array(1)));
  });

  it('the first that is seen of a server’s answers may be a plain ACK', () => {
    const director = make();
    director.addService({ ...KEY, scheduler: 'rr' });
    director.addDest(KEY, { address: 'fd00:1::11', method: 'dr' });
    const request = (flags: number) => tcp({ source: CLIENT, destination: VIP, sport: 1000, dport: 80, flags });
    director.send(request(SYN), 'cli', 0);
    director.send(request(ACK), 'cli', 0);
    director.send(tcp({ source: VIP, destination: CLIENT, sport: 80, dport: 1000, flags: ACK }), 'srv', 0);
    director.send(request(FIN | ACK), 'cli', 0);
    expect([...director.connections(0)]).toMatchObject([{ state: 'CLOSE_WAIT', expires: 60 }]);
  });

  it('answers from a VIP that is not the director’s count, too, and those of AH and ESP', () => {
    const mark = 7;
    const director = make();
    director.addService({ fwmark: mark, family: 6, scheduler: 'rr' });
    director.addDest({ fwmark: mark, family: 6 }, { address: 'fd00:1::11', method: 'dr' });
    const far = '2001:db8::80';
    const outPackets = () => director.services()[0]?.stats.outPackets;
    director.send(udp({ source: CLIENT, destination: far, sport: 500, dport: 500 }), 'cli', 0, { mark });
    director.send(udp({ source: far, destination: CLIENT, sport: 500, dport: 500 }), 'srv', 0);
    expect(outPackets()).toBe(1n);
    director.send(ipv6({ source: far, destination: CLIENT, protocol: 50 }, new Uint8Array(32)), 'srv', 0);
    expect(outPackets()).toBe(2n);
  });

  it('an IPv4-mapped source is one like any other', () => {
    const packet = udp({ source: '::ffff:a00:2', destination: 'fd00:1::11', sport: 1, dport: 2 });
    expect(judged(make(), packet, 'cli')).toEqual(['forward routed']);
  });

  it.each(['dr', 'tun'] as const)('a %s server’s answers by way of the director move its connection on', (method) => {
    const director = make();
    director.addService({ ...KEY, scheduler: 'rr' });
    director.addDest(KEY, { address: 'fd00:1::11', method });
    const request = (flags: number) => tcp({ source: CLIENT, destination: VIP, sport: 1000, dport: 80, flags });
    const reply = (flags: number) => tcp({ source: VIP, destination: CLIENT, sport: 80, dport: 1000, flags });
    const state = () => [...director.connections(0)].map((one) => one.state);
    const dest = () => director.services()[0]?.dests[0];
    director.send(request(SYN), 'cli', 0);
    expect(state()).toEqual(['SYN_RECV']);
    // Without an answer seen a FIN leads to FIN_WAIT.
    expect(judged(director, reply(SYN | ACK), 'srv')).toEqual(['forward routed']);
    director.send(request(ACK), 'cli', 0);
    director.send(request(FIN | ACK), 'cli', 0);
    expect(state()).toEqual(['CLOSE_WAIT']);
    director.send(reply(FIN | ACK), 'srv', 0);
    expect(state()).toEqual(['TIME_WAIT']);
    expect(dest()).toMatchObject({ activeConnections: 0, inactiveConnections: 1 });
    expect(dest()?.stats.outPackets).toBe(2n);
  });
});
