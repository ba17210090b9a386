import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Director } from '../../src/director.js';
import { reasonRule } from '../../src/explain/rules.js';
import { explainPacket, type PacketWalk } from '../../src/explain.js';
import { REASONS, type ReasonName, reasonText } from '../../src/reasons.js';
import { surroundings } from '../../src/scenario/commands.js';
import { applyEvent } from '../../src/scenario/events.js';
import { loadScenario } from '../../src/scenario/load.js';
import type { NetworkConfig } from '../../src/types.js';
import { ACK, ethernet, icmp, ipv4, RST, SYN, tcp, udp } from '../support/packets.js';

const CLI = '02:00:00:00:00:01';
const CLIENT = '02:00:00:00:00:02';
const SRV = '02:00:00:00:01:01';
const RS1 = '02:00:00:00:01:11';
const NOW = 1_700_000_000_000;

const NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'lo', kind: 'loopback', addresses: ['127.0.0.1/8'] },
    { name: 'cli', kind: 'ether', mac: CLI, addresses: ['10.0.0.1/24', '10.0.0.100/32'] },
    { name: 'srv', kind: 'ether', mac: SRV, mtu: 1400, addresses: ['10.1.0.1/24'] },
    { name: 'old', kind: 'ether', mac: SRV, up: false },
    { name: 'cli.5', kind: 'ether', mac: CLI, vlan: { parent: 'cli', id: 5 } },
    { name: 'tunl0', kind: 'ipip', addresses: [] },
    { name: 'wg', kind: 'raw', addresses: ['10.9.0.1/24'] },
  ],
  routes: [
    { dst: '10.0.0.0/24', dev: 'cli' },
    { dst: '10.1.0.0/24', dev: 'srv' },
  ],
  neighbours: [
    { dst: '10.0.0.2', dev: 'cli', lladdr: CLIENT },
    { dst: '10.1.0.11', dev: 'srv', lladdr: RS1 },
  ],
};
const VIP = { protocol: 'tcp', address: '10.0.0.100', port: 80 } as const;

function director(): Director {
  const made = Director.createSync({ network: NETWORK, seed: 0n, plan: { connections: 64 } });
  made.addService({ ...VIP, scheduler: 'rr' });
  made.addDest(VIP, { address: '10.1.0.11', port: 8080, method: 'nat' });
  made.addService({ ...VIP, port: 81 });
  made.addService({ ...VIP, port: 82 });
  made.addDest({ ...VIP, port: 82 }, { address: '10.1.0.12', method: 'dr' });
  made.addService({ ...VIP, port: 83 });
  made.addDest({ ...VIP, port: 83 }, { address: '10.1.0.11', method: 'tun' });
  made.addService({ ...VIP, port: 84 });
  made.addDest({ ...VIP, port: 84 }, { address: '10.7.0.1', method: 'dr' });
  made.addService({ ...VIP, port: 85 });
  made.addDest({ ...VIP, port: 85 }, { address: '10.1.0.1', method: 'dr' });
  return made;
}

const ENDS = { source: '10.0.0.2', destination: '10.0.0.100', sport: 40001, dport: 80 };
const toCli = (packet: Uint8Array, tag?: number) => ethernet(CLI, CLIENT, packet, 0x0800, tag);
const syn = toCli(tcp(ENDS));

/** The steps as `hook: looked = found`. */
function lines({ steps }: PacketWalk): string[] {
  return steps.flatMap(({ hook, lines }) => lines.map(({ looked, found }) => `${hook}: ${looked} = ${found}`));
}

