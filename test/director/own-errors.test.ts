/** ICMP errors of the director itself count as what leaves by DR and TUN connections that they tell of: Linux finds them so. */
import { describe, expect, it } from 'vitest';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { DestConfig } from '../../src/types.js';
import { BINARIES, type Binary, createDirector } from '../support/core.js';
import { fromClient, NETWORK, request, request6, SERVERS, SERVERS6, TCP_KEY, UDP_KEY, VIP6 } from '../support/lab.js';
import { ACK } from '../support/packets.js';

const TTL = { ttl: 1 };

const made = (who: Binary | 'reference', network = NETWORK) =>
  who === 'reference' ? new ReferenceDirector({ network }) : createDirector(who, { network });

/** Packets and bytes out, after those requests of one client. */
function outOf(who: Binary | 'reference', dest: DestConfig, ...requests: Uint8Array[]): bigint[] {
  const director = made(who);
  const key = dest.address.includes(':') ? { ...TCP_KEY, address: VIP6 } : TCP_KEY;
  director.addService({ ...key, scheduler: 'rr' });
  director.addDest(key, dest);
  for (const each of requests) director.send(fromClient(each), 'cli', 0);
  const { stats } = director.services()[0]!;
  const [own] = director.services()[0]!.dests;
  expect(own?.stats).toEqual(stats);
  return [stats.outPackets, stats.outBytes];
}

describe.each([...BINARIES, 'reference'] as const)('%s', (who) => {
  it.each(['dr', 'tun'] as const)('time exceeded, too big: counted for %s', (method) => {
    const dest = { address: SERVERS[0], method };
    expect(outOf(who, dest, request('tcp', TTL))).toEqual([1n, 68n]);
    const long = request('tcp', { flags: ACK, payload: new Uint8Array(1500), df: true });
    expect(outOf(who, dest, request('tcp'), long)).toEqual([1n, 576n]);
    const dest6 = { address: SERVERS6[0], method };
    expect(outOf(who, dest6, request6('tcp', TTL))).toEqual([1n, 108n]);
    expect(outOf(who, dest6, request6('tcp'), request6('tcp', { payload: new Uint8Array(1500) }))).toEqual([1n, 1280n]);
  });

  it('for NAT they do not: its connections end at the server', () => {
    expect(outOf(who, { address: SERVERS[0], port: 8080, method: 'nat' }, request('tcp', TTL))).toEqual([0n, 0n]);
  });

  it('of the connection that the packet opens, in place of one that has ended', () => {
    const closing = request('tcp', { flags: 0 });
    const [dr, nat] = [{ address: SERVERS[0], method: 'dr' } as const, { address: SERVERS[1], method: 'nat' } as const];
    const director = made(who);
    director.addService({ ...TCP_KEY, scheduler: 'rr' });
    for (const dest of [dr, nat]) director.addDest(TCP_KEY, dest);
    for (const each of [request('tcp'), closing, request('tcp', TTL)]) director.send(fromClient(each), 'cli', 0);
    const [service] = director.services();
    expect(service!.dests.map(({ address, stats }) => [address, stats.inPackets, stats.outPackets])).toEqual([
      [SERVERS[1], 2n, 0n],
      [SERVERS[0], 1n, 1n],
    ]);
  });

  it('of one that has ended, or another of port 0, where the packet’s own is of NAT', () => {
    const [tun, nat] = [
      { address: SERVERS[0], method: 'tun' } as const,
      { address: SERVERS[1], method: 'nat' } as const,
    ];
    for (const sport of [40_000, 0]) {
      const director = made(who);
      director.addService({ ...TCP_KEY, scheduler: 'rr' });
      for (const dest of [nat, tun]) director.addDest(TCP_KEY, dest);
      for (const each of [{}, { flags: 0 }, TTL])
        director.send(fromClient(request('tcp', { sport, ...each })), 'cli', 0);
      expect(director.services()[0]!.dests.map(({ stats }) => stats.outPackets)).toEqual([1n, 0n]);
    }
  });

  it('not where the MTU of the way back leaves no room to quote the ports', () => {
    const interfaces = NETWORK.interfaces.map((each) => (each.name === 'cli' ? { ...each, mtu: 68 } : each));
    const director = made(who, { ...NETWORK, interfaces });
    director.addService({ ...TCP_KEY, scheduler: 'rr' });
    director.addDest(TCP_KEY, { address: SERVERS[0], method: 'dr' });
    // A timestamp option, which the error has, too.
    const options = Uint8Array.of(0x44, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    director.send(fromClient(request('tcp', { ...TTL, options })), 'cli', 0);
    expect(director.services()[0]!.stats).toMatchObject({ inPackets: 1n, outPackets: 0n });
  });

  it('not of one-packet scheduling: nobody finds such a connection', () => {
    const director = made(who);
    director.addService({ ...UDP_KEY, scheduler: 'rr', ops: true });
    director.addDest(UDP_KEY, { address: SERVERS[0], method: 'dr' });
    director.send(fromClient(request('udp', TTL)), 'cli', 0);
    expect(director.services()[0]!.stats).toMatchObject({ inPackets: 1n, outPackets: 0n });
  });

  it('of a client’s port 0, too', () => {
    const dest = { address: SERVERS[0], method: 'dr' } as const;
    expect(outOf(who, dest, request('tcp', { ...TTL, sport: 0 }))).toEqual([1n, 68n]);
  });
});
