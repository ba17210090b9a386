/**
 * The modes of the director, and the network in which each is tried: a client, two servers, and the director between them on one
 * Ethernet.
 *
 * @module
 */
import type { Family } from '../../../src/address.js';
import type { ReferenceDest, ReferenceService } from '../../../src/reference/index.js';
import type { NetworkConfig } from '../../../src/types.js';

/** One way to reach the servers. */
export interface Mode {
  readonly dest: Pick<ReferenceDest, 'method' | 'tunnel'>;
  /** How the service differs from others. */
  readonly service?: Pick<ReferenceService, 'profile' | 'carry'> & { readonly synproxy?: true };
  /** The firewall mark of what clients send, who are inside and ask servers outside. Default: they ask a service. */
  readonly mark?: number;
  /** Servers answer clients past the director, or through it as their gateway, or know its local addresses alone. */
  readonly answers: 'past' | 'through' | 'local';
  /** Family of the servers, where it is always this one, and clients are of the other. Default: the clients'. */
  readonly serverFamily?: Family;
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

function fullnat(service: NonNullable<Mode['service']>): Mode {
  return { dest: { method: 'fullnat' }, service, answers: 'local' };
}

function nat64(service: NonNullable<Mode['service']>): Mode {
  return { ...fullnat(service), serverFamily: 4 };
}

/** By the names of `--mode`. */
export const MODES: Readonly<Record<string, Mode>> = {
  nat: { dest: { method: 'nat' }, answers: 'through' },
  dr: { dest: { method: 'dr' }, answers: 'past' },
  'tun-ipip': { dest: { method: 'tun', tunnel: { type: 'ipip' } }, answers: 'past', devices: devicesOf('ipip') },
  'tun-gre': { dest: { method: 'tun', tunnel: { type: 'gre' } }, answers: 'past', devices: devicesOf('gre') },
  'tun-gue': {
    dest: { method: 'tun', tunnel: { type: 'gue', port: GUE_PORT } },
    answers: 'past',
    devices: devicesOf('ipip', true),
  },
  fullnat: fullnat({}),
  'fullnat-toa': fullnat({ carry: 'toa' }),
  'fullnat-alibaba': fullnat({ carry: 'toa', profile: 'alibaba' }),
  'fullnat-dpvs': fullnat({ carry: 'toa', profile: 'dpvs' }),
  'fullnat-proxy-v1': fullnat({ carry: 'proxy-v1' }),
  'fullnat-proxy-v2': fullnat({ carry: 'proxy-v2' }),
  'nat-synproxy': { dest: { method: 'nat' }, service: { synproxy: true }, answers: 'through' },
  'fullnat-synproxy': fullnat({ synproxy: true }),
  'fullnat-synproxy-toa': fullnat({ synproxy: true, carry: 'toa' }),
  'fullnat-synproxy-proxy-v2': fullnat({ synproxy: true, carry: 'proxy-v2' }),
  nat64: nat64({}),
  'nat64-toa': nat64({ carry: 'toa' }),
  'nat64-proxy-v1': nat64({ carry: 'proxy-v1' }),
  'nat64-synproxy': nat64({ synproxy: true }),
  'nat64-synproxy-toa': nat64({ synproxy: true, carry: 'toa' }),
  'nat64-synproxy-proxy-v1': nat64({ synproxy: true, carry: 'proxy-v1' }),
  snat: { dest: { method: 'snat' }, mark: 7, answers: 'local' },
};

/** Ports of the service, and of the servers where a mode can change it. */
export const PORT = 80;
export const SERVER_PORT = 8080;

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
  /** Those from which FullNAT and SNAT come to servers. */
  readonly locals: readonly [string, string];
  readonly bits: number;
  /** Of an address alone. */
  readonly all: number;
  /** Of the clients, and at the servers' side. */
  readonly clients: string;
  readonly beyond: string;
}

export const ADDRESSES: Readonly<Record<Family, Addresses>> = {
  4: {
    client: '10.0.0.2',
    vip: '10.0.0.100',
    own: ['10.0.0.1', '10.1.0.1'],
    servers: ['10.1.0.11', '10.1.0.12'],
    locals: ['10.1.0.2', '10.1.0.3'],
    bits: 24,
    all: 32,
    clients: '10.0.0.0/24',
    beyond: '10.1.0.0/24',
  },
  6: {
    client: 'fd00::2',
    vip: 'fd00::100',
    own: ['fd00::1', 'fd00:1::1'],
    servers: ['fd00:1::11', 'fd00:1::12'],
    locals: ['fd00:1::2', 'fd00:1::3'],
    bits: 64,
    all: 128,
    clients: 'fd00::/64',
    beyond: 'fd00:1::/64',
  },
};

