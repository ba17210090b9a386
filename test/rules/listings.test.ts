import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ListedConnection, ListedDest, ListedService, ListedStats } from '../../src/rules/listed.js';
import { listConnections, listServices } from '../../src/rules/listings.js';
import { fixture, kernelFile, listingsOf, NO_STATS, readConnections, readServices, SCENARIOS } from './model.js';

const stats = (...numbers: [number, number, number, number, number]): ListedStats => {
  const [connections, inPackets, outPackets, inBytes, outBytes] = numbers.map(BigInt);
  return { connections, inPackets, outPackets, inBytes, outBytes } as ListedStats;
};
const dest = (address: string, given: Partial<ListedDest> = {}): ListedDest => ({
  address,
  port: 8080,
  method: 'nat',
  weight: 1,
  upperThreshold: 0,
  lowerThreshold: 0,
  activeConnections: 0,
  inactiveConnections: 0,
  stats: NO_STATS,
  ...given,
});
const settings = { scheduler: 'rr', flags: [], stats: NO_STATS, dests: [] };
const web = { protocol: 'tcp', address: '10.0.0.100', port: 80, ...settings } as const satisfies ListedService;

describe('ipvsadm -Ln', () => {
  it('is what the kernel printed for nat-tcp, from numbers set by hand', () => {
    const service: ListedService = {
      ...web,
      stats: stats(6, 39, 33, 7197, 8779),
      dests: [
        dest('10.1.0.13', { inactiveConnections: 4, stats: stats(2, 15, 13, 814, 6694) }),
        dest('10.1.0.12', { inactiveConnections: 4, stats: stats(2, 10, 9, 636, 1494) }),
        dest('10.1.0.11', { inactiveConnections: 3, stats: stats(2, 14, 11, 5747, 591) }),
      ],
    };
    expect(listServices([service])).toBe(kernelFile('nat-tcp', 'services.txt'));
    for (const exact of [true, false]) {
      expect(listServices([service], { stats: true, exact })).toBe(kernelFile('nat-tcp', 'stats.txt'));
    }
  });

  it.each(SCENARIOS)('prints the listings of %s back', (scenario) => {
    const services = kernelFile(scenario, 'services.txt');
    const counters = kernelFile(scenario, 'stats.txt');
    expect(listServices(readServices(services).reverse())).toBe(services);
    expect(listServices(readServices(counters).reverse(), { stats: true, exact: true })).toBe(counters);
  });

  it.each(listingsOf('services'))('prints %s back', (file) => {
    const text = fixture(`listings/${file}`);
    expect(listServices(readServices(text))).toBe(text);
    expect(listServices(readServices(text).reverse())).toBe(text);
  });

  it.each(listingsOf('stats'))('prints %s back', (file) => {
    const text = fixture(`listings/${file}`);
    expect(listServices(readServices(text).reverse(), { stats: true, exact: true })).toBe(text);
  });

  it('prints IPv6 in brackets, and sorts it by words behind IPv4, marks behind both', () => {
    const services: ListedService[] = [
      { ...settings, fwmark: 7, family: 6 },
      { ...settings, fwmark: 8 },
      { ...settings, fwmark: 7 },
      { ...settings, fwmark: 3_000_000_000 },
      { ...web, protocol: 'udp' },
      { ...web, address: '2001:db8::1', dests: [dest('10.0.0.9', { method: 'tun' }), dest('2001:db8::2:0:1')] },
      { ...web, address: 'fd00::1', dests: [dest('fd00::8000:1'), dest('fd00::2'), dest('fd00::7fff:1')] },
      { ...web, protocol: 'sctp', address: 'fd00::1' },
    ];
    expect(listServices(services).split('\n').slice(3)).toEqual([
      // As a signed number less than 0, which services by address have for a mark.
      'FWM  -1294967296 rr',
      'UDP  10.0.0.100:80 rr',
      'TCP  [fd00::1]:80 rr',
      '  -> [fd00::2]:8080               Masq    1      0          0         ',
      '  -> [fd00::7fff:1]:8080          Masq    1      0          0         ',
      '  -> [fd00::8000:1]:8080          Masq    1      0          0         ',
      'TCP  [2001:db8::1]:80 rr',
      '  -> 10.0.0.9:8080                Tunnel  1      0          0         ',
      '  -> [2001:db8::2:0:1]:8080       Masq    1      0          0         ',
      'SCTP [fd00::1]:80 rr',
      'FWM  7 rr',
      'FWM  7 IPv6 rr',
      'FWM  8 rr',
      '',
    ]);
  });

  // The wlc service with its first two dests is as the real tool printed it; the other rows follow its widths.
  it('sorts addresses by signed subtraction and shows methods and flags', () => {
    const services: ListedService[] = [
      { ...web, protocol: 'udp', address: '10.0.0.1', port: 53, scheduler: 'wrr' },
      { ...web, address: '10.0.0.1', port: 443, scheduler: 'sh', flags: ['sh-port', 'sh-fallback'] },
      {
        ...web,
        address: '10.0.0.1',
        scheduler: 'wlc',
        dests: [
          dest('10.0.0.12', { port: 80, method: 'dr', weight: 2 }),
          dest('192.168.0.11', { weight: 3 }),
          dest('10.0.0.13', { port: 80, method: 'tun', weight: 65535, activeConnections: 1234567890 }),
          dest('10.0.0.14', { port: 80, method: 'local', inactiveConnections: 4294967295 }),
        ],
      },
    ];
    expect(listServices(services)).toBe(
      [
        'IP Virtual Server version 1.2.1 (size=4096)',
        'Prot LocalAddress:Port Scheduler Flags',
        '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
        'TCP  10.0.0.1:80 wlc',
        '  -> 192.168.0.11:8080            Masq    3      0          0         ',
        '  -> 10.0.0.12:80                 Route   2      0          0         ',
        '  -> 10.0.0.13:80                 Tunnel  65535  1234567890 0         ',
        '  -> 10.0.0.14:80                 Local   1      0          4294967295',
        'TCP  10.0.0.1:443 sh (sh-fallback,sh-port)',
        'UDP  10.0.0.1:53 wrr',
        '',
      ].join('\n'),
    );
  });

  it('tells the size of the connection table, also without services', () => {
    expect(listServices([], { size: 65536 })).toBe(
      'IP Virtual Server version 1.2.1 (size=65536)\nProt LocalAddress:Port Scheduler Flags\n' +
        '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n',
    );
  });
});

