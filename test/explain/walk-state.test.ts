import { describe, expect, test } from 'vitest';
import type { ConnectionInfo } from '../../src/director.js';
import { reasonText } from '../../src/reasons.js';
import {
  bytes,
  C0_MAC,
  CLI_MAC,
  chunk,
  ether,
  fragment6,
  ipv4,
  ipv6,
  RS1_MAC,
  SRV_MAC,
  sctp,
  tcpFrame,
  u32,
  udp,
} from '../scenario/packets.js';

import { ENDS, NAT4, NAT6, OUT, serviceOf, syn, told } from './walk-packets.js';

describe('the walk of fragments', () => {
  const datagram = udp('10.0.0.2', '10.0.0.100', 40001, 80, Array(64).fill(1));
  const piece = (from: number, to: number, dst = '10.0.0.100') =>
    ether(
      C0_MAC,
      CLI_MAC,
      ipv4({
        src: '10.0.0.2',
        dst,
        protocol: 17,
        id: 9,
        fragment: (to < 72 ? 0x2000 : 0) | (from / 8),
        payload: datagram.slice(from, to),
      }),
    );
  const connection = { ...NAT4, protocol: 'udp', state: 'UDP' } as const;

  test('goes on with the datagram once it is whole, and counts its pieces', () => {
    const sent = piece(0, 40, '10.1.0.21');
    const made = [{ reason: 'fragment', frame: piece(40, 72, '10.1.0.21') }];
    expect(told({ frame: piece(40, 72), reason: 'nat-in', connection, connections: [connection], sent, made })).toEqual(
      [
        'PREROUTING: IPv4 header = 20 bytes, total length 52, checksum right',
        'routing: destination 10.0.0.100 = an address of cli: for this host',
        'INPUT: fragment 0x0009 at 40 = the last one that was missing: the datagram is whole',
        'INPUT: connection UDP 10.0.0.2:40001 > 10.0.0.100:80 = UDP, server 10.1.0.21:8080 (nat)',
        'OUTPUT: route to 10.1.0.21 = 10.1.0.0/24 dev srv, MTU 1500',
        'OUTPUT: TTL 64 = becomes 63',
        'OUTPUT: length 92, MTU 1500 = leaves in 2 pieces',
        'OUTPUT: method nat = destination 10.0.0.100:80 becomes 10.1.0.21:8080, checksums updated',
        ...OUT,
      ],
    );
  });

  test('over IPv6 is told before the routing decision, or that they are let through', () => {
    const six = (offset: number, id = 7, dst = 'fd00::100') =>
      ether(
        C0_MAC,
        CLI_MAC,
        ipv6({
          src: 'fd00::2',
          dst,
          protocol: 44,
          payload: fragment6(17, offset, offset === 0, id, datagram.slice(offset, offset === 0 ? 40 : 72)),
        }),
        0x86dd,
      );
    const whole = { ...NAT6, protocol: 'udp', state: 'UDP' } as const;
    const frame = six(40);
    const made = [{ reason: 'fragment', frame: six(40, 8) }];
    const lines = told({ frame, reason: 'nat-in', connection: whole, connections: [whole], sent: six(0, 8), made });
    expect(lines.slice(0, 4)).toEqual([
      'PREROUTING: IPv6 header = 40 bytes, payload length 40',
      'PREROUTING: extension headers = fragment',
      'PREROUTING: fragment 0x00000007 at 40 = the last one that was missing: the datagram is whole',
      'routing: destination fd00::100 = an address of cli: for this host',
    ]);
    expect(lines).toContain('OUTPUT: length 112, MTU 1500 = leaves in 2 pieces');
    const through = six(40, 7, 'fd00:1::21');
    expect(told({ frame: through, reason: 'routed' })).toContain(
      'PREROUTING: fragment 0x00000007 at 40 = goes on as it is',
    );
  });

  test('into a tunnel tells the length of the datagram, not of the outer pieces', () => {
    const inside = ipv4({ src: '10.0.0.2', dst: '10.0.0.100', protocol: 17, id: 9, fragment: 0, payload: datagram });
    const outer = (from: number, to: number) =>
      ether(
        SRV_MAC,
        RS1_MAC,
        ipv4({
          src: '10.1.0.1',
          dst: '10.1.0.21',
          protocol: 4,
          fragment: (to < 92 ? 0x2000 : 0) | (from / 8),
          payload: inside.slice(from, to),
        }),
      );
    const tunnelled = { ...connection, method: 'tun', destPort: 80 } as const;
    const made = [{ reason: 'fragment', frame: outer(56, 92) }];
    const rest = { connection: tunnelled, connections: [tunnelled], sent: outer(0, 56), made };
    expect(told({ frame: piece(40, 72), reason: 'tunnel-ipip', ...rest })).toContain(
      'OUTPUT: length 92, MTU 1480 = leaves in 2 pieces',
    );
  });

  test('that were cut here says how many pieces left', () => {
    const frame = tcpFrame({ ...ENDS, fragment: 0, data: Array(100).fill(0) });
    const made = [{ reason: 'fragment', frame }];
    expect(told({ frame, reason: 'nat-in', connection: NAT4, connections: [NAT4], made })).toContain(
      'OUTPUT: length 140, MTU 1500 = leaves in 2 pieces',
    );
  });
});

