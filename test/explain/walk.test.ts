import { describe, expect, test } from 'vitest';
import { reasonText } from '../../src/reasons.js';
import type { TunnelConfig } from '../../src/types.js';
import {
  bytes,
  C0_MAC,
  CLI_MAC,
  ether,
  gre,
  gue,
  icmp,
  icmp6,
  ipv4,
  ipv6,
  RS1_MAC,
  SRV_MAC,
  tcp6Frame,
  tcpFrame,
  u16,
  u32,
  udp,
} from '../scenario/packets.js';

import { NAT4, NAT6, OUT, serviceOf, syn, syn6, told } from './walk-packets.js';

describe('the walk over IPv6', () => {
  const services = [
    serviceOf(
      { protocol: 'tcp', address: 'fd00::100', port: 80 },
      { address: 'fd00:1::21', port: 8080, method: 'nat' },
    ),
  ];

  test('of a SYN', () => {
    expect(told({ frame: syn6, reason: 'nat-in', connection: NAT6, services })).toEqual([
      'PREROUTING: IPv6 header = 40 bytes, payload length 20',
      'routing: destination fd00::100 = an address of cli: for this host',
      'INPUT: connection TCP [fd00::2]:40001 > [fd00::100]:80 = none',
      'INPUT: service TCP [fd00::100]:80 = scheduler rr, 1 server',
      'INPUT: TCP flags [S] = may open a connection',
      'INPUT: scheduler rr = [fd00:1::21]:8080: the next usable one of the list (newest first): [fd00:1::21]:8080',
      'INPUT: new connection = SYN_RECV, nat, expires in 60 s',
      'OUTPUT: route to fd00:1::21 = fd00:1::/64 dev srv, MTU 1500',
      'OUTPUT: hop limit 64 = becomes 63',
      'OUTPUT: length 60, MTU 1500 = fits',
      'OUTPUT: method nat = destination [fd00::100]:80 becomes [fd00:1::21]:8080, checksums updated',
      `POSTROUTING: next hop fd00:1::21 = MAC ${RS1_MAC}`,
      `POSTROUTING: out interface = srv, from MAC ${SRV_MAC}`,
    ]);
  });

  test('names extension headers, and what a packet of no service ends with', () => {
    const frame = ether(
      C0_MAC,
      CLI_MAC,
      ipv6({
        src: 'fd00::2',
        dst: 'fd00::100',
        protocol: 0,
        payload: bytes(60, 0, 1, 4, u32(0), 17, 0, 1, 4, u32(0), udp('0.0.0.0', '0.0.0.0', 1, 9)),
      }),
      0x86dd,
    );
    const lines = told({ frame, reason: 'local-delivery', verdict: 'local' });
    expect(lines).toContain('PREROUTING: extension headers = hop-by-hop options, destination options');
    expect(lines.at(-1)).toBe(`INPUT: service UDP [fd00::100]:9 = ${reasonText('local-delivery')}`);
  });

  test('of a reply', () => {
    const frame = tcp6Frame({
      src: 'fd00:1::21',
      dst: 'fd00::2',
      sport: 8080,
      dport: 40001,
      flags: 0x11,
      from: RS1_MAC,
      to: SRV_MAC,
    });
    const before = { ...NAT6, state: 'ESTABLISHED' } as const;
    const connection = { ...NAT6, state: 'CLOSE_WAIT', expires: 59.6 } as const;
    expect(
      told({ frame, reason: 'nat-out', inInterface: 'srv', connections: [before], connection }).slice(2, -2),
    ).toEqual([
      'FORWARD: hop limit 64 = becomes 63',
      'FORWARD: length 60, MTU 1500 = fits',
      'FORWARD: connection TCP reply [fd00:1::21]:8080 > [fd00::2]:40001 = ESTABLISHED, service [fd00::100]:80 (nat)',
      'FORWARD: TCP flags [FA] = ESTABLISHED becomes CLOSE_WAIT, expires in 60 s',
      'FORWARD: method nat = source [fd00:1::21]:8080 becomes [fd00::100]:80, checksums updated',
    ]);
  });
});