describe('the walk', () => {
  test('without given routes goes by those that the addresses imply', () => {
    const made = Director.createSync({ network: { ...NETWORK, routes: [] }, seed: 0n, plan: { connections: 64 } });
    made.addService({ ...VIP, scheduler: 'rr' });
    made.addDest(VIP, { address: '10.1.0.11', port: 8080, method: 'nat' });
    const request = explainPacket(made, syn, 'cli', NOW);
    expect(lines(request)).toEqual(lines(explainPacket(director(), syn, 'cli', NOW)));
    expect(lines(request)).toContain('POSTROUTING: next hop 10.1.0.11 = MAC 02:00:00:00:01:11');
    const ends = { source: '10.1.0.11', destination: '10.0.0.2', sport: 8080, dport: 40001 };
    const reply = explainPacket(made, ethernet(SRV, RS1, tcp({ ...ends, flags: SYN | ACK })), 'srv', NOW + 1);
    expect(reply.fate.reason).toBe('nat-out');
    expect(lines(reply)).toContain('routing: destination 10.0.0.2 = to be forwarded, route 10.0.0.0/24 dev cli');
    expect(lines(reply)).toContain('POSTROUTING: next hop 10.0.0.2 = MAC 02:00:00:00:00:02');
  });

  test('of a persistent client names the template of its service', () => {
    const made = Director.createSync({ network: NETWORK, seed: 0n, plan: { connections: 64 } });
    const persistent = { scheduler: 'rr', persistent: 300, netmask: '255.255.255.0' } as const;
    const keys = [
      VIP,
      { ...VIP, port: 443 },
      { ...VIP, port: 21 },
      { ...VIP, protocol: 'udp' },
      { fwmark: 7 },
    ] as const;
    for (const [n, key] of keys.entries()) {
      made.addService({ ...key, ...persistent });
      made.addDest(key, { address: '10.1.0.11', port: 'port' in key ? 8000 + n : 0, method: 'nat' });
    }
    let sport = 40000;
    const looked = ([packet, dport, mark = 0]: readonly [typeof tcp | typeof udp, number, number?]): string[] => {
      const frame = toCli(packet({ ...ENDS, sport: sport++, dport }));
      const told = lines(explainPacket(made, frame, 'cli', NOW, { mark }));
      return told.filter((line) => line.startsWith('INPUT: template'));
    };
    // The first packet of each finds none, whatever there is of others; the second its own.
    const all = [
      [tcp, 80],
      [tcp, 443],
      [tcp, 21],
      [udp, 80],
      [tcp, 99, 7],
    ] as const;
    for (const packet of all) expect(looked(packet)).toEqual(['INPUT: template 10.0.0.0:0 = none']);
    const servers = all.map((packet) => looked(packet)[0]?.split('server ')[1]);
    expect(servers).toEqual(['10.1.0.11:8000', '10.1.0.11:8001', '10.1.0.11:0', '10.1.0.11:8003', '10.1.0.11:0']);
  });

  test('of a SYN: connection, service, scheduler, server, way out', () => {
    const walk = explainPacket(director(), syn, 'cli', NOW);
    expect(walk).toMatchObject({
      inInterface: 'cli',
      now: NOW,
      offered: '10.0.0.2:40001 > 10.0.0.100:80 TCP [S] seq=1000 ttl=64 len=0',
      fate: { verdict: 'forward', reason: 'nat-in', outInterface: 'srv', rule: reasonRule('nat-in') },
      connection: { opened: true, destAddress: '10.1.0.11', destPort: 8080, state: 'SYN_RECV' },
      made: [],
    });
    expect(lines(walk)).toEqual([
      `link: destination MAC ${CLI} = the MAC of cli`,
      'link: EtherType 0x0800 = IPv4',
      'PREROUTING: IPv4 header = 20 bytes, total length 40, checksum right',
      'routing: destination 10.0.0.100 = an address of cli: for this host',
      'INPUT: connection TCP 10.0.0.2:40001 > 10.0.0.100:80 = none',
      'INPUT: service TCP 10.0.0.100:80 = scheduler rr, 1 server',
      'INPUT: TCP flags [S] = may open a connection',
      'INPUT: scheduler rr = 10.1.0.11:8080: the next usable one of the list (newest first): 10.1.0.11:8080',
      'INPUT: new connection = SYN_RECV, nat, expires in 60 s',
      'OUTPUT: route to 10.1.0.11 = 10.1.0.0/24 dev srv, MTU 1400',
      'OUTPUT: TTL 64 = becomes 63',
      'OUTPUT: length 40, MTU 1400 = fits',
      'OUTPUT: method nat = destination 10.0.0.100:80 becomes 10.1.0.11:8080, checksums updated',
      `POSTROUTING: next hop 10.1.0.11 = MAC ${RS1}`,
      `POSTROUTING: out interface = srv, from MAC ${SRV}`,
    ]);
    const change = (name: string) => walk.changes.find((one) => one.name === name);
    expect(walk.changes.map(({ name }) => name)).toEqual([
      'eth.dst',
      'eth.src',
      'ip.ttl',
      'ip.checksum',
      'ip.dst',
      'tcp.dstport',
      'tcp.checksum',
    ]);
    expect(change('ip.dst')).toMatchObject({ before: '10.0.0.100', after: '10.1.0.11' });
    expect(change('tcp.dstport')).toMatchObject({ before: '80', after: '8080' });
  });

  test('of a packet of that connection finds it, and its reply too', () => {
    const target = director();
    target.send(syn, 'cli', NOW);
    const next = explainPacket(target, toCli(tcp({ ...ENDS, flags: ACK })), 'cli', NOW + 1);
    expect(next.connection).toMatchObject({ opened: false, state: 'ESTABLISHED' });
    expect(lines(next)).toContain(
      'INPUT: connection TCP 10.0.0.2:40001 > 10.0.0.100:80 = SYN_RECV, server 10.1.0.11:8080 (nat)',
    );
    const ends = { source: '10.1.0.11', destination: '10.0.0.2', sport: 8080, dport: 40001 };
    const reply = explainPacket(target, ethernet(SRV, RS1, tcp({ ...ends, flags: ACK })), 'srv', NOW + 2);
    expect(reply.fate).toMatchObject({ reason: 'nat-out', outInterface: 'cli' });
    expect(reply.steps.map(({ hook }) => hook)).toEqual(['link', 'PREROUTING', 'routing', 'FORWARD', 'POSTROUTING']);
    expect(lines(reply)).toContain(
      'FORWARD: connection TCP reply 10.1.0.11:8080 > 10.0.0.2:40001 = ESTABLISHED, service 10.0.0.100:80 (nat)',
    );
    expect(lines(reply)).toContain(
      'FORWARD: method nat = source 10.1.0.11:8080 becomes 10.0.0.100:80, checksums updated',
    );
  });

  test('of a packet through a tunnel shows the header put in front', () => {
    const walk = explainPacket(director(), toCli(tcp({ ...ENDS, dport: 83 })), 'cli', NOW);
    expect(walk.fate.reason).toBe('tunnel-ipip');
    expect(lines(walk)).toContain('OUTPUT: route to 10.1.0.11 = 10.1.0.0/24 dev srv, MTU 1380');
    expect(walk.changes.find(({ name, before }) => name.endsWith('ip.dst') && before === undefined)?.after).toBe(
      '10.1.0.11',
    );
  });

  test('of a packet with TTL 1 shows the ICMP that answers it', () => {
    const walk = explainPacket(director(), toCli(tcp({ ...ENDS, ttl: 1 })), 'cli', NOW);
    expect(walk.fate).toMatchObject({ verdict: 'drop', reason: 'ttl-exceeded', outInterface: undefined });
    expect(walk.made).toHaveLength(1);
    expect(walk.made[0]).toMatchObject({ verdict: 'forward', reason: 'time-exceeded', outInterface: 'cli' });
    expect(walk.made[0]!.summary).toMatch(/^10\.0\.0\.100 > 10\.0\.0\.2 ICMP 11\/0 \(time exceeded\)/);
  });

  test('of an IPIP packet to this host goes on with what is inside', () => {
    const outer = ipv4({ source: '10.0.0.2', destination: '10.0.0.1', protocol: 4 }, tcp(ENDS));
    const walk = explainPacket(director(), toCli(outer), 'cli', NOW);
    expect(walk.steps.map(({ hook }) => hook)).toEqual([
      'link',
      'PREROUTING',
      'routing',
      'INPUT',
      'PREROUTING',
      'routing',
      'INPUT',
      'OUTPUT',
      'POSTROUTING',
    ]);
    expect(lines(walk)).toContain('INPUT: IPIP = outer header taken off, the packet inside is received on tunl0');
    expect(walk.fate.reason).toBe('nat-in');
  });

  test('of a packet inside to this host is told from its IP header on', () => {
    const inner = icmp({ source: '10.0.0.3', destination: '10.0.0.1' }, 8);
    const walk = explainPacket(
      director(),
      toCli(ipv4({ source: '10.0.0.2', destination: '10.0.0.1', protocol: 4 }, inner)),
      'cli',
      NOW,
    );
    expect(walk.fate).toMatchObject({
      reason: 'decapsulated',
      summary: expect.stringMatching(/^10\.0\.0\.3 > 10\.0\.0\.1 ICMP/),
    });
    expect(walk.changes.map(({ name }) => name)).toContain('eth.dst');
  });

  test('of a packet inside that is refused is told from its IP header on, too', () => {
    const inner = icmp({ source: '10.0.0.3', destination: '10.1.0.11', ttl: 1 }, 8);
    const packet = ipv4({ source: '10.0.0.2', destination: '10.0.0.1', protocol: 4 }, inner);
    const { fate } = explainPacket(director(), toCli(packet), 'cli', NOW);
    expect(fate).toMatchObject({
      reason: 'ttl-exceeded',
      summary: expect.stringMatching(/^10\.0\.0\.3 > 10\.1\.0\.11/),
    });
  });

  test('of a tagged frame names the VLAN interface', () => {
    const walk = explainPacket(director(), toCli(tcp(ENDS), 5), 'cli', NOW);
    expect(lines(walk)).toContain('link: VLAN 5 on cli = interface cli.5');
    expect(walk.fate.reason).toBe('nat-in');
  });
});

