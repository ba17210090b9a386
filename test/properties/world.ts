/**
 * Random worlds: networks, switches, services and dests, small enough that most packets hit something.
 *
 * @module
 */
import fc from 'fast-check';
import { flagsOf, SCHEDULER_NAMES } from '../../src/schedulers.js';
import type {
  DestConfig,
  InterfaceConfig,
  MethodName,
  NetworkConfig,
  ServiceConfig,
  SysctlConfig,
} from '../../src/types.js';

export const MAC = {
  cli: '02:00:00:00:00:01',
  trunk: '02:00:00:00:01:00',
  srv: '02:00:00:00:01:01',
  client: '02:00:00:00:00:02',
  gateway: '02:00:00:00:00:fe',
} as const;

export const VIPS = ['10.0.0.100', '10.0.0.101'] as const;
export const OWN = '10.0.0.1';

/** Clients: known neighbours, one without a MAC, one behind a router, two that have a way only by default. */
export const CLIENTS = ['10.0.0.2', '10.0.0.3', '10.0.0.9', '10.9.1.1', '198.51.100.7', '192.0.2.200'] as const;

/** Keys of the services that there may be. */
export const KEYS = [
  { protocol: 'tcp', address: VIPS[0], port: 80 },
  { protocol: 'udp', address: VIPS[0], port: 53 },
  { protocol: 'tcp', address: VIPS[1], port: 80 },
  { protocol: 'udp', address: VIPS[1], port: 4000 },
] as const;

/**
 * Real servers: four good ones, then one without a MAC, one on the client side, one beyond the default route, the
 * director itself and its loopback.
 */
export const SERVERS = [
  '10.1.0.11',
  '10.1.0.12',
  '10.1.0.13',
  '10.1.0.14',
  '10.1.0.99',
  '10.0.0.3',
  '203.0.113.5',
  '10.0.0.1',
  '127.0.0.1',
] as const;

/** A network by a few choices. */
export interface NetworkChoices {
  cliRaw: boolean;
  srv: 'ether' | 'raw' | 'vlan';
  cliMtu: number;
  srvMtu: number;
  tunnel: 'none' | 'up' | 'down';
  defaultRoute: boolean;
  srvUp: boolean;
}

const mtu = fc.constantFrom(1500, 1500, 1500, 576, 1280, 300, 80, 68, 9000, 65_536);

export const networkChoices: fc.Arbitrary<NetworkChoices> = fc.record({
  cliRaw: fc.constantFrom(false, false, false, true),
  srv: fc.constantFrom('ether', 'ether', 'raw', 'vlan'),
  cliMtu: mtu,
  srvMtu: mtu,
  tunnel: fc.constantFrom('none', 'up', 'up', 'down'),
  defaultRoute: fc.boolean(),
  srvUp: fc.constantFrom(true, true, true, true, true, true, true, false),
});

export function networkOf(choices: NetworkChoices): NetworkConfig {
  const { cliMtu, srvMtu: size, srv, srvUp: up } = choices;
  const addresses = [`${OWN}/24`, ...VIPS.map((vip) => `${vip}/32`)];
  const cli: InterfaceConfig = choices.cliRaw
    ? { name: 'cli', kind: 'raw', mtu: cliMtu, addresses }
    : { name: 'cli', mac: MAC.cli, mtu: cliMtu, addresses };
  const inside = { name: 'srv', mtu: size, up, addresses: ['10.1.0.1/24'] };
  const servers: InterfaceConfig[] = {
    ether: [{ ...inside, mac: MAC.srv }],
    raw: [{ ...inside, kind: 'raw' as const }],
    vlan: [
      { name: 'trunk', mac: MAC.trunk, mtu: size },
      { ...inside, mac: MAC.srv, vlan: { parent: 'trunk', id: 7 } },
    ],
  }[srv];
  const tunnel: InterfaceConfig = { name: 'tunl0', kind: 'ipip', mtu: 1480, up: choices.tunnel === 'up' };
  return {
    interfaces: [
      { name: 'lo', mtu: 65_536, addresses: ['127.0.0.1/8'] },
      cli,
      ...servers,
      ...(choices.tunnel === 'none' ? [] : [tunnel]),
    ],
    routes: [
      { dst: '10.0.0.0/24', dev: 'cli', prefsrc: OWN },
      { dst: '10.1.0.0/24', dev: 'srv', prefsrc: '10.1.0.1' },
      { dst: '10.9.0.0/16', dev: 'cli', gateway: '10.0.0.2' },
      { dst: '10.9.1.0/24', dev: 'cli', gateway: '10.0.0.3', metric: 5 },
      { dst: '10.9.1.0/24', dev: 'cli', gateway: '10.0.0.2', metric: 2 },
      ...(choices.defaultRoute ? [{ dst: 'default', dev: 'cli', gateway: '10.0.0.254' }] : []),
    ],
    neighbours: [
      { dst: '10.0.0.2', dev: 'cli', lladdr: MAC.client },
      { dst: '10.0.0.3', dev: 'cli', lladdr: '02:00:00:00:00:03' },
      { dst: '10.0.0.254', dev: 'cli', lladdr: MAC.gateway },
      ...[11, 12, 13, 14].map((n) => ({ dst: `10.1.0.${n}`, dev: 'srv', lladdr: `02:00:00:00:01:${n}` })),
    ],
  };
}

