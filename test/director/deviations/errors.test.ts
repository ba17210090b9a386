/** Where a director of ours is not Linux 6.1 (docs/deviations.md): ICMP errors that come in. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ACK, icmp, SYN, tcp } from '../../support/packets.js';
import { begin, CLIENT, director, end, fate, RIP, segment, T0, VIP, WEB } from './lab.js';

beforeEach(begin);
afterEach(end);

describe('ICMP errors', () => {
  test('a wrong checksum to DR is sent on', () => {
    const key = { ...WEB, port: 81 };
    director.addService(key);
    director.addDest(key, { address: RIP, method: 'dr' });
    const ends = { source: CLIENT, destination: VIP };
    fate(tcp({ ...ends, sport: 40_000, dport: 81, flags: SYN }));
    const quoted = tcp({ source: VIP, destination: CLIENT, sport: 81, dport: 40_000, flags: ACK });
    const error = icmp(ends, 3, 3, quoted);
    error[22] = (error[22] as number) ^ 1;
    expect(fate(error)).toBe('forward icmp-in');
  });

  const reply = tcp({ source: VIP, destination: CLIENT, sport: 80, dport: 40_000, flags: ACK });

  test('an ICMPv6 error of a server is translated', () => {
    const web = { ...WEB, address: 'fd00::100' };
    director.setNetwork({
      interfaces: [
        { name: 'cli', kind: 'raw', addresses: ['fd00::1/64', 'fd00::100/128'] },
        { name: 'srv', kind: 'raw', addresses: ['fd00:1::1/64'] },
      ],
    });
    director.addService({ ...web, scheduler: 'rr' });
    director.addDest(web, { address: 'fd00:1::11', port: 8080, method: 'nat' });
    const syn = tcp({ source: 'fd00::2', destination: 'fd00::100', sport: 40_000, dport: 80, flags: SYN });
    const sent = director.send(syn, 'cli', T0)[0]?.frame as Uint8Array;
    const error = icmp({ source: 'fd00:1::11', destination: 'fd00::2' }, 1, 3, sent);
    expect(fate(error, 'srv')).toBe('forward icmp-out');
    error[42] = (error[42] ?? 0) ^ 1;
    expect(fate(error, 'srv')).toBe('drop icmp-checksum');
  });

  test('a quoted header that is too short is nobody’s', () => {
    fate(segment(SYN));
    const ends = { source: CLIENT, destination: VIP };
    expect(fate(icmp(ends, 3, 3, reply))).toBe('forward icmp-in');
    const short = Uint8Array.from(reply, (byte, i) => (i === 0 ? 0x44 : byte));
    expect(fate(icmp(ends, 3, 3, short))).toBe('local local-delivery');
  });

  test('a learnt path MTU counts for the dest, not for what is routed to its address', () => {
    director.deleteDest(WEB, { address: RIP, port: 8080 });
    director.addDest(WEB, { address: RIP, method: 'tun' });
    const [tunnelled] = director.send(segment(SYN), 'cli', T0);
    const quote = tunnelled?.frame as Uint8Array;
    fate(icmp({ source: '10.1.0.9', destination: '10.1.0.1' }, 3, 4, quote, 300), 'srv');
    const long = { df: true, payload: new Uint8Array(1000) };
    expect(fate(segment(ACK, long))).toBe('drop too-big');
    expect(fate(tcp({ source: CLIENT, destination: RIP, sport: 1, dport: 2, ...long }))).toBe('forward routed');
  });
});
