/**
 * Random worlds of both families: network, switches, services and dests of every method and tunnel.
 *
 * @module
 */
import { flagsOf, SCHEDULER_NAMES } from '../../../src/schedulers.js';
import type {
  CarryName,
  DestConfig,
  InterfaceConfig,
  LocalPortsConfig,
  NetworkConfig,
  ServiceConfig,
  ServiceKey,
  SysctlConfig,
  TunnelConfig,
} from '../../../src/types.js';
import type { Start } from '../twins.js';
import type { ServiceWorld } from '../world.js';
import type { Choices } from './choices.js';
import { type Family, familyOf, GOOD_SERVERS, GUE_PORT, HOSTS, MAC } from './hosts.js';

/** The mark of the services that have one. */
export const MARK = 7;

/** The services that there may be, in either family. */
export function keysOf(family: Family): ServiceKey[] {
  const [vip, other] = HOSTS[family].vips;
  return [
    { protocol: 'tcp', address: vip, port: 80 },
    { protocol: 'udp', address: vip, port: 53 },
    { protocol: 'sctp', address: vip, port: 5000 },
    { protocol: 'udp', address: other, port: 500 },
    { protocol: 'tcp', address: other, port: 443 },
    { protocol: 'tcp', address: vip, port: 21 },
    { protocol: 'tcp', address: other, port: 0 },
    { protocol: 'udp', address: vip, port: 0 },
    { fwmark: MARK, family },
  ];
}

export const KEYS: readonly ServiceKey[] = [...keysOf(4), ...keysOf(6)];

export function worldOf(choices: Choices): Start {
  const inside = choices.once(10) ? choices.of<Family[]>([[4], [6], [4, 6]]) : [];
  const network = networkOf(choices);
  const ecn = choices.of(['kernel', 'rfc6040', 'copy'] as const);
  const sysctl = sysctlOf(choices);
  const first = choices.below(KEYS.length);
  const services = Array.from({ length: 1 + choices.below(6) }, (_, i) => {
    // In steps that meet every key once.
    const key = KEYS[(first + i * 7) % KEYS.length] as ServiceKey;
    return serviceWorld(key, choices);
  });
  const own = { network, sysctl, ecn, localPorts: portsOf(choices) };
  if (inside.length === 0) {
    const start = { ...own, services };
    return choices.once(10) ? proxiedWorld(start, choices) : start;
  }
  const others = services.filter(({ service }) => !('fwmark' in service));
  return { ...own, services: [...inside.map((family) => snatWorld(family, choices)), ...others.slice(0, 2)] };
}

/** What has the mark leaves by SNAT. */
function snatWorld(family: Family, choices: Choices): ServiceWorld {
  const { ops, carry, localAddresses, ...service } = serviceOf({ fwmark: MARK, family }, choices);
  const dests = Array.from({ length: choices.of([1, 2, 1, 3]) }, () => snatDestOf(family, choices));
  return { service, dests };
}

/** A dest by SNAT, now and then one that cannot be. */
export function snatDestOf(family: Family, choices: Choices): DestConfig {
  const { locals, servers, odd } = HOSTS[family];
  const isOdd = choices.once(12);
  return {
    address: isOdd ? choices.of([...servers, ...odd]) : choices.of(locals),
    port: choices.once(20) ? 80 : 0,
    method: choices.once(20) && !isOdd ? 'nat' : 'snat',
    weight: choices.of([1, 1, 1, 2, 0]),
    upperThreshold: choices.of([0, 0, 0, 2]),
  };
}

/** In which families services are by SNAT. */
export function insideOf(services: readonly (ServiceKey & WithDests)[]): Family[] {
  return services.flatMap((service) => ('fwmark' in service && isSnat(service) ? [service.family ?? 4] : []));
}

interface WithDests {
  dests: readonly { method?: string }[];
}

export function isSnat({ dests }: WithDests): boolean {
  return dests.some(({ method }) => method === 'snat');
}

function nameOf(key: ServiceKey): string {
  return 'fwmark' in key ? `${key.fwmark} ${key.family}` : `${key.protocol} ${key.address} ${key.port}`;
}