const bit = fc.constantFrom(0, 1);

export const sysctls: fc.Arbitrary<SysctlConfig> = fc.record({
  ip_forward: fc.constantFrom(1, 1, 1, 1, 0),
  pmtu_disc: bit,
  sloppy_tcp: fc.constantFrom(0, 0, 1),
  expire_quiescent_template: bit,
  expire_nodest_conn: bit,
  nat_icmp_send: bit,
  ipv6_forwarding: fc.constant(1),
  schedule_icmp: bit,
  cache_bypass: bit,
  ignore_tunneled: fc.constant(0),
  sloppy_sctp: bit,
  lblc_expiration: fc.constant(86_400),
  lblcr_expiration: fc.constant(86_400),
  conn_reuse_mode: fc.constantFrom(0, 1, 2),
  secure_tcp: fc.constantFrom(0, 0, 1, 3),
  drop_entry: fc.constantFrom(0, 0, 1, 3),
  drop_packet: fc.constantFrom(0, 0, 1, 3),
  am_droprate: fc.constantFrom(10, 3, 0),
  amemthresh: fc.constantFrom(1024, 2048, 4096),
});

const METHODS: readonly MethodName[] = ['nat', 'nat', 'dr', 'tun'];

const good = fc.constantFrom(...SERVERS.slice(0, 4));
const server = fc.oneof({ weight: 9, arbitrary: good }, { weight: 2, arbitrary: fc.constantFrom(...SERVERS) });

/** A dest of a service on `port`; DR and TUN keep the service's port. */
export function destOf(port: number): fc.Arbitrary<DestConfig> {
  return fc
    .record({
      address: server,
      mapped: fc.boolean(),
      method: fc.constantFrom(...METHODS),
      weight: fc.constantFrom(1, 1, 1, 2, 3, 5, 0),
      limits: fc.constantFrom([0, 0], [0, 0], [0, 0], [1, 0], [2, 1], [4, 2], [3, 0]),
    })
    .map(({ address, mapped, method, weight, limits: [upperThreshold = 0, lowerThreshold = 0] }) => ({
      address,
      port: mapped && method === 'nat' ? 8080 : port,
      method,
      weight,
      upperThreshold,
      lowerThreshold,
    }));
}

/** Scheduler and flags: without maglev, whose table has no room, and twos, which a director's seed decides. */
export const scheduling: fc.Arbitrary<Pick<ServiceConfig, 'scheduler' | 'flags'>> = fc
  .constantFrom(...SCHEDULER_NAMES.filter((name) => name !== 'maglev' && name !== 'twos'))
  .chain((scheduler) => fc.record({ scheduler: fc.constant(scheduler), flags: fc.subarray([...flagsOf(scheduler)]) }));

/** A service with its dests, in the order in which they are added. */
export interface ServiceWorld {
  service: ServiceConfig;
  dests: DestConfig[];
}

const services: fc.Arbitrary<ServiceWorld[]> = fc.tuple(
  ...KEYS.map((key) =>
    fc.record({
      service: scheduling.map((chosen): ServiceConfig => ({ ...key, ...chosen })),
      dests: fc.uniqueArray(destOf(key.port), { maxLength: 4, selector: ({ address, port }) => `${address}:${port}` }),
    }),
  ),
);

/** Everything a director starts with. */
export interface World {
  network: NetworkChoices;
  sysctl: SysctlConfig;
  services: ServiceWorld[];
}

export const worlds: fc.Arbitrary<World> = fc.record({ network: networkChoices, sysctl: sysctls, services });
