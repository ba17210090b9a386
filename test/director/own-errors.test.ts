/** ICMP errors of the director itself count as what leaves by DR and TUN connections that they tell of: Linux finds them so. */
import { describe, expect, it } from 'vitest';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { DestConfig } from '../../src/types.js';
import { BINARIES, type Binary, createDirector } from '../support/core.js';
import { fromClient, NETWORK, request, request6, SERVERS, SERVERS6, TCP_KEY, VIP6 } from '../support/lab.js';
import { ACK } from '../support/packets.js';

const TTL = { ttl: 1 };

/** Packets and bytes out, after those requests of one client. */
function outOf(who: Binary | 'reference', dest: DestConfig, ...requests: Uint8Array[]): bigint[] {
  const director =
    who === 'reference' ? new ReferenceDirector({ network: NETWORK }) : createDirector(who, { network: NETWORK });
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

  it('of a client’s port 0, too', () => {
    const dest = { address: SERVERS[0], method: 'dr' } as const;
    expect(outOf(who, dest, request('tcp', { ...TTL, sport: 0 }))).toEqual([1n, 68n]);
  });
});