describe('ipvsadm -Ln --tun-info', () => {
  const files = listingsOf('tun-info').map((file) => `listings/${file}`);

  it.each([...files, 'kernel/tun-gue-csum/tun-info.txt'])('prints %s back', (file) => {
    const text = fixture(file);
    expect(listServices(readServices(text).reverse(), { tunnels: true })).toBe(text);
  });

  // The columns are those of the recorded listings; ipvsadm's words for the other types.
  it('has a word for every way to a server', () => {
    const tunnel = (address: string, given?: ListedDest['tunnel']) =>
      dest(address, { method: 'tun', ...(given && { tunnel: given }) });
    const dests = [
      dest('10.1.0.1'),
      tunnel('10.1.0.2'),
      tunnel('10.1.0.3', { type: 'ipip', checksum: 'nocsum' }),
      tunnel('10.1.0.4', { type: 'gre' }),
      tunnel('10.1.0.5', { type: 'gre', checksum: 'csum' }),
      tunnel('10.1.0.6', { type: 'gue', port: 65535, checksum: 'remcsum' }),
    ];
    const services = [{ ...web, dests }];
    const lines = listServices(services, { tunnels: true }).split('\n').slice(4, -1);
    expect(lines.map((line) => line.slice(34))).toEqual([
      'Masq    n/a           1      0          0         ',
      'Tunnel  ipip          1      0          0         ',
      'Tunnel  ipip          1      0          0         ',
      'Tunnel  gre:-c        1      0          0         ',
      'Tunnel  gre:+c        1      0          0         ',
      'Tunnel  gue:65535:r+c 1      0          0         ',
    ]);
    expect(listServices(services, { tunnels: true, stats: true })).toBe(listServices(services, { stats: true }));
  });
});