describe('the walk into a tunnel', () => {
  test.each<[string, TunnelConfig | undefined, string, number, string]>([
    ['tunnel-ipip', undefined, '10.1.0.21', 1480, 'an IPIP header to 10.1.0.21 is put in front'],
    ['tunnel-ipip', undefined, 'fd00:1::21', 1460, 'a 4in6 header to fd00:1::21 is put in front'],
    ['tunnel-gre', { type: 'gre' }, '10.1.0.21', 1476, 'IPv4 and GRE headers to 10.1.0.21 are put in front'],
    [
      'tunnel-gre',
      { type: 'gre', checksum: 'csum' },
      '10.1.0.21',
      1472,
      'IPv4 and GRE headers to 10.1.0.21 are put in front',
    ],
    [
      'tunnel-gue',
      { type: 'gue', port: 6080 },
      '10.1.0.21',
      1468,
      'IPv4, UDP (port 6080) and GUE headers to 10.1.0.21 are put in front',
    ],
    [
      'tunnel-gue',
      { type: 'gue', port: 6080, checksum: 'remcsum' },
      'fd00:1::21',
      1440,
      'IPv6, UDP (port 6080) and GUE headers to fd00:1::21 are put in front',
    ],
  ])('%s %o to %s', (reason, tunnel, destAddress, mtu, method) => {
    const key = { protocol: 'tcp', address: '10.0.0.100', port: 80 };
    const services = [serviceOf(key, { address: destAddress, port: 80, method: 'tun', ...(tunnel && { tunnel }) })];
    const connection = { ...NAT4, destAddress, destPort: 80, method: 'tun' } as const;
    const lines = told({ frame: syn, reason, services, connections: [connection], connection });
    expect(lines).toContain(`OUTPUT: method tun = ${method}`);
    expect(lines).toContain(`OUTPUT: length 40, DF, MTU ${mtu} = fits`);
  });
});

describe('the walk out of a tunnel', () => {
  const inside = syn.slice(14);
  const over4 = (protocol: number, payload: Uint8Array) =>
    ether(C0_MAC, CLI_MAC, ipv4({ src: '10.0.0.2', dst: '10.0.0.1', protocol, payload }));
  test.each<[string, Uint8Array, string]>([
    ['GRE', over4(47, gre(0x0800, inside)), 'gre0'],
    ['GUE', over4(17, udp('10.0.0.2', '10.0.0.1', 40000, 6080, [...gue(4, inside)])), 'tunl0'],
    [
      '4in6',
      ether(C0_MAC, CLI_MAC, ipv6({ src: 'fd00::2', dst: 'fd00::1', protocol: 4, payload: inside }), 0x86dd),
      'ip6tnl0',
    ],
  ])('%s goes on with what is inside', (word, frame, device) => {
    const lines = told({ frame, reason: 'nat-in', connection: NAT4, connections: [NAT4] });
    expect(lines).toContain(`INPUT: ${word} = outer header taken off, the packet inside is received on ${device}`);
    expect(lines).toContain(
      'INPUT: connection TCP 10.0.0.2:40001 > 10.0.0.100:80 = ESTABLISHED, server 10.1.0.21:8080 (nat)',
    );
    expect(lines.slice(-2)).toEqual(OUT);
  });

  test('is none without its device or port', () => {
    const six = over4(41, syn6.slice(14));
    expect(told({ frame: six, reason: 'local-delivery', verdict: 'local' }).at(-1)).toBe(
      `INPUT: 6in4 = ${reasonText('local-delivery')}`,
    );
    const other = over4(17, udp('10.0.0.2', '10.0.0.1', 40000, 6081, [...gue(4, inside)]));
    expect(told({ frame: other, reason: 'local-delivery', verdict: 'local' }).at(-1)).toMatch(/^INPUT: GUE = /);
  });
});