describe('the walk by state', () => {
  test('shows what a FIN does', () => {
    const frame = tcpFrame({ ...ENDS, flags: 0x11 });
    const connection = { ...NAT4, state: 'CLOSE_WAIT', expires: 60 } as const;
    expect(told({ frame, reason: 'nat-in', connection, connections: [NAT4] })).toContain(
      'INPUT: TCP flags [FA] = ESTABLISHED becomes CLOSE_WAIT, expires in 60 s',
    );
    const same = told({ frame, reason: 'nat-in', connection: NAT4, connections: [NAT4] });
    expect(same.some((line) => line.includes('becomes CLOSE_WAIT'))).toBe(false);
  });

  test('names the chunks of SCTP', () => {
    const packet = (...chunks: Uint8Array[]) =>
      ether(
        C0_MAC,
        CLI_MAC,
        ipv4({ src: '10.0.0.2', dst: '10.0.0.100', protocol: 132, payload: sctp(40001, 80, 1, ...chunks) }),
      );
    const key = { protocol: 'sctp', address: '10.0.0.100', port: 80 };
    const services = [serviceOf(key, { address: '10.1.0.21', port: 80, method: 'dr' })];
    const opened = { ...NAT4, protocol: 'sctp', state: 'INIT1', method: 'dr', expires: 3 } as unknown as ConnectionInfo;
    const lines = told({
      frame: packet(chunk(1, Array(16).fill(1))),
      reason: 'direct-route',
      connection: opened,
      services,
    });
    expect(lines).toContain('INPUT: service SCTP 10.0.0.100:80 = scheduler rr, 1 server');
    expect(lines).toContain('INPUT: SCTP chunk INIT = may open a connection');
    const later = { ...opened, state: 'ESTABLISHED', expires: 900 } as const;
    const frame = packet(chunk(10), chunk(0, Array(13).fill(1)));
    expect(told({ frame, reason: 'direct-route', connection: later, connections: [opened] })).toContain(
      'INPUT: SCTP chunks COOKIE ECHO, DATA = INIT1 becomes ESTABLISHED, expires in 900 s',
    );
    expect(told({ frame: packet(chunk(0)), reason: 'not-opening', verdict: 'local', services }).at(-1)).toBe(
      `INPUT: SCTP chunk DATA = ${reasonText('not-opening')}`,
    );
  });
});

