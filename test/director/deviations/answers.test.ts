/** Where a director of ours is not Linux 6.1 (docs/deviations.md): what the director tells senders. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ACK, icmp, ipv4, SYN, tcp, udp } from '../../support/packets.js';
import { begin, CLIENT, director, end, fate, RIP, segment, T0, VIP, WEB } from './lab.js';

beforeEach(begin);
afterEach(end);

describe("the director's own ICMP", () => {
  test('an error to a marked address goes there', () => {
    const ends = { source: CLIENT, destination: '192.0.2.9', sport: 40_000, dport: 80 };
    director.addService({ fwmark: 7 });
    director.addDest({ fwmark: 7 }, { address: RIP, method: 'dr' });
    expect(director.send(tcp({ ...ends, flags: SYN }), 'cli', T0, { mark: 7 })[0]?.reason).toBe('direct-route');
    const back = { source: '192.0.2.9', destination: CLIENT, sport: 80, dport: 40_000, flags: SYN | ACK, ttl: 1 };
    const [, told] = director.send(tcp(back), 'srv', T0);
    expect([told?.reason, told?.outInterface]).toEqual(['time-exceeded', 'cli']);
    expect([...told!.frame.subarray(16, 20)]).toEqual([192, 0, 2, 9]);
  });

  test('a client past its service hears of its packets to the server', () => {
    expect(fate(segment(SYN))).toBe('forward nat-in');
    const straight = tcp({ source: CLIENT, destination: RIP, sport: 40_000, dport: 8080, flags: ACK, ttl: 1 });
    const [, answer] = director.send(straight, 'cli', T0);
    expect(answer?.reason).toBe('time-exceeded');
    // From the director's own address, and about RIP.
    expect([...(answer?.frame.subarray(12, 16) ?? [])]).toEqual([192, 0, 2, 254]);
    expect([...(answer?.frame.subarray(44, 48) ?? [])]).toEqual([10, 1, 0, 11]);
  });

  test('is not limited: a hundred packets in one millisecond get a hundred answers', () => {
    const dying = segment(SYN, { ttl: 1 });
    const answers = Array.from({ length: 100 }, () => director.send(dying, 'cli', T0)[1]);
    expect(answers.filter((answer) => answer?.reason === 'time-exceeded')).toHaveLength(100);
  });

  test('options of an error about a tunnel are not looked at', () => {
    director.deleteDest(WEB, { address: RIP, port: 8080 });
    director.addDest(WEB, { address: RIP, method: 'tun' });
    const outer = director.send(segment(SYN), 'cli', T0)[0]?.frame ?? new Uint8Array(0);
    const told = icmp({ source: RIP, destination: '10.1.0.1' }, 3, 1, outer);
    const recordRoute = Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0);
    const words = { source: RIP, destination: '10.1.0.1', protocol: 1, options: recordRoute };
    const answer = director.send(ipv4(words, told.subarray(20)), 'srv', T0)[1];
    expect(answer?.reason).toBe('icmp-relayed');
    expect(answer?.frame[0]).toBe(0x45);
  });

  test('never redirects, even out of the interface that a packet came in by', () => {
    const outcomes = director.send(udp({ source: RIP, destination: '10.1.0.12', sport: 1, dport: 2 }), 'srv', T0);
    expect(outcomes.map(({ reason }) => reason)).toEqual(['routed']);
  });

  test('from a broadcast address: nobody is told', () => {
    const late = tcp({ source: '192.0.2.255', destination: VIP, sport: 40_000, dport: 80, flags: SYN, ttl: 1 });
    expect(director.send(late, 'cli', T0).map(({ reason }) => reason)).toEqual(['ttl-exceeded']);
  });
});