/** The world with SYN proxies in front of all services that can have one; there is one at least. */
export function proxiedWorld(start: Start, choices: Choices): Start {
  const keys = KEYS.filter((key) => 'fwmark' in key || key.protocol === 'tcp');
  const first = serviceWorld(choices.of(keys), choices);
  const others = start.services.filter(({ service }) => nameOf(service) !== nameOf(first.service));
  return {
    ...start,
    sysctl: { ...start.sysctl, ...synproxyOf(choices) },
    services: [first, ...others].map(({ service, dests }) => ({
      service: behindProxy(service),
      dests: dests.map((dest) => destBehindProxy(service, dest)),
    })),
  };
}

function serviceWorld(key: ServiceKey, choices: Choices): ServiceWorld {
  const dests = new Map<string, DestConfig>();
  for (let left = choices.of([1, 2, 3, 0]); left > 0; left--) {
    const dest = destOf(key, choices);
    dests.set(`${dest.address} ${dest.port}`, dest);
  }
  return { service: serviceOf(key, choices), dests: [...dests.values()] };
}

/** Without maglev, whose table has no room in the smallest plans, and the reference needs none. */
const SCHEDULERS = SCHEDULER_NAMES.filter((name) => name !== 'maglev');

/** A service with that name. */
export function serviceOf(key: ServiceKey, choices: Choices): ServiceConfig {
  const scheduler = choices.of(SCHEDULERS);
  const flags = flagsOf(scheduler).filter(() => choices.once(2));
  const service = { ...key, scheduler, flags };
  const isUdp = 'fwmark' in key || key.protocol === 'udp';
  const isV6 = 'fwmark' in key ? key.family === 6 : familyOf(key.address) === 6;
  const needs = !('fwmark' in key) && key.port === 0;
  const persistent = choices.of([0, 0, 0, 2, 60, 300]) || (needs ? 300 : 0);
  return {
    ...service,
    ...(persistent > 0 && { persistent, ...(choices.once(3) && { netmask: isV6 ? 64 : '255.255.255.254' }) }),
    ...(isUdp && choices.once(4) && { ops: true }),
    ...(isUdp && choices.once(6) && { pe: 'sip' as const }),
    ...localsOf(key, isV6 ? 6 : 4, choices),
  };
}

/** What services of a protocol may tell their servers of clients in; by firewall mark in all of it. */
const CARRIERS: Readonly<Record<'tcp' | 'udp' | 'sctp' | 'mark', readonly CarryName[]>> = {
  tcp: ['toa', 'toa', 'proxy-v1', 'proxy-v2'],
  udp: ['uoa-protocol', 'uoa-option', 'proxy-v2'],
  sctp: [],
  mark: ['toa', 'proxy-v1', 'proxy-v2', 'uoa-protocol', 'uoa-option'],
};

/** Local addresses, which services share, in any order; now and then none, or one that cannot be. */
function localsOf(
  key: ServiceKey,
  family: Family,
  choices: Choices,
): Pick<ServiceConfig, 'localAddresses' | 'profile' | 'carry'> {
  const { locals, odd } = HOSTS[family];
  const first = choices.below(locals.length);
  const count = choices.of([1, 2, 1, 3, 0]);
  const localAddresses = Array.from({ length: count }, (_, i) => locals[(first + i) % locals.length] as string);
  const other = HOSTS[family === 4 ? 6 : 4];
  // Those of IPv4 are for servers of IPv4.
  if (family === 6) localAddresses.splice(choices.below(3), 0, ...other.locals.slice(0, choices.below(3)));
  if (choices.once(30)) localAddresses.push(choices.of([...odd, other.own, locals[first] as string]));
  const profile = choices.of(['linux', 'linux', 'alibaba', 'dpvs'] as const);
  const known = CARRIERS['fwmark' in key ? 'mark' : key.protocol];
  const carriers = known.filter((carry) => family === 4 || carry !== 'uoa-option');
  const carries = carriers.length > 0 && choices.once(2);
  return { localAddresses, profile, ...(carries && { carry: choices.of(carriers) }) };
}

/** Few ports, so that they are given again. */
function portsOf(choices: Choices): LocalPortsConfig {
  return choices.of([
    { first: 1024, last: 1026 },
    { first: 5000, last: 5001 },
    { first: 65_535 },
    { first: 2000, last: 2010, shards: 4, shard: 1 },
    { first: 1, last: 3 },
  ]);
}