describe('the walk of marked packets', () => {
  const service = serviceOf({ fwmark: 5, family: 4 }, { address: '10.1.0.21', port: 0, method: 'dr' });
  const elsewhere = tcpFrame({ ...ENDS, dst: '10.1.0.22' });

  test('goes to the service of the mark, wherever they are addressed to', () => {
    const connection = { ...NAT4, virtualAddress: '10.1.0.22', destPort: 80, method: 'dr' } as const;
    const lines = told({ frame: elsewhere, reason: 'direct-route', mark: 5, services: [service], connection });
    expect(lines).toContain('routing: destination 10.1.0.22 = for this host by its mark 5');
    expect(lines).toContain('INPUT: service mark 5 = scheduler rr, 1 server');
    expect(told({ frame: elsewhere, reason: 'routed', mark: 4, services: [service] })).toContain(
      'routing: destination 10.1.0.22 = to be forwarded, route 10.1.0.0/24 dev srv',
    );
  });

  test('comes before services by address', () => {
    const other = serviceOf(
      { protocol: 'tcp', address: '10.0.0.100', port: 80 },
      { address: '10.1.0.21', port: 80, method: 'dr' },
    );
    const connection = { ...NAT4, destPort: 80, method: 'dr' } as const;
    const rest = { frame: syn, reason: 'direct-route', services: [other, service], connection };
    expect(told({ ...rest, mark: 5 })).toContain('INPUT: service mark 5 = scheduler rr, 1 server');
    expect(told(rest)).toContain('INPUT: service TCP 10.0.0.100:80 = scheduler rr, 1 server');
  });

  test('may go past all servers', () => {
    const empty = { ...service, dests: [] };
    const connection = {
      ...NAT4,
      virtualAddress: '10.1.0.21',
      destAddress: '0.0.0.0',
      destPort: 0,
      method: 'bypass',
    } as unknown as ConnectionInfo;
    const frame = tcpFrame({ ...ENDS, dst: '10.1.0.21' });
    const rest = { frame, reason: 'bypass', mark: 5, services: [empty], connection };
    expect(told(rest)).toContain('INPUT: scheduler rr = no server: net.ipv4.vs.cache_bypass = 1');
    expect(told(rest).slice(-2)).toEqual(OUT);
    expect(told({ ...rest, connections: [connection] })).toContain(
      'INPUT: connection TCP 10.0.0.2:40001 > 10.1.0.21:80 = ESTABLISHED, no server (bypass)',
    );
  });
});

describe('the walk of ESP and AH', () => {
  const exchange = {
    ...NAT4,
    protocol: 'udp',
    clientPort: 500,
    virtualPort: 500,
    destPort: 500,
    method: 'dr',
  } as const;
  const esp = ether(
    C0_MAC,
    CLI_MAC,
    ipv4({ src: '10.0.0.2', dst: '10.0.0.100', protocol: 50, payload: bytes(u32(1), u32(2), u32(3)) }),
  );

  test('follows the connection of the key exchange', () => {
    const lines = told({ frame: esp, reason: 'direct-route', connections: [exchange], connection: exchange });
    expect(lines).toContain(
      'INPUT: ESP, connection UDP 10.0.0.2:500 > 10.0.0.100:500 = ESTABLISHED, server 10.1.0.21:500 (dr)',
    );
    expect(lines.slice(-2)).toEqual(OUT);
  });

  test('ends at the host without one', () => {
    expect(told({ frame: esp, reason: 'local-delivery', verdict: 'local' }).at(-1)).toBe(
      `INPUT: ESP, connection UDP 10.0.0.2:500 > 10.0.0.100:500 = ${reasonText('local-delivery')}`,
    );
  });
});

test('a walk that does not come to where the packet ended says so all the same', () => {
  expect(told({ frame: syn, reason: 'icmp-checksum', verdict: 'drop', connections: [NAT4] }).at(-1)).toBe(
    `POSTROUTING: the packet = ${reasonText('icmp-checksum')}`,
  );
});
