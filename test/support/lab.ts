/**
 * A small lab for tests of the director: a client side, a server side, a service, and packets between them.
 *
 * @module
 */
import type { Director, DirectorOptions, Outcome } from '../../src/director.js';
import type { DestConfig, NetworkConfig, ServiceConfig } from '../../src/types.js';
import { type Binary, createDirector } from './core.js';
import { ethernet, SYN, type TransportWords, tcp, udp } from './packets.js';

export const CLIENT = '10.0.0.2';
export const VIP = '10.0.0.100';
export const SERVERS = ['10.1.0.11', '10.1.0.12', '10.1.0.13'] as const;

export const MAC = {
  cli: '02:00:00:00:00:01',
  client: '02:00:00:00:00:02',
  srv: '02:00:00:00:01:01',
  server: '02:00:00:00:01:11',
} as const;

export const NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'lo', mtu: 65_536, addresses: ['127.0.0.1/8'] },
    { name: 'cli', mac: MAC.cli, addresses: ['10.0.0.1/24', `${VIP}/32`] },
    { name: 'srv', mac: MAC.srv, addresses: ['10.1.0.1/24'] },
    { name: 'tunl0', kind: 'ipip' },
  ],
  neighbours: [
    { dst: CLIENT, dev: 'cli', lladdr: MAC.client },
    ...SERVERS.map((dst, i) => ({ dst, dev: 'srv', lladdr: `02:00:00:00:01:1${i + 1}` })),
  ],
  routes: [{ dst: '10.9.0.0/16', dev: 'cli', gateway: CLIENT }],
};

export const TCP_KEY = { protocol: 'tcp', address: VIP, port: 80 } as const;
export const UDP_KEY = { protocol: 'udp', address: VIP, port: 53 } as const;

/** The network with interfaces changed, by name. */
export function networkWith(changes: Record<string, object>): NetworkConfig {
  return { ...NETWORK, interfaces: NETWORK.interfaces.map((each) => ({ ...each, ...changes[each.name] })) };
}

/** A director in the lab, with a TCP and a UDP service that have the same dests. */
export function lab(
  dests: readonly DestConfig[],
  { binary = 'release', ...options }: DirectorOptions & { binary?: Binary } = {},
  service: Partial<ServiceConfig> = {},
): Director {
  const director = createDirector(binary, {
    network: NETWORK,
    plan: { connections: 256, arenaBytes: 1 << 17 },
    ...options,
  });
  for (const key of [TCP_KEY, UDP_KEY]) {
    director.addService({ scheduler: 'rr', ...service, ...key });
    for (const dest of dests) director.addDest(key, dest);
  }
  return director;
}

/** A packet of a client to a service. */
export function request(protocol: 'tcp' | 'udp', words: Partial<TransportWords> = {}): Uint8Array {
  const dport = protocol === 'tcp' ? TCP_KEY.port : UDP_KEY.port;
  const all = { source: CLIENT, destination: VIP, sport: 40_000, dport, flags: SYN, ...words };
  return protocol === 'tcp' ? tcp(all) : udp(all);
}

/** On the client's wire. */
export function fromClient(packet: Uint8Array): Uint8Array {
  return ethernet(MAC.cli, MAC.client, packet);
}

/** On the servers' wire. */
export function fromServer(packet: Uint8Array): Uint8Array {
  return ethernet(MAC.srv, MAC.server, packet);
}

/** `verdict reason` of each outcome. */
export function judged(outcomes: readonly Outcome[]): string[] {
  return outcomes.map(({ verdict, reason }) => `${verdict} ${reason}`);
}

/** The server that a NAT packet went to, by the last number of its address; what became of it when it went nowhere. */
export function serverOf(outcomes: readonly Outcome[]): number | string {
  const [outcome] = outcomes;
  if (outcome?.verdict !== 'forward') return outcome?.reason ?? 'nothing';
  return outcome.frame[33] as number;
}
