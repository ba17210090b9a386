/** Where a director of ours is not Linux 6.1 (docs/deviations.md): IPv6. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ipv6, SYN, tcp, udp } from '../../support/packets.js';
import { begin, director, end, fate, T0, WEB } from './lab.js';

beforeEach(begin);
afterEach(end);

test('a length of 0 is believed, but for options', () => {
  director.setNetwork({ interfaces: [{ name: 'cli', kind: 'raw', addresses: ['fd00::1/64'] }] });
  const options = Uint8Array.of(59, 0, 1, 4, 0, 0, 0, 0);
  const packet = ipv6({ source: 'fd00::2', destination: 'fd00::1', protocol: 0 }, options);
  expect(fate(packet)).toBe('local local-delivery');
  packet.fill(0, 4, 6);
  expect(fate(packet)).toBe('drop ipv6-payload-length');
});

describe('IPv6', () => {
  const ends = { source: 'fd00::2', destination: 'fd00::100' };
  const web = { ...WEB, address: ends.destination };

  beforeEach(() => {
    director.setNetwork({
      interfaces: [
        { name: 'cli', kind: 'raw', addresses: ['fd00::1/64', 'fd00::100/128'] },
        { name: 'srv', kind: 'raw', addresses: ['fd00:1::1/64'] },
      ],
    });
    director.addService({ ...web, scheduler: 'rr' });
    director.addDest(web, { address: 'fd00:1::11', method: 'dr' });
  });

  test('an error to itself is not sent', () => {
    const dying = udp({ source: ends.destination, destination: 'fd00:1::11', sport: 1, dport: 2, ttl: 1 });
    expect(director.send(dying, 'srv', T0).map(({ reason }) => reason)).toEqual(['ttl-exceeded']);
  });

  test('a client past its service hears of its packets: one that is its own server', () => {
    director.addDest(web, { address: ends.source, port: 80, method: 'nat' });
    director.deleteDest(web, { address: 'fd00:1::11' });
    expect(fate(tcp({ ...ends, sport: 80, dport: 80, flags: SYN }))).toBe('forward nat-in');
    const dying = tcp({ source: ends.source, destination: ends.source, sport: 80, dport: 80, ttl: 1 });
    const reasons = director.send(dying, 'cli', T0).map(({ verdict, reason }) => `${verdict} ${reason}`);
    expect(reasons).toEqual(['drop ttl-exceeded', 'forward time-exceeded']);
  });

  test('the state behind extension headers is that of the segment', () => {
    // Destination options, all padding.
    const extensions = [[60, Uint8Array.of(0, 1, 4, 0, 0, 0, 0)]] as const;
    const syn = tcp({ ...ends, sport: 40_000, dport: 80, flags: SYN, extensions });
    expect(fate(syn)).toBe('forward direct-route');
    expect(director.connections(T0)[0]?.state).toBe('SYN_RECV');
  });
});