/** Whether servers are told of their clients by the PROXY protocol, which nginx reads. */
export function isByProxy({ service }: Mode): boolean {
  return service?.carry?.startsWith('proxy') === true;
}

/** Whether both ends of an established connection are told when it times out: those that the director translates, by its own timeouts. */
export function isTold({ answers, service }: Mode): boolean {
  return answers !== 'past' && service?.profile === undefined;
}

/** The servers' addresses, and others at their side. */
export function serverSide({ serverFamily }: Mode, family: Family): Addresses {
  return ADDRESSES[serverFamily ?? family];
}

/** Addresses that clients ask, at {@link PORT}. */
export function askedOf(mode: Mode, family: Family): readonly string[] {
  const { vip, servers } = ADDRESSES[family];
  return mode.mark === undefined ? [vip] : servers;
}

/** The director's network. */
export function directorNetwork(mode: Mode, family: Family): NetworkConfig {
  const { client, vip, own, bits, all } = ADDRESSES[family];
  const { own: inside, servers, locals, bits: insideBits } = serverSide(mode, family);
  const [cli, srv] = DIRECTOR;
  return {
    interfaces: [
      { ...cli, addresses: [`${own[0]}/${bits}`, `${vip}/${all}`] },
      { ...srv, addresses: [inside[1], ...locals].map((address) => `${address}/${insideBits}`) },
    ],
    neighbours: [
      { dst: client, dev: cli.name, lladdr: CLIENT_MAC },
      ...servers.map((dst, i) => ({ dst, dev: srv.name, lladdr: SERVER_MACS[i] as string })),
    ],
  };
}

/** A service and its dests, in the words of both directors. */
export interface Rules {
  readonly service: ReferenceService;
  readonly dests: readonly ReferenceDest[];
}

/** What it balances. */
export function rulesOf(mode: Mode, family: Family): Rules {
  const { vip } = ADDRESSES[family];
  const { servers, locals } = serverSide(mode, family);
  const { mark } = mode;
  if (mark !== undefined)
    return {
      service: { fwmark: mark, family, scheduler: 'rr' },
      dests: locals.map((address) => ({ address, ...mode.dest })),
    };
  const port = mode.answers === 'past' ? PORT : SERVER_PORT;
  const localAddresses = mode.answers === 'local' ? { localAddresses: locals } : {};
  return {
    service: { protocol: 'tcp', address: vip, port: PORT, scheduler: 'rr', ...localAddresses, ...mode.service },
    dests: servers.map((address) => ({ address, port, ...mode.dest })),
  };
}

/** The client's network. */
export function clientNetwork(mode: Mode, family: Family): NetworkConfig {
  const { client, vip, own, bits, beyond } = ADDRESSES[family];
  const dev = HOST_INTERFACE;
  return {
    interfaces: [{ name: dev, addresses: [`${client}/${bits}`] }],
    routes: mode.mark === undefined ? [] : [{ dst: beyond, dev, gateway: own[0] }],
    neighbours: [vip, own[0]].map((dst) => ({ dst, dev, lladdr: DIRECTOR[0].mac })),
  };
}

/** A server's network. It has the address of the service where it answers past the director; nobody asks for that by ARP here. */
export function serverNetwork(mode: Mode, family: Family, index: number): NetworkConfig {
  const { client, clients, vip, own, servers, locals, bits, all } = serverSide(mode, family);
  const { interfaces: devices = [], fou = [] } = mode.devices?.[family] ?? {};
  const dev = HOST_INTERFACE;
  const addresses = [`${servers[index]}/${bits}`, ...(mode.answers === 'past' ? [`${vip}/${all}`] : [])];
  const routes = { past: [{ dst: clients, dev }], through: [{ dst: clients, dev, gateway: own[1] }], local: [] };
  return {
    interfaces: [{ name: dev, addresses }, ...devices],
    routes: routes[mode.answers],
    neighbours: [
      ...[own[1], ...locals].map((dst) => ({ dst, dev, lladdr: DIRECTOR[1].mac })),
      { dst: client, dev, lladdr: CLIENT_MAC },
    ],
    fou,
  };
}
