/** Where a director of ours is not Linux 6.1 (docs/deviations.md): packets with a service's firewall mark. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ACK, SYN, tcp } from '../../support/packets.js';
import { begin, CLIENT, director, end, fate, RIP, segment, T0, VIP } from './lab.js';

beforeEach(begin);
afterEach(end);

test('by policy from a broadcast address: balanced as without marks', () => {
  director.addService({ fwmark: 7 });
  expect(fate(tcp({ source: '10.1.0.255', destination: VIP, sport: 40_000, dport: 80, flags: SYN }))).toBe(
    'forward nat-in',
  );
});

test('marked for a service, to a group: for the host', () => {
  director.addService({ fwmark: 7 });
  director.addDest({ fwmark: 7 }, { address: RIP, method: 'nat' });
  const [outcome] = director.send(segment(SYN), 'cli', T0, { mark: 7 });
  expect(outcome?.reason).toBe('nat-in');
  const toAll = tcp({ source: CLIENT, destination: '224.0.0.1', sport: 40_001, dport: 80, flags: SYN });
  expect(director.send(toAll, 'cli', T0, { mark: 7 }).map(({ reason }) => reason)).toEqual(['local-delivery']);
});

test('unmarked, to everybody, of a connection that a mark began: for the host', () => {
  director.addService({ fwmark: 7 });
  director.addDest({ fwmark: 7 }, { address: RIP, method: 'nat' });
  const ends = { source: CLIENT, destination: '192.0.2.255', sport: 40_002, dport: 80 };
  const fates = (flags: number, mark: number) =>
    director.send(tcp({ ...ends, flags }), 'cli', T0, { mark }).map(({ reason }) => reason);
  expect([fates(SYN, 7), fates(ACK, 7), fates(ACK, 0)]).toEqual([['nat-in'], ['nat-in'], ['local-delivery']]);
});