/** The service behind a SYN proxy, if it can be. */
export function behindProxy(service: ServiceConfig): ServiceConfig {
  return 'fwmark' in service || service.protocol === 'tcp' ? { ...service, synproxy: true } : service;
}

/** A dest that a service behind a SYN proxy may have. */
export function destBehindProxy(key: ServiceKey, dest: DestConfig): DestConfig {
  if (!('fwmark' in key) && key.protocol !== 'tcp') return dest;
  const { tunnel: _, ...rest } = dest;
  const family = 'fwmark' in key ? (key.family ?? 4) : familyOf(key.address);
  const method = dest.method === 'fullnat' ? 'fullnat' : 'nat';
  const isFar = familyOf(dest.address) !== family && (method === 'nat' || family === 4);
  const address = isFar ? (HOSTS[family].servers[0] as string) : dest.address;
  return { ...rest, address, method };
}

/** The SYN proxy's switches. */
export function synproxyOf(choices: Choices) {
  return {
    synproxy_defer: choices.of([0, 0, 0, 1]),
    synproxy_mss: choices.of([1460, 536, 1300, 9000]),
    synproxy_wscale: choices.of([7, 0, 2, 14]),
    synproxy_sack: choices.of([1, 1, 0]),
    synproxy_timestamp: choices.of([1, 1, 0]),
    synproxy_retries: choices.of([3, 0, 1, 7]),
    synproxy_dup_ack: choices.of([10, 2, 3, 0, 1]),
    synproxy_max_ack_saved: choices.of([3, 3, 0, 1, 10]),
    conn_expire_tcp_rst: choices.of([0, 0, 1]),
  };
}

/** A dest that such a service may have, now and then one that it may not. */
export function destOf(key: ServiceKey, choices: Choices): DestConfig {
  const family = 'fwmark' in key ? (key.family ?? 4) : familyOf(key.address);
  const method = choices.of(['nat', 'tun', 'dr', 'fullnat', 'nat', 'fullnat', 'tun'] as const);
  const often = method === 'tun' ? 3 : method === 'fullnat' && family === 6 ? 2 : 40;
  const mixes = choices.once(often);
  const { servers } = HOSTS[mixes ? (family === 4 ? 6 : 4) : family];
  const isMarked = 'fwmark' in key;
  const own = isMarked ? 0 : key.port;
  // Of services by address DR and TUN have the service's.
  const mayDiffer = isMarked || (own !== 0 && (method === 'nat' || method === 'fullnat'));
  const [upperThreshold, lowerThreshold] = choices.of([
    [0, 0],
    [0, 0],
    [0, 0],
    [2, 1],
    [1, 0],
  ]) as [number, number];
  return {
    address: choices.once(8) ? choices.of(servers) : choices.of(servers.slice(0, GOOD_SERVERS)),
    port: mayDiffer && choices.once(isMarked ? 4 : 2) ? 8080 : own,
    method,
    weight: choices.of([1, 1, 1, 2, 3, 5, 0]),
    upperThreshold,
    lowerThreshold,
    ...(method === 'tun' && { tunnel: tunnelOf(choices) }),
  };
}

function tunnelOf(choices: Choices): TunnelConfig {
  const type = choices.of(['ipip', 'gre', 'gue', 'gue'] as const);
  if (type === 'ipip') return { type };
  if (type === 'gre') return { type, checksum: choices.of(['nocsum', 'csum']) };
  return { type, port: GUE_PORT, checksum: choices.of(['nocsum', 'csum', 'remcsum']) };
}

/** All but the SYN proxy's, and that of idle.test.ts. */
type Apart = `synproxy_${string}` | 'conn_expire_tcp_rst';
type Switches = Required<{ [K in keyof SysctlConfig as K extends Apart ? never : K]: SysctlConfig[K] }>;

export function sysctlOf(choices: Choices): Switches {
  const often = (value: number) => (choices.once(6) ? 1 - value : value);
  return {
    ip_forward: often(1),
    ipv6_forwarding: often(1),
    pmtu_disc: choices.of([1, 1, 0]),
    sloppy_tcp: often(0),
    sloppy_sctp: often(0),
    expire_nodest_conn: choices.below(2),
    expire_quiescent_template: choices.below(2),
    nat_icmp_send: choices.below(2),
    schedule_icmp: choices.below(2),
    cache_bypass: choices.below(2),
    conn_reuse_mode: choices.below(3),
    ignore_tunneled: often(0),
    lblc_expiration: 86_400,
    lblcr_expiration: 86_400,
    ...defenceOf(choices),
  };
}