const badChecksum = tcp(ENDS);
badChecksum[10]! ^= 1;
const version5 = tcp(ENDS);
version5[0] = 0x55;
const IHL4 = tcp(ENDS);
IHL4[0] = 0x44;
const tooLong = tcp(ENDS).subarray(0, 30);

describe('ends where the packet ended, with the reason', () => {
  test.each<[ReasonName, string, string, Uint8Array, string?]>([
    ['interface-down', 'link', 'interface old', syn, 'old'],
    ['link-truncated', 'link', 'Ethernet header', syn.subarray(0, 13)],
    ['unknown-vlan', 'link', 'VLAN 6 on cli', toCli(tcp(ENDS), 6)],
    ['other-host', 'link', `destination MAC ${RS1}`, ethernet(RS1, CLIENT, tcp(ENDS))],
    ['link-group', 'link', 'destination MAC ff:ff:ff:ff:ff:ff', ethernet('ff:ff:ff:ff:ff:ff', CLIENT, tcp(ENDS))],
    [
      'arp',
      'link',
      'destination MAC ff:ff:ff:ff:ff:ff',
      ethernet('ff:ff:ff:ff:ff:ff', CLIENT, new Uint8Array(28), 0x0806),
    ],
    ['not-ip', 'link', 'EtherType 0x88b5', ethernet(CLI, CLIENT, new Uint8Array(46), 0x88b5)],
    ['ipv4-truncated', 'PREROUTING', 'IPv4 header', toCli(tcp(ENDS).subarray(0, 19))],
    ['ipv4-version', 'PREROUTING', 'IPv4 header', toCli(version5)],
    ['ipv4-header-length', 'PREROUTING', 'IPv4 header', toCli(IHL4)],
    ['ipv4-checksum', 'PREROUTING', 'IPv4 header', toCli(badChecksum)],
    ['ipv4-total-length', 'PREROUTING', 'IPv4 header', toCli(tooLong)],
    ['martian-source', 'routing', 'source 127.0.0.1', toCli(tcp({ ...ENDS, source: '127.0.0.1' }))],
    ['martian-destination', 'routing', 'destination 127.0.0.1', toCli(tcp({ ...ENDS, destination: '127.0.0.1' }))],
    ['ipv4-option', 'routing', 'IP options', toCli(tcp({ ...ENDS, options: Uint8Array.of(7, 1, 4, 0) }))],
    ['source-route', 'routing', 'IP options', toCli(tcp({ ...ENDS, options: Uint8Array.of(131, 3, 4, 0) }))],
    ['local-delivery', 'INPUT', 'ICMP', toCli(icmp({ source: '10.0.0.2', destination: '10.0.0.1' }, 8))],
    ['local-delivery', 'INPUT', 'service TCP 10.0.0.100:79', toCli(tcp({ ...ENDS, dport: 79 }))],
    ['not-opening', 'INPUT', 'TCP flags [A]', toCli(tcp({ ...ENDS, flags: ACK }))],
    ['not-opening', 'INPUT', 'TCP flags [SR]', toCli(tcp({ ...ENDS, flags: SYN | RST }))],
    ['ftp-data', 'INPUT', 'source port 20', toCli(tcp({ ...ENDS, sport: 20 }))],
    ['no-dest', 'INPUT', 'scheduler wlc', toCli(tcp({ ...ENDS, dport: 81 }))],
    ['no-neighbour', 'POSTROUTING', 'next hop 10.1.0.12', toCli(tcp({ ...ENDS, dport: 82 }))],
    ['no-route', 'OUTPUT', 'route to 10.7.0.1', toCli(tcp({ ...ENDS, dport: 84 }))],
    ['local-dest', 'OUTPUT', 'route to 10.1.0.1', toCli(tcp({ ...ENDS, dport: 85 }))],
    ['ttl-exceeded', 'OUTPUT', 'TTL 0', toCli(tcp({ ...ENDS, ttl: 0 }))],
    [
      'too-big',
      'OUTPUT',
      'length 1440, DF, MTU 1400',
      toCli(tcp({ ...ENDS, df: true, payload: new Uint8Array(1400) })),
    ],
    ['no-route', 'routing', 'destination 192.0.2.1', toCli(udp({ ...ENDS, destination: '192.0.2.1' }))],
    ['ttl-exceeded', 'FORWARD', 'TTL 1', toCli(udp({ ...ENDS, destination: '10.1.0.11', ttl: 1 }))],
    ['no-neighbour', 'POSTROUTING', 'next hop 10.1.0.99', toCli(udp({ ...ENDS, destination: '10.1.0.99' }))],
    [
      'tunnel-malformed',
      'INPUT',
      'IPIP',
      toCli(ipv4({ ...ENDS, destination: '10.0.0.1', protocol: 4 }, new Uint8Array(8))),
    ],
  ])('%s at %s: %s', (reason, hook, looked, frame, interfaceName = 'cli') => {
    const walk = explainPacket(director(), frame, interfaceName, NOW);
    expect(walk.fate.reason).toBe(reason);
    expect(walk.fate.text).toBe(reasonText(reason));
    expect(walk.steps.at(-1)!.hook).toBe(hook);
    expect(walk.steps.at(-1)!.lines.at(-1)).toEqual({ looked, found: reasonText(reason) });
  });

  test.each([
    [3, 1024, 'drop_packet 3, am_droprate 10'],
    [1, 10_000, 'drop_packet 2, amemthresh 10000'],
  ])('and where drop_packet %i drops it', (drop_packet, amemthresh, looked) => {
    const target = director();
    target.setSysctl({ drop_packet, amemthresh, am_droprate: 10 });
    const walk = explainPacket(target, syn, 'cli', NOW);
    expect(walk.steps.at(-1)?.lines.at(-1)).toEqual({ looked, found: reasonText('drop-packet') });
  });

  test('and where ip_forward is off', () => {
    const target = director();
    target.setSysctl({ ip_forward: 0 });
    const walk = explainPacket(target, toCli(udp({ ...ENDS, destination: '10.1.0.11' })), 'cli', NOW);
    expect(walk.steps.at(-1)).toEqual({
      hook: 'FORWARD',
      lines: [{ looked: 'net.ipv4.ip_forward', found: reasonText('not-forwarding') }],
    });
  });
});