describe('ipvsadm -Ln --stats', () => {
  const column = (value: bigint, exact: boolean) =>
    listServices([{ ...web, stats: { ...NO_STATS, connections: value } }], { stats: true, exact })
      .split('\n')[3]!
      .slice(33, -36);

  it.each([
    [0n, '        0', '        0'],
    [99_999_999n, ' 99999999', ' 99999999'],
    [100_000_000n, '  100000K', ' 100000000'],
    [999_999_999n, '  999999K', ' 999999999'],
    [1_000_000_000n, '    1000M', ' 1000000000'],
    [99_999_999_999n, '   99999M', ' 99999999999'],
    [100_000_000_000n, '     100G', ' 100000000000'],
    [99_999_999_999_999n, '   99999G', ' 99999999999999'],
    [100_000_000_000_000n, '     100T', ' 100000000000000'],
    [2n ** 64n - 1n, '18446744T', ' 18446744073709551615'],
  ])('scales %d', (value, scaled, exact) => {
    expect(column(value, false)).toBe(scaled);
    expect(column(value, true)).toBe(exact);
  });

  it('never says more than there is, and loses less than one unit', () => {
    const units: Record<string, bigint> = { K: 10n ** 3n, M: 10n ** 6n, G: 10n ** 9n, T: 10n ** 12n };
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.integer({ min: 0, max: 63 }), (value, shift) => {
        const number = value >> BigInt(shift);
        const [, digits, unit] = /^ *(\d+)([KMGT]?)$/.exec(column(number, false))!;
        const size = units[unit!] ?? 1n;
        expect(BigInt(digits!)).toBe(number / size);
        expect(column(number, false)).toHaveLength(9);
        expect(BigInt(column(number, true))).toBe(number);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('ipvsadm -Lnc', () => {
  const connection: ListedConnection = {
    protocol: 'tcp',
    clientAddress: '10.0.0.2',
    clientPort: 40006,
    virtualAddress: '10.0.0.100',
    virtualPort: 80,
    destAddress: '10.1.0.11',
    destPort: 8080,
    state: 'TIME_WAIT',
    expires: 119.25,
  };
  const times = (expires: number) =>
    listConnections([{ ...connection, expires }])
      .split('\n')[2]!
      .slice(4, 10);

  it('prints a row as the kernel does', () => {
    expect(listConnections([connection])).toBe(
      'IPVS connection entries\npro expire state       source             virtual            destination\n' +
        'TCP 01:59  TIME_WAIT   10.0.0.2:40006     10.0.0.100:80      10.1.0.11:8080\n',
    );
  });

  it.each(SCENARIOS)('prints the connections of %s back', (scenario) => {
    const text = kernelFile(scenario, 'conns.txt');
    expect(listConnections(readConnections(text), { order: 'given' })).toBe(text);
  });

  it.each(listingsOf('conns'))('prints %s back', (file) => {
    const text = fixture(`listings/${file}`);
    expect(listConnections(readConnections(text), { order: 'given' })).toBe(text);
  });

  it('shows no server where a connection goes past its service', () => {
    const text = kernelFile('bypass', 'conns.txt');
    const rows = readConnections(text).map((row) => ({
      ...row,
      method: 'bypass',
      destAddress: row.virtualAddress,
      destPort: row.virtualPort,
    }));
    expect(listConnections(rows, { order: 'given' })).toBe(text);
    const ipv6 = { ...connection, clientAddress: 'fd00::2', virtualAddress: 'fd00::100', method: 'bypass' };
    expect(listConnections([ipv6])).toContain(' [fd00::2]:40006    [fd00::100]:80     [::]:0\n');
  });

  it('sorts by protocol, client and virtual endpoint, as numbers', () => {
    const rows = [
      { ...connection, protocol: 'udp' as const, clientAddress: '1.0.0.1', state: 'UDP' },
      { ...connection, clientAddress: '192.0.0.1' },
      { ...connection, clientAddress: '10.0.0.10' },
      { ...connection, clientPort: 40010, virtualPort: 81 },
      { ...connection, clientPort: 40010, virtualAddress: '9.0.0.1', virtualPort: 99 },
      { ...connection, clientPort: 40010 },
      { ...connection, clientPort: 9 },
      { ...connection, clientAddress: '2001:db8::10', virtualAddress: 'fd00::100' },
      { ...connection, clientAddress: '2001:db8::9', virtualAddress: 'fd00::100' },
      { ...connection, protocol: 'sctp' as const },
    ];
    const order = [6, 4, 5, 3, 2, 1, 8, 7, 0, 9].map((index) => rows[index]!);
    expect(listConnections(rows)).toBe(listConnections(order, { order: 'given' }));
    expect(listConnections(rows, { order: 'given' })).not.toBe(listConnections(rows));
    expect(rows[0]!.state).toBe('UDP');
  });

  it('sorts the connections of a scenario alike from any order', () => {
    const rows = readConnections(kernelFile('nat-tcp', 'conns.txt'));
    const sources = listConnections([...rows].reverse())
      .trimEnd()
      .split('\n')
      .slice(2)
      .map((line) => line.split(/ +/)[3]);
    expect(sources).toEqual([
      ...[1, 2, 3, 4, 5, 6, 12, 13].map((n) => `10.0.0.2:${40000 + n}`),
      '10.0.0.3:40011',
      '10.0.0.4:40014',
      '10.0.0.4:40015',
    ]);
  });

  it('cuts seconds, goes on beyond 59 minutes, and shows nothing negative', () => {
    expect(times(0)).toBe('00:00 ');
    expect(times(59.999)).toBe('00:59 ');
    expect(times(60)).toBe('01:00 ');
    expect(times(5400)).toBe('90:00 ');
    expect(listConnections([{ ...connection, expires: 2678400 }])).toContain('TCP 44640:00 TIME_WAIT   10.0.0.2');
    expect(times(-0.5)).toBe('00:00 ');
  });
});