/** Mostly off, so that connections live. */
function defenceOf(choices: Choices) {
  const mode = () => choices.of([0, 0, 0, 0, 1, 2, 3] as const);
  return {
    secure_tcp: mode(),
    drop_entry: choices.of([0, 0, 1, 2, 3, 3] as const),
    drop_packet: mode(),
    am_droprate: choices.of([10, 2, 3, 0]),
    amemthresh: choices.of([1024, 2048, 4096, 0, 1]),
  };
}

const TUNNEL_KINDS = ['ipip', 'sit', 'ip6tnl', 'gre', 'ip6gre'] as const;

export function networkOf(choices: Choices): NetworkConfig {
  const mtus = [1500, 1500, 1500, 1400, 1280, 1300, 9000];
  const [cliMtu, srvMtu] = [choices.of(mtus), choices.of(mtus)];
  const srv = choices.of(['ether', 'ether', 'raw', 'vlan'] as const);
  const defaultRoute = !choices.once(3);
  const up = !choices.once(12);
  const both = (pick: (hosts: (typeof HOSTS)[Family]) => string[]) => [...pick(HOSTS[4]), ...pick(HOSTS[6])];
  const addresses = ['10.0.0.1/24', 'fd00::1/64', ...both(({ vips }) => [...vips])];
  const inside = {
    name: 'srv',
    mtu: srvMtu,
    up,
    addresses: ['10.1.0.1/24', 'fd00:1::1/64', '10.1.0.2/32', 'fd00:1::2/128'],
  };
  const servers: Record<typeof srv, InterfaceConfig[]> = {
    ether: [{ ...inside, mac: MAC.srv }],
    raw: [{ ...inside, kind: 'raw' }],
    vlan: [
      { name: 'trunk', mac: MAC.trunk, mtu: srvMtu },
      { ...inside, mac: MAC.srv, vlan: { parent: 'trunk', id: 7 } },
    ],
  };
  const tunnels = TUNNEL_KINDS.filter(() => !choices.once(4)).map(
    (kind): InterfaceConfig => ({
      name: `${kind}0`,
      kind,
      mtu: 1480,
      up: !choices.once(8),
    }),
  );
  return {
    interfaces: [
      { name: 'lo', mtu: 65_536, addresses: ['127.0.0.1/8', '::1/128'] },
      choices.once(5)
        ? { name: 'cli', kind: 'raw', mtu: cliMtu, addresses }
        : { name: 'cli', mac: MAC.cli, mtu: cliMtu, addresses },
      ...servers[srv],
      ...tunnels,
    ],
    routes: [
      ...['10.9.0.0/16', 'fd00:9::/32'].map((dst) => ({
        dst,
        dev: 'cli',
        gateway: dst.includes(':') ? 'fd00::2' : '10.0.0.2',
      })),
      ...['10.2.0.0/16', 'fd00:2::/32'].map((dst) => ({
        dst,
        dev: 'srv',
        gateway: dst.includes(':') ? 'fd00:1::12' : '10.1.0.12',
      })),
      ...(defaultRoute ? ['10.0.0.254', 'fd00::fe'].map((gateway) => ({ dst: 'default', dev: 'cli', gateway })) : []),
    ],
    neighbours: [
      ...['10.0.0.2', 'fd00::2'].map((dst) => ({ dst, dev: 'cli', lladdr: MAC.client })),
      ...['10.0.0.3', 'fd00::3'].map((dst) => ({ dst, dev: 'cli', lladdr: '02:00:00:00:00:03' })),
      ...['10.0.0.254', 'fd00::fe'].map((dst) => ({ dst, dev: 'cli', lladdr: MAC.gateway })),
      ...[11, 12, 13, 14].flatMap((n) =>
        [`10.1.0.${n}`, `fd00:1::${n}`].map((dst) => ({ dst, dev: 'srv', lladdr: `02:00:00:00:01:${n}` })),
      ),
    ],
    fou: ([4, 6] as const).filter(() => !choices.once(4)).map((family) => ({ port: GUE_PORT, family })),
    ...(!choices.once(4) && { ip_vs_ftp: choices.of([{}, {}, { ports: [21, 80, 443] }]) }),
  };
}