test('a packet out of a tunnel that is too long was counted down before', () => {
  const packet = ipv4(
    { source: '10.0.0.2', destination: '10.0.0.1', protocol: 4 },
    tcp({ ...ENDS, df: true, payload: new Uint8Array(1400) }),
  );
  const walk = explainPacket(director(), toCli(packet), 'cli', NOW);
  expect(walk.fate.reason).toBe('too-big');
  expect(lines(walk)).toContain('OUTPUT: TTL 64 = becomes 63');
});

test('a SYN in place of a connection whose server takes no more finds none', () => {
  const target = director();
  target.send(syn, 'cli', NOW);
  target.setSysctl({ expire_nodest_conn: 1 });
  target.editDest(VIP, { address: '10.1.0.11', port: 8080, method: 'nat', weight: 0 });
  const walk = explainPacket(target, syn, 'cli', NOW + 2);
  expect(lines(walk).slice(-4)).toEqual([
    'INPUT: connection TCP 10.0.0.2:40001 > 10.0.0.100:80 = SYN_RECV, server 10.1.0.11:8080 (nat)',
    'INPUT: service TCP 10.0.0.100:80 = scheduler rr, 1 server',
    'INPUT: TCP flags [S] = may open a connection',
    `INPUT: scheduler rr = ${reasonText('no-dest')}`,
  ]);
});

