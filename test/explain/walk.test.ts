import { describe, expect, test } from 'vitest';
import type { ConnectionInfo, Outcome, ServiceInfo } from '../../src/director.js';
import { walkOf } from '../../src/explain/walk.js';
import { reasonText } from '../../src/reasons.js';
import type { NetworkConfig, SysctlConfig, TunnelConfig } from '../../src/types.js';
import {
  bytes,
  C0_MAC,
  CLI_MAC,
  chunk,
  ether,
  fragment6,
  gre,
  gue,
  icmp,
  icmp6,
  ipv4,
  ipv6,
  RS1_MAC,
  SRV_MAC,
  sctp,
  tcp6Frame,
  tcpFrame,
  u16,
  u32,
  udp,
} from '../scenario/packets.js';

const NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'cli', mac: CLI_MAC, addresses: ['10.0.0.1/24', '10.0.0.100/32', 'fd00::1/64', 'fd00::100/128'] },
    { name: 'srv', mac: SRV_MAC, addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
    { name: 'tunl0', kind: 'ipip' },
    { name: 'gre0', kind: 'gre' },
    { name: 'ip6tnl0', kind: 'ip6tnl' },
  ],
  neighbours: [
    { dst: '10.0.0.2', dev: 'cli', lladdr: C0_MAC },
    { dst: 'fd00::2', dev: 'cli', lladdr: C0_MAC },
    { dst: '10.1.0.21', dev: 'srv', lladdr: RS1_MAC },
    { dst: 'fd00:1::21', dev: 'srv', lladdr: RS1_MAC },
  ],
  fou: [{ port: 6080 }],
};
const SYSCTL = { ip_forward: 1, ipv6_forwarding: 1 } as Required<SysctlConfig>;
const STATS = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };

function serviceOf(key: object, dest: { address: string; port: number; method: string; tunnel?: TunnelConfig }) {
  const more = { weight: 1, upperThreshold: 0, lowerThreshold: 0, activeConnections: 0, inactiveConnections: 0 };
  const dests = [{ ...dest, ...more, stats: STATS }];
  return { scheduler: 'rr', flags: [], stats: STATS, ...key, dests } as unknown as ServiceInfo;
}

interface Told {
  frame: Uint8Array;
  reason: string;
  inInterface?: string;
  verdict?: string;
  connection?: Partial<ConnectionInfo> | undefined;
  /** What left; default: the frame itself, by `out`. */
  sent?: Uint8Array;
  out?: string | undefined;
  made?: { reason: string; frame: Uint8Array }[];
  services?: ServiceInfo[];
  connections?: Partial<ConnectionInfo>[];
  mark?: number;
}

/** The lines of a walk as `hook: looked = found`, from PREROUTING on. */
function told({
  frame,
  reason,
  inInterface = 'cli',
  verdict = 'forward',
  mark = 0,
  made = [],
  ...more
}: Told): string[] {
  const rest = { made: false, decapsulated: false, partialChecksum: false };
  const { connection, sent = frame, services = [], connections = [] } = more;
  const outInterface = verdict === 'forward' ? (more.out ?? (inInterface === 'cli' ? 'srv' : 'cli')) : undefined;
  const steps = walkOf({
    network: NETWORK,
    sysctl: SYSCTL,
    frame,
    interfaceName: inInterface,
    mark,
    outcome: { verdict, reason, outInterface, connection, frame: sent, ...rest } as Outcome,
    made: made.map((one) => ({ verdict: 'forward', outInterface, ...rest, ...one, made: true }) as unknown as Outcome),
    services,
    connections: connections as ConnectionInfo[],
  });
  const all = steps.flatMap(({ hook, lines }) => lines.map(({ looked, found }) => `${hook}: ${looked} = ${found}`));
  return all.filter((line) => !line.startsWith('link:'));
}

const NAT6 = {
  protocol: 'tcp',
  clientAddress: 'fd00::2',
  clientPort: 40001,
  virtualAddress: 'fd00::100',
  virtualPort: 80,
  destAddress: 'fd00:1::21',
  destPort: 8080,
  method: 'nat',
  state: 'SYN_RECV',
  expires: 60,
  inPackets: 1,
} as const;
const NAT4 = {
  ...NAT6,
  clientAddress: '10.0.0.2',
  virtualAddress: '10.0.0.100',
  destAddress: '10.1.0.21',
  state: 'ESTABLISHED',
} as const;
const ENDS = { sport: 40001, dport: 80 };
const syn = tcpFrame(ENDS);
const syn6 = tcp6Frame(ENDS);
const OUT = [
  `POSTROUTING: next hop 10.1.0.21 = MAC ${RS1_MAC}`,
  `POSTROUTING: out interface = srv, from MAC ${SRV_MAC}`,
];

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
  expect(told({ frame: syn, reason: 'table-full', verdict: 'drop', connections: [NAT4] }).at(-1)).toBe(
    `POSTROUTING: the packet = ${reasonText('table-full')}`,
  );
});
