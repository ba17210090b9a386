/**
 * A small lab for tests of the director: a client side, a server side, a service, and packets between them.
 *
 * @module
 */
import type { Director, DirectorOptions, Outcome } from '../../src/director.js';
import type { DestConfig, NetworkConfig, ServiceKey, ServiceSettings } from '../../src/types.js';
import { type Binary, createDirector } from './core.js';
import { ethernet, SYN, type TransportWords, tcp, udp } from './packets.js';
import { type SctpWords, sctp } from './sctp.js';

export const CLIENT = '10.0.0.2';
export const VIP = '10.0.0.100';
export const SERVERS = ['10.1.0.11', '10.1.0.12', '10.1.0.13'] as const;

export const CLIENT6 = 'fd00::2';
export const VIP6 = 'fd00::100';
export const SERVERS6 = ['fd00:1::11', 'fd00:1::12', 'fd00:1::13'] as const;

export const MAC = {
  cli: '02:00:00:00:00:01',
  client: '02:00:00:00:00:02',
  srv: '02:00:00:00:01:01',
  server: '02:00:00:00:01:11',
} as const;

export const NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'lo', mtu: 65_536, addresses: ['127.0.0.1/8'] },
    { name: 'cli', mac: MAC.cli, addresses: ['10.0.0.1/24', `${VIP}/32`, `${VIP6}/128`, 'fd00::1/64'] },
    { name: 'srv', mac: MAC.srv, addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
    { name: 'tunl0', kind: 'ipip' },
  ],
  neighbours: [
    { dst: CLIENT, dev: 'cli', lladdr: MAC.client },
    { dst: CLIENT6, dev: 'cli', lladdr: MAC.client },
    ...[SERVERS, SERVERS6].flatMap((servers) =>
      servers.map((dst, i) => ({ dst, dev: 'srv', lladdr: `02:00:00:00:01:1${i + 1}` })),
    ),
  ],
  routes: [
    { dst: '10.9.0.0/16', dev: 'cli', gateway: CLIENT },
    { dst: 'fd00:9::/32', dev: 'cli', gateway: CLIENT6 },
  ],
};

/** The UDP port on which the network below takes GUE apart. */
export const FOU_PORT = 6080;

/** The network with every kind of tunnel to it. */
export const TUNNELS: NetworkConfig = {
  ...NETWORK,
  interfaces: [
    ...NETWORK.interfaces,
    { name: 'sit0', kind: 'sit' },
    { name: 'ip6tnl0', kind: 'ip6tnl' },
    { name: 'gre0', kind: 'gre' },
    { name: 'ip6gre0', kind: 'ip6gre' },
  ],
  fou: [{ port: FOU_PORT }, { port: FOU_PORT, family: 6 }],
};

export const TCP_KEY = { protocol: 'tcp', address: VIP, port: 80 } as const;
export const UDP_KEY = { protocol: 'udp', address: VIP, port: 53 } as const;
export const SCTP_KEY = { protocol: 'sctp', address: VIP, port: 3868 } as const;

/** The first server by each method; by NAT on a port of its own. */
export const NAT = { address: SERVERS[0], port: 8080, method: 'nat' } as const satisfies DestConfig;
export const DR = { address: SERVERS[0], method: 'dr' } as const satisfies DestConfig;
export const TUN = { address: SERVERS[0], method: 'tun' } as const satisfies DestConfig;
export const NAT6 = { address: SERVERS6[0], port: 8080, method: 'nat' } as const satisfies DestConfig;
export const DR6 = { address: SERVERS6[0], method: 'dr' } as const satisfies DestConfig;
export const TUN6 = { address: SERVERS6[0], method: 'tun' } as const satisfies DestConfig;

/** The network with interfaces changed, by name. */
export function networkWith(changes: Record<string, object>): NetworkConfig {
  return { ...NETWORK, interfaces: NETWORK.interfaces.map((each) => ({ ...each, ...changes[each.name] })) };
}

/** The same service at the IPv6 VIP. */
export function onV6<K extends { address: string }>(key: K): K {
  return { ...key, address: VIP6 };
}

type LabOptions = DirectorOptions & { binary?: Binary };

/** A director in the lab, with a TCP and a UDP service that have the same dests. */
export function lab(
  dests: readonly DestConfig[],
  options: LabOptions = {},
  service: ServiceSettings = {},
  keys: readonly ServiceKey[] = [TCP_KEY, UDP_KEY],
): Director {
  const { binary = 'release', ...rest } = options;
  const director = createDirector(binary, {
    network: NETWORK,
    plan: { connections: 256, arenaBytes: 1 << 17 },
    ...rest,
  });
  for (const key of keys) {
    director.addService({ scheduler: 'rr', ...service, ...key });
    for (const dest of dests) director.addDest(key, dest);
  }
  return director;
}

/** The same at the IPv6 VIP. */
export function lab6(dests: readonly DestConfig[], options?: LabOptions, service?: ServiceSettings): Director {
  return lab(dests, options, service, [onV6(TCP_KEY), onV6(UDP_KEY)]);
}

/** A packet of a client to a service. */
export function request(protocol: 'tcp' | 'udp', words: Partial<TransportWords> = {}): Uint8Array {
  const dport = protocol === 'tcp' ? TCP_KEY.port : UDP_KEY.port;
  const all = { source: CLIENT, destination: VIP, sport: 40_000, dport, flags: SYN, ...words };
  return protocol === 'tcp' ? tcp(all) : udp(all);
}

/** The same of an IPv6 client. */
export function request6(protocol: 'tcp' | 'udp', words: Partial<TransportWords> = {}): Uint8Array {
  return request(protocol, { source: CLIENT6, destination: VIP6, ...words });
}

/** A packet of a client to the SCTP service. */
export function sctpRequest(words: Partial<SctpWords> = {}): Uint8Array {
  return sctp({ source: CLIENT, destination: VIP, sport: 40_000, dport: SCTP_KEY.port, ...words });
}

const etherType = (packet: Uint8Array): number => ((packet[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800);

/** On the client's wire. */
export function fromClient(packet: Uint8Array): Uint8Array {
  return ethernet(MAC.cli, MAC.client, packet, etherType(packet));
}

/** On the servers' wire. */
export function fromServer(packet: Uint8Array): Uint8Array {
  return ethernet(MAC.srv, MAC.server, packet, etherType(packet));
}

/** `verdict reason` of each outcome. */
export function judged(outcomes: readonly Outcome[]): string[] {
  return outcomes.map(({ verdict, reason }) => `${verdict} ${reason}`);
}

/** The reason of each outcome. */
export const reasonsOf = (outcomes: readonly { reason: string }[]): string[] => outcomes.map(({ reason }) => reason);

/** The server that a NAT packet went to, by the last number of its address; what became of it when it went nowhere. */
export function serverOf(outcomes: readonly Outcome[]): number | string {
  const [outcome] = outcomes;
  if (outcome?.verdict !== 'forward') return outcome?.reason ?? 'nothing';
  return outcome.frame[33] as number;
}