describe('the walk of an ICMP error', () => {
  const about = (src: string, dst: string, sport: number, dport: number) =>
    tcpFrame({ src, dst, sport, dport, flags: 0x10 }).slice(14);

  test('from the client about a reply goes to its server', () => {
    const quoted = about('10.0.0.100', '10.0.0.2', 80, 40001);
    const payload = icmp(3, 4, [0, 0, ...u16(1200)], quoted);
    const frame = ether(C0_MAC, CLI_MAC, ipv4({ src: '10.9.3.4', dst: '10.0.0.100', protocol: 1, payload }));
    const lines = told({ frame, reason: 'icmp-in', connection: NAT4, connections: [NAT4] });
    expect(lines).toContain(
      'INPUT: ICMP 3/4 (fragmentation needed) about TCP 10.0.0.100:80 > 10.0.0.2:40001 = connection ESTABLISHED, server 10.1.0.21:8080 (nat)',
    );
    expect(lines).toContain(
      'OUTPUT: method nat = destination 10.0.0.100 becomes 10.1.0.21, quoted source 10.0.0.100:80 becomes 10.1.0.21:8080, ICMP checksum anew',
    );
    expect(lines.slice(-2)).toEqual(OUT);
    const direct = { ...NAT4, method: 'dr', destPort: 80 } as const;
    expect(told({ frame, reason: 'icmp-in', connection: direct, connections: [direct] })).toContain(
      'OUTPUT: method dr = addresses and ports stay, only the MAC becomes that of 10.1.0.21',
    );
    expect(told({ frame, reason: 'icmp-in', connection: direct })).toContain(
      'INPUT: ICMP 3/4 (fragmentation needed) about TCP 10.0.0.100:80 > 10.0.0.2:40001 = none: opens a connection to 10.1.0.21:80',
    );
    expect(told({ frame, reason: 'local-delivery', verdict: 'local' }).at(-1)).toBe(
      `INPUT: ICMP 3/4 (fragmentation needed) about TCP 10.0.0.100:80 > 10.0.0.2:40001 = ${reasonText('local-delivery')}`,
    );
    expect(told({ frame, reason: 'ttl-exceeded', verdict: 'drop', connections: [NAT4] }).at(-1)).toBe(
      `OUTPUT: TTL 64 = ${reasonText('ttl-exceeded')}`,
    );
  });

  test('from a server about a request seems to come from the service', () => {
    const quoted = about('10.0.0.2', '10.1.0.21', 40001, 8080);
    const frame = ether(
      RS1_MAC,
      SRV_MAC,
      ipv4({ src: '10.1.0.77', dst: '10.0.0.2', protocol: 1, payload: icmp(3, 1, [0, 0, 0, 0], quoted) }),
    );
    const lines = told({ frame, reason: 'icmp-out', inInterface: 'srv', connection: NAT4, connections: [NAT4] });
    expect(lines).toContain(
      'FORWARD: ICMP 3/1 (host unreachable) about TCP 10.0.0.2:40001 > 10.1.0.21:8080 = ESTABLISHED, service 10.0.0.100:80 (nat)',
    );
    expect(lines).toContain(
      'FORWARD: method nat = source 10.1.0.77 becomes 10.0.0.100, quoted destination 10.1.0.21:8080 becomes 10.0.0.100:80, ICMP checksum anew',
    );
    const unknown = told({ frame, reason: 'routed', inInterface: 'srv' });
    expect(unknown).toContain(
      'FORWARD: ICMP 3/1 (host unreachable) about TCP 10.0.0.2:40001 > 10.1.0.21:8080 = no connection',
    );
    expect(unknown.some((line) => line.includes('method'))).toBe(false);
  });

  test('over IPv6, too', () => {
    const quoted = tcp6Frame({ src: 'fd00::2', dst: 'fd00:1::21', sport: 40001, dport: 8080 }).slice(14);
    const payload = icmp6('fd00:1::77', 'fd00::2', 1, 0, [0, 0, 0, 0], quoted);
    const frame = ether(RS1_MAC, SRV_MAC, ipv6({ src: 'fd00:1::77', dst: 'fd00::2', protocol: 58, payload }), 0x86dd);
    expect(told({ frame, reason: 'icmp-out', inInterface: 'srv', connection: NAT6, connections: [NAT6] })).toContain(
      'FORWARD: ICMPv6 1/0 (no route) about TCP [fd00::2]:40001 > [fd00:1::21]:8080 = SYN_RECV, service [fd00::100]:80 (nat)',
    );
  });

  test('about our own tunnel packet says so', () => {
    const outer = ipv4({ src: '10.1.0.1', dst: '10.1.0.21', protocol: 47, payload: gre(0x0800, syn.slice(14)) });
    const frame = ether(
      RS1_MAC,
      SRV_MAC,
      ipv4({ src: '10.1.0.77', dst: '10.1.0.1', protocol: 1, payload: icmp(11, 0, [0, 0, 0, 0], outer) }),
    );
    expect(told({ frame, reason: 'local-delivery', verdict: 'local', inInterface: 'srv' }).at(-1)).toMatch(
      /^INPUT: ICMP 11\/0 \(time exceeded\) about our GRE packet to 10\.1\.0\.21 = /,
    );
  });
});
