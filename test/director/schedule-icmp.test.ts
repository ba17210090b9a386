/** The switch schedule_icmp: connections that ICMP and ICMPv6 errors open. */
import { describe, expect, it } from 'vitest';
import { opened6, reply, replyOfServer, sent, UNREACHABLE } from '../support/icmp.js';
import { CLIENT, CLIENT6, DR, fromClient, judged, lab, NAT, NAT6, SERVERS, VIP, VIP6 } from '../support/lab.js';
import { hex, icmp, ipv4, ipv6, tcp, toHex } from '../support/packets.js';

describe('schedule_icmp', () => {
  const sysctl = { schedule_icmp: 1 };
  const error = (quote: Uint8Array): Uint8Array =>
    fromClient(icmp({ source: CLIENT, destination: VIP }, ...UNREACHABLE, quote));

  it('opens the connection that the error tells of', () => {
    const director = lab([NAT], { sysctl });
    const quoted = toHex(sent(director, error(reply), 'cli', 'icmp-in').subarray(28 + 12, 28 + 24));
    expect(quoted).toBe(toHex(replyOfServer.subarray(12, 24)));
    expect(director.connections(0)).toMatchObject([
      { clientAddress: CLIENT, clientPort: 40_000, virtualAddress: VIP, virtualPort: 80, state: 'NONE' },
    ]);
  });

  it.each([
    ['NAT', NAT, 'forward icmp-in'],
    ['DR', DR, 'forward icmp-in'],
    ['DR to this host', { ...DR, address: '10.0.0.1' }, 'drop local-boundary'],
    ['NAT to this host', { ...NAT, address: '10.0.0.1' }, 'drop local-boundary'],
  ] as const)('also of an error that passes through: %s', (_, dest, expected) => {
    const director = lab([dest], { sysctl });
    const passing = fromClient(icmp({ source: CLIENT, destination: SERVERS[1] }, ...UNREACHABLE, reply));
    expect(judged(director.send(passing, 'cli', 0))).toEqual([expected]);
    expect(director.connections(0)).toMatchObject([{ clientAddress: CLIENT, clientPort: 40_000, virtualPort: 80 }]);
  });

  it('even when the error is dropped for its checksum', () => {
    const director = lab([NAT], { sysctl });
    const frame = error(reply);
    frame[36] = (frame[36] as number) ^ 1;
    expect(judged(director.send(frame, 'cli', 0))).toEqual(['drop icmp-checksum']);
    expect(director.connections(0)).toHaveLength(1);
  });

  it.each([
    ['a service without a dest', [], reply, 'drop no-dest'],
    [
      'a port without a service',
      [NAT],
      tcp({ source: VIP, destination: CLIENT, sport: 81, dport: 1 }),
      'local local-delivery',
    ],
    ['half of the ports', [NAT], reply.subarray(0, 23), 'drop transport-truncated'],
    ['a header that goes on', [NAT], Uint8Array.of(0x4a, ...reply.subarray(1, 39)), 'drop transport-truncated'],
    ['half of an IP header', [NAT], reply.subarray(0, 19), 'local local-delivery'],
    ['FTP’s data port', [NAT], tcp({ source: VIP, destination: CLIENT, sport: 80, dport: 20 }), 'local local-delivery'],
    ['ESP', [NAT], ipv4({ source: VIP, destination: CLIENT, protocol: 50 }, new Uint8Array(8)), 'local local-delivery'],
  ] as const)('not about %s', (_, dests, quote, expected) => {
    const director = lab(dests, { sysctl });
    expect(judged(director.send(error(quote), 'cli', 0))).toEqual([expected]);
    expect(director.connections(0)).toEqual([]);
  });

  it.each([
    ['first', '0600 0001', 'drop transport-truncated'],
    ['later', '0600 0101', 'local local-delivery'],
    ['first, cut before its offset', '0600 00', 'local local-delivery'],
    ['first, of another protocol', '3a00 0001', 'local local-delivery'],
    ['first, with another header behind', '3c00 0001', 'local local-delivery'],
  ])('not about half of an IPv6 fragment header: %s', (_, half, expected) => {
    const director = opened6(NAT6, { sysctl });
    const header = ipv6({ source: VIP6, destination: CLIENT6, protocol: 44 }, hex(half));
    const frame = fromClient(icmp({ source: CLIENT6, destination: VIP6 }, 1, 4, header));
    expect(judged(director.send(frame, 'cli', 0))).toEqual([expected]);
  });

  it('not for AH and ESP, whatever mark they have', () => {
    const mark = 7;
    const director = lab([DR], { sysctl }, {}, [{ fwmark: mark }]);
    const judge = (quote: Uint8Array): string[] => judged(director.send(error(quote), 'cli', 0, { mark }));
    expect(judge(ipv4({ source: VIP, destination: CLIENT, protocol: 50 }, new Uint8Array(8)))).toEqual([
      'local local-delivery',
    ]);
    expect(judge(reply)).toEqual(['forward icmp-in']);
  });
});
