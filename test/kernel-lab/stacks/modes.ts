/**
 * The modes of the director, and the network in which each is tried: a client, two servers, and the director between them on one
 * Ethernet.
 *
 * @module
 */
import type { Family } from '../../../src/address.js';
import type { DestConfig, NetworkConfig, ServiceConfig } from '../../../src/types.js';

/** One way to reach the servers. */
export interface Mode {
  readonly dest: Pick<DestConfig, 'method' | 'tunnel'>;
  /** Whether servers answer clients past the director. */
  readonly isDirect: boolean;
  /** The servers' device at which its tunnels end, by the family of the tunnel. */
  readonly devices?: Readonly<Record<Family, Pick<NetworkConfig, 'interfaces' | 'fou'>>>;
}

const GUE_PORT = 6080;

const DEVICES = { ipip: { 4: 'tunl0', 6: 'ip6tnl0' }, gre: { 4: 'gre0', 6: 'ip6gre0' } } as const;
const KINDS = { ipip: { 4: 'ipip', 6: 'ip6tnl' }, gre: { 4: 'gre', 6: 'ip6gre' } } as const;

const devicesOf = (type: 'ipip' | 'gre', withFou = false) => {
  const of = (family: Family) => ({
    interfaces: [{ name: DEVICES[type][family], kind: KINDS[type][family] }],
    ...(withFou && { fou: [{ port: GUE_PORT, family }] }),
  });
  return { 4: of(4), 6: of(6) };
};

/** By the names of `--mode`. */
export const MODES: Readonly<Record<string, Mode>> = {
  nat: { dest: { method: 'nat' }, isDirect: false },
  dr: { dest: { method: 'dr' }, isDirect: true },
  'tun-ipip': { dest: { method: 'tun', tunnel: { type: 'ipip' } }, isDirect: true, devices: devicesOf('ipip') },
  'tun-gre': { dest: { method: 'tun', tunnel: { type: 'gre' } }, isDirect: true, devices: devicesOf('gre') },
  'tun-gue': {
    dest: { method: 'tun', tunnel: { type: 'gue', port: GUE_PORT } },
    isDirect: true,
    devices: devicesOf('ipip', true),
  },
};

/** Ports of the service, and of the servers behind NAT. */
export const PORT = 80;
export const NAT_PORT = 8080;

/** The director's interfaces. */
export const DIRECTOR = [
  { name: 'cli', mac: '02:00:00:00:00:01' },
  { name: 'srv', mac: '02:00:00:00:01:01' },
] as const;
/** The interface of every other host. */
export const HOST_INTERFACE = 'eth';
export const CLIENT_MAC = '02:00:00:00:00:02';
export const SERVER_MACS = ['02:00:00:00:01:11', '02:00:00:00:01:12'] as const;

interface Addresses {
  readonly client: string;
  readonly vip: string;
  /** The director's address at its clients and at its servers. */
  readonly own: readonly [string, string];
  readonly servers: readonly [string, string];
  readonly bits: number;
  /** Of an address alone. */
  readonly all: number;
  /** Of the clients. */
  readonly clients: string;
}

export const ADDRESSES: Readonly<Record<Family, Addresses>> = {
  4: {
    client: '10.0.0.2',
    vip: '10.0.0.100',
    own: ['10.0.0.1', '10.1.0.1'],
    servers: ['10.1.0.11', '10.1.0.12'],
    bits: 24,
    all: 32,
    clients: '10.0.0.0/24',
  },
  6: {
    client: 'fd00::2',
    vip: 'fd00::100',
    own: ['fd00::1', 'fd00:1::1'],
    servers: ['fd00:1::11', 'fd00:1::12'],
    bits: 64,
    all: 128,
    clients: 'fd00::/64',
  },
};

/** The director's network. */
export function directorNetwork(family: Family): NetworkConfig {
  const { client, vip, own, servers, bits, all } = ADDRESSES[family];
  const [cli, srv] = DIRECTOR;
  return {
    interfaces: [
      { ...cli, addresses: [`${own[0]}/${bits}`, `${vip}/${all}`] },
      { ...srv, addresses: [`${own[1]}/${bits}`] },
    ],
    neighbours: [
      { dst: client, dev: cli.name, lladdr: CLIENT_MAC },
      ...servers.map((dst, i) => ({ dst, dev: srv.name, lladdr: SERVER_MACS[i] as string })),
    ],
  };
}

/** What it balances. */
export function rulesOf(mode: Mode, family: Family): { service: ServiceConfig; dests: DestConfig[] } {
  const { vip, servers } = ADDRESSES[family];
  const port = mode.dest.method === 'nat' ? NAT_PORT : PORT;
  return {
    service: { protocol: 'tcp', address: vip, port: PORT, scheduler: 'rr' },
    dests: servers.map((address) => ({ address, port, ...mode.dest })),
  };
}

/** The client's network. */
export function clientNetwork(family: Family): NetworkConfig {
  const { client, vip, own, bits } = ADDRESSES[family];
  const dev = HOST_INTERFACE;
  return {
    interfaces: [{ name: dev, addresses: [`${client}/${bits}`] }],
    neighbours: [vip, own[0]].map((dst) => ({ dst, dev, lladdr: DIRECTOR[0].mac })),
  };
}

/** A server's network. It has the address of the service where it answers by itself; nobody asks for that by ARP here. */
export function serverNetwork(mode: Mode, family: Family, index: number): NetworkConfig {
  const { client, clients, vip, own, servers, bits, all } = ADDRESSES[family];
  const { interfaces: devices = [], fou = [] } = mode.devices?.[family] ?? {};
  const dev = HOST_INTERFACE;
  const addresses = [`${servers[index]}/${bits}`, ...(mode.isDirect ? [`${vip}/${all}`] : [])];
  return {
    interfaces: [{ name: dev, addresses }, ...devices],
    routes: [mode.isDirect ? { dst: clients, dev } : { dst: clients, dev, gateway: own[1] }],
    neighbours: [
      { dst: own[1], dev, lladdr: DIRECTOR[1].mac },
      { dst: client, dev, lladdr: CLIENT_MAC },
    ],
    fou,
  };
}