test('what made room in a full table is told', () => {
  const target = Director.createSync({ network: NETWORK, seed: 0n, plan: { connections: 1 }, evict: 'half-open' });
  target.addService({ ...VIP, scheduler: 'rr' });
  target.addDest(VIP, { address: '10.1.0.11', port: 8080, method: 'nat' });
  explainPacket(target, syn, 'cli', NOW);
  const walk = explainPacket(target, toCli(tcp({ ...ENDS, sport: 40002 })), 'cli', NOW + 1);
  expect(lines(walk)).toContain('INPUT: full table = SYN_RECV of 10.0.0.2:40001 makes room');
});

test('a state that secure_tcp leads to is told as its', () => {
  const target = director();
  target.setSysctl({ secure_tcp: 3 });
  explainPacket(target, syn, 'cli', NOW);
  const ends = { source: '10.1.0.11', destination: '10.0.0.2', sport: 8080, dport: 40001 };
  const walk = explainPacket(target, ethernet(SRV, RS1, tcp({ ...ends, flags: SYN | ACK })), 'srv', NOW + 1);
  expect(lines(walk)).toContain('FORWARD: TCP flags [SA] = SYN_RECV becomes SYNACK (secure_tcp), expires in 120 s');
});

const KERNEL = join(import.meta.dirname, '../fixtures/kernel');
const SCENARIOS = readdirSync(KERNEL, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

test.each(SCENARIOS)('every packet of %s has a walk that ends where the packet did', async (name) => {
  const scenario = await loadScenario(join(KERNEL, name));
  const target = Director.createSync({ network: scenario.network, seed: 0n, plan: { connections: 4096 } });
  const around = surroundings(scenario.network);
  for (const event of scenario.events) if (event.kind === 'cmd') applyEvent(target, event, around);
  const frames = (['cli', 'srv'] as const).flatMap((side) =>
    scenario.captures[`${side}-in`].map(({ time, data }) => ({ side, time, data })),
  );
  frames.sort((a, b) => (a.time < b.time ? -1 : 1));
  expect(frames.length).toBeGreaterThan(0);
  for (const { side, time, data } of frames) {
    const walk = explainPacket(target, data, side, Number(time / 1_000_000n));
    const last = walk.steps.at(-1)!;
    const { verdict, reason, text, outInterface } = walk.fate;
    if (verdict === 'forward') {
      expect(last.hook, reason).toBe('POSTROUTING');
      expect(last.lines.at(-1)!.looked).toBe('out interface');
      expect(last.lines.at(-1)!.found.split(',')[0]).toBe(outInterface);
      expect(walk.changes.length).toBeGreaterThan(0);
    } else expect(last.lines.at(-1), `${walk.offered}: ${reason}`).toMatchObject({ found: text });
  }
});

test('every reason names the rule it follows', () => {
  for (const { name } of REASONS) expect(reasonRule(name)).toMatch(/\S/);
});
