/** Where a director of ours is not Linux 6.1 (docs/deviations.md): clients of port 0, and when connections, counts and dests end. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fragmentsOf } from '../../support/fragments.js';
import { ACK, counting, packet, RST, SYN, tcp } from '../../support/packets.js';
import { begin, CLIENT, director, end, fate, RIP, segment, T0, VIP, WEB } from './lab.js';

beforeEach(begin);
afterEach(end);

describe('clients that send from port 0', () => {
  test('from port 0: when the newest connection ends, replies belong to none', () => {
    const from0 = tcp({ source: CLIENT, destination: VIP, sport: 0, dport: 80, flags: SYN });
    const reply = (flags: number) => tcp({ source: RIP, destination: CLIENT, sport: 8080, dport: 0, flags });
    for (let n = 0; n < 2; n++) fate(from0);
    expect(fate(reply(RST), 'srv')).toBe('forward nat-out');
    // 10 s in CLOSE; the older one is in SYN_RECV for 60.
    expect(director.connections(T0 + 20_000)).toMatchObject([{ state: 'SYN_RECV' }]);
    expect(fate(reply(ACK), 'srv', T0 + 20_000)).toBe('forward routed');
  });

  test('an answer of the host, a reset, ends no connection from port 0', () => {
    const from0 = (flags: number) => tcp({ source: CLIENT, destination: VIP, sport: 0, dport: 80, flags });
    fate(from0(SYN));
    expect(fate(from0(ACK))).toBe('local not-opening');
    expect(director.connections(T0)).toMatchObject([{ state: 'SYN_RECV' }]);
  });
});

describe('time and trash', () => {
  test('a connection expires to the millisecond', () => {
    fate(segment(SYN));
    expect(director.connections(T0 + 59_999)).toHaveLength(1);
    expect(director.connections(T0 + 60_000)).toHaveLength(0);
    // An ACK opens nothing: at the last moment it is forwarded and keeps the connection, after it there is none.
    expect(fate(segment(ACK), 'cli', T0 + 59_999)).toBe('forward nat-in');
    expect(fate(segment(ACK), 'cli', T0 + 59_999 + 900_000)).toBe('local not-opening');
  });

  test('counts follow within half a second', () => {
    fate(segment(SYN));
    director.advance(T0 + 60_000 + 512);
    expect(director.services()[0]?.dests[0]).toMatchObject({ activeConnections: 0, inactiveConnections: 0 });
    expect(director.connectionCount).toBe(0);
  });

  test('counts are current, rates as of the last even second', () => {
    director.advance(T0);
    fate(segment(SYN));
    const counts = () => director.services().map(({ stats, rates }) => [stats.inPackets, rates.inBytes > 0n]);
    expect(counts()).toContainEqual([1n, false]);
    director.advance(T0 + 2000);
    expect(counts()).toContainEqual([1n, true]);
  });

  test('the time of held fragments is up: counted, and nobody is told', () => {
    const [first = new Uint8Array(0)] = fragmentsOf(segment(SYN, { payload: counting(64) }), [48]);
    expect(fate(first)).toBe('held fragment-held');
    director.burst.reset();
    expect(director.process(T0 + 30_000)).toBe(0);
    expect(director.counters()['fragment-timeout']).toBe(1n);
  });

  test('a packet cut within its header keeps no connection', () => {
    fate(segment(SYN));
    const ends = { source: RIP, destination: CLIENT };
    const answer = tcp({ ...ends, sport: 8080, dport: 40_000, flags: ACK });
    const cut = packet(ends, 6, answer.subarray(20, 39));
    expect(fate(cut, 'srv', T0 + 30_000)).toBe('drop transport-truncated');
    expect(director.connections(T0 + 30_000)).toMatchObject([{ state: 'SYN_RECV', expires: 30 }]);
  });

  test('a deleted dest without connections is forgotten with its traffic', () => {
    fate(segment(SYN));
    director.advance(T0 + 61_000);
    director.deleteDest(WEB, { address: RIP, port: 8080 });
    director.addDest(WEB, { address: RIP, port: 8080, method: 'nat' });
    expect(director.services()[0]?.dests[0]?.stats.inPackets).toBe(0n);
  });
});
