/**
 * Random worlds: a network around the director, its services and their servers, small enough that most packets hit
 * something.
 *
 * @module
 */
import type { Family } from '../../../src/address.js';
import { flagsOf } from '../../../src/schedulers.js';
import type { NetworkConfig } from '../../../src/types.js';
import type { Change } from '../case.js';
import type { Random } from '../random.js';
import { FEATURES, SCHEDULERS } from './features.js';

/** MAC addresses of the director and of hosts that need a name. */
export const MACS = { cli: '02:00:00:00:00:01', srv: '02:00:00:00:01:01', gateway: '02:00:00:00:00:fe' } as const;

export type Protocol = 'tcp' | 'udp' | 'sctp';
export type Method = 'nat' | 'dr' | 'tun';

/** A real server of a service. */
export interface DestWorld {
  readonly address: string;
  readonly port: number;
  readonly method: Method;
}

export interface ServiceWorld {
  readonly family: Family;
  readonly protocol: Protocol;
  readonly vip: string;
  readonly port: number;
  /** By firewall mark; `vip`, `port` and `protocol` are then what its clients ask for. */
  readonly mark?: number;
  /** As added at the start; rules may change later. */
  readonly dests: readonly DestWorld[];
}

export interface World {
  readonly network: NetworkConfig;
  readonly setup: readonly Change[];
  readonly families: readonly Family[];
  /** Whether there are default routes. */
  readonly hasDefault: boolean;
  readonly services: readonly ServiceWorld[];
  /** Whether dests may have weight 0. */
  readonly zeroWeights: boolean;
  /** Whether GRE that ends here has checksums. */
  readonly greChecksum: boolean;
  readonly mtu: { readonly cli: number; readonly srv: number };
  /** See Case. */
  readonly busy?: number;
}

/** What hosts are called in each family. The last client and server have a way only by the default route. */
export const HOSTS = {
  4: {
    own: '10.0.0.1',
    inside: '10.1.0.1',
    vips: ['10.0.0.100', '10.0.0.101'],
    clients: ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.9.1.1', '10.9.2.2', '198.51.100.7'],
    servers: ['10.1.0.11', '10.1.0.12', '10.1.0.13', '10.1.0.14', '10.2.0.5', '10.0.0.3', '10.1.0.99', '203.0.113.5'],
  },
  6: {
    own: 'fd00::1',
    inside: 'fd00:1::1',
    vips: ['fd00::100', 'fd00::101'],
    clients: ['fd00::2', 'fd00::3', 'fd00::4', 'fd00:9::1', 'fd00:9::2', '2001:db8:7::7'],
    servers: [
      'fd00:1::11',
      'fd00:1::12',
      'fd00:1::13',
      'fd00:1::14',
      'fd00:2::5',
      'fd00::3',
      'fd00:1::99',
      '2001:db8:8::5',
    ],
  },
} as const;

/** Where clients of a mark's service send to: to the director, to others, to a group, and to everybody. */
export const MARKED = {
  4: [
    ...['10.0.0.1', '10.0.0.100', '10.1.0.12', '10.0.0.4', '198.51.100.9', '224.0.0.5'],
    ...(FEATURES.markedBroadcasts ? ['10.0.0.255', '255.255.255.255'] : []),
  ],
  6: ['fd00::1', 'fd00::100', 'fd00:1::12', 'fd00::4', '2001:db8:7::9', 'ff05::2'],
} as const;
const MARK = 7;
/** Who sends frames that have it. */
export const MARK_MAC = '02:00:00:00:07:02';

/** The servers that everything works with. */
export const GOOD_SERVERS = 5;

export const PORTS: Record<Protocol, readonly number[]> = { tcp: [80, 443], udp: [53, 4000, 500], sctp: [5000] };
const OPTION: Record<Protocol, string> = { tcp: '-t', udp: '-u', sctp: '--sctp-service' };

/** A UDP port that takes GUE, and that dests are sent GUE on. */
export const GUE_PORT = 6080;

/** A random world. */
export function makeWorld(random: Random): World {
  const families: Family[] = random.of([[4], [6], [4, 6]] as Family[][]);
  const mtus = families.includes(6) ? [1500, 1500, 1400, 1280] : [1500, 1500, 1500, 1400, 1006, 576, 300, 68];
  const mtu = { cli: random.of(mtus), srv: random.of(mtus) };
  const zeroWeights = random.once(2);
  const sysctl = {
    pmtu_disc: random.of([1, 1, 0]),
    sloppy_tcp: random.of([0, 0, 0, 1]),
    expire_nodest_conn: random.of([0, 0, 0, 1]),
    conn_reuse_mode: random.below(3),
    nat_icmp_send: random.of([0, 0, 1]),
    sloppy_sctp: random.of([0, 0, 1]),
    ...(FEATURES.bypass && { cache_bypass: random.of([0, 1]) }),
    schedule_icmp: random.of([0, 0, 1]),
  };
  const hasDefault = random.once(2);
  const greChecksum = random.once(3);
  const services = servicesOf(random, families, zeroWeights);
  const setup: Change[] = [
    ...Object.entries(sysctl).map(
      ([name, value]): Change => ({ kind: 'sysctl', text: `net/ipv4/vs/${name}=${value}` }),
    ),
    ...tunnelDevices(random, families, greChecksum).map(command),
    ...(FEATURES.lastService ? [] : families.map(lasting).map(command)),
    ...services.flatMap(({ service, rules }) => [...serviceRule(service, random), ...rules]).map(command),
    ...marking(services.map(({ service }) => service)).map(command),
  ];
  return {
    network: networkOf(families, mtu, hasDefault),
    setup,
    families,
    hasDefault,
    zeroWeights,
    greChecksum,
    services: services.map(({ service }) => service),
    mtu,
  };
}

/** Whose frames have a mark, and that such go to this host, which the core does for the marks of its services. */
function marking(services: readonly ServiceWorld[]): string[] {
  const marked = services.filter(({ mark }) => mark !== undefined);
  if (marked.length === 0) return [];
  return [
    'tc qdisc add dev cli ingress',
    `tc filter add dev cli ingress protocol all flower src_mac ${MARK_MAC} action skbedit mark ${MARK}`,
    ...marked.flatMap(({ family }) => {
      const ip = family === 6 ? 'ip -6' : 'ip';
      return [`${ip} rule add fwmark ${MARK} lookup 100`, `${ip} route add local default dev lo table 100`];
    }),
  ];
}

const command = (text: string): Change => ({ kind: 'command', text });

/** The devices that take what comes out of GUE: without them the host refuses a packet that it has cut down already. */
const BEHIND_GUE = { '': ['tunl0', 'sit0'], ' -6': ['ip6tnl0'] } as const;

/** Devices, all up, and ports of GUE. In Linux a GRE device takes packets with a checksum, or those without. */
function tunnelDevices(random: Random, families: readonly Family[], greChecksum: boolean): string[] {
  const lines: string[] = [];
  const up = new Set(['tunl0', 'sit0', 'ip6tnl0'].filter(() => random.once(2)));
  for (const family of ['', ' -6'] as const) {
    if (random.once(2)) continue;
    lines.push(`ip fou add port ${GUE_PORT} gue${family}`);
    for (const name of BEHIND_GUE[family]) up.add(name);
  }
  for (const family of families) {
    if (random.once(2)) continue;
    const type = family === 6 ? 'ip6gre' : 'gre';
    if (!greChecksum) up.add(`${type}0`);
    for (const [i, address] of greChecksum ? ownAddresses(family).entries() : []) {
      lines.push(`ip link add ${type}${i + 1} type ${type} local ${address} icsum`);
      up.add(`${type}${i + 1}`);
    }
  }
  return [...lines, ...[...up].map((name) => `ip link set ${name} up`)];
}

/** Addresses of the director at which tunnels may end. */
export function ownAddresses(family: Family): string[] {
  const { own, inside, vips } = HOSTS[family];
  return [own, inside, ...vips];
}

export function networkOf(families: readonly Family[], mtu: World['mtu'], hasDefault: boolean): NetworkConfig {
  const of = (four: string, six: string) => [
    ...(families.includes(4) ? [four] : []),
    ...(families.includes(6) ? [six] : []),
  ];
  const near = (dev: string, hosts: readonly string[], lladdr: string) => hosts.map((dst) => ({ dst, dev, lladdr }));
  return {
    interfaces: [
      { name: 'lo', mtu: 65_536, addresses: ['127.0.0.1/8', '::1/128'] },
      {
        name: 'cli',
        mac: MACS.cli,
        mtu: mtu.cli,
        addresses: [
          ...of('10.0.0.1/24', 'fd00::1/64'),
          ...of('10.0.0.100/32', 'fd00::100/128'),
          ...of('10.0.0.101/32', 'fd00::101/128'),
        ],
      },
      { name: 'srv', mac: MACS.srv, mtu: mtu.srv, addresses: of('10.1.0.1/24', 'fd00:1::1/64') },
    ],
    routes: [
      ...of('10.9.0.0/16', 'fd00:9::/32').map((dst) => ({
        dst,
        dev: 'cli',
        gateway: dst.includes(':') ? 'fd00::2' : '10.0.0.2',
      })),
      ...of('10.2.0.0/16', 'fd00:2::/32').map((dst) => ({
        dst,
        dev: 'srv',
        gateway: dst.includes(':') ? 'fd00:1::12' : '10.1.0.12',
      })),
      ...(hasDefault ? of('10.0.0.254', 'fd00::fe').map((gateway) => ({ dst: 'default', dev: 'cli', gateway })) : []),
    ],
    neighbours: [
      ...[2, 3, 4].flatMap((n) => near('cli', of(`10.0.0.${n}`, `fd00::${n}`), `02:00:00:00:00:0${n}`)),
      ...near('cli', of('10.0.0.254', 'fd00::fe'), MACS.gateway),
      ...[11, 12, 13, 14].flatMap((n) => near('srv', of(`10.1.0.${n}`, `fd00:1::${n}`), `02:00:00:00:01:${n}`)),
    ],
  };
}

function servicesOf(
  random: Random,
  families: readonly Family[],
  zeroWeights: boolean,
): { service: ServiceWorld; rules: string[] }[] {
  const protocols: Protocol[] = ['tcp', 'tcp', 'udp', 'sctp'];
  const found = new Map<string, { service: ServiceWorld; rules: string[] }>();
  for (let left = 1 + random.below(4); left > 0; left--) {
    const [family, protocol] = [random.of(families), random.of(protocols)];
    const base = random.once(4)
      ? { family, protocol, vip: random.of<string>(MARKED[family]), port: random.of([9, 80, 53]), mark: MARK }
      : { family, protocol, vip: random.of(HOSTS[family].vips), port: random.of(PORTS[protocol]) };
    const dests = new Map<string, DestWorld>();
    for (let n = random.of([0, 1, 1, 2, 2, 3, 4]); n > 0; n--) {
      const dest = randomDest(random, base);
      dests.set(`${dest.address} ${dest.port}`, dest);
    }
    const service = { ...base, dests: [...dests.values()] };
    found.set(keyOf(service), {
      service,
      rules: service.dests.map((dest) => destRule('-a', service, dest, random, zeroWeights)),
    });
  }
  return [...found.values()];
}

/** A dest that a service may have. */
export function randomDest(random: Random, service: Omit<ServiceWorld, 'dests'>): DestWorld {
  const { family, protocol } = service;
  const port = ownPort(service);
  const method = random.of<Method>(['nat', 'nat', 'dr', 'tun']);
  const other: Family = family === 4 ? 6 : 4;
  const of = method === 'tun' && random.once(3) ? other : family;
  const { servers, inside } = HOSTS[of];
  const address = random.weighted<string>([
    [12, random.of(servers.slice(0, GOOD_SERVERS))],
    [1, random.of(servers)],
    // The kernel's state machine sees what its host's TCP answers.
    [protocol === 'udp' && method !== 'nat' && service.mark === undefined ? 1 : 0, inside],
  ]);
  return { address, port: method === 'nat' && random.once(2) ? 8080 : port, method };
}

/** The port that a service's rule has. */
export function ownPort({ port, mark }: Pick<ServiceWorld, 'port' | 'mark'>): number {
  return mark === undefined ? port : 0;
}

export function keyOf({ family, protocol, vip, port, mark }: Omit<ServiceWorld, 'dests'>): string {
  if (mark !== undefined) return `-f ${mark}${family === 6 ? ' -6' : ''}`;
  return `${OPTION[protocol]} ${endpoint(vip, port)}`;
}

export function endpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The rule that adds (`-A`) or edits (`-E`) a service. */
export function serviceRule(service: ServiceWorld, random: Random, what: '-A' | '-E' = '-A'): string[] {
  const scheduler = random.of(SCHEDULERS);
  const given = flagsOf(scheduler).filter(() => random.once(2));
  const flags = given.length === 0 ? '' : ` -b ${given.join(',')}`;
  const persistent = service.mark !== undefined && random.once(3) ? ' -p 300' : '';
  return [`ipvsadm ${what} ${keyOf(service)} -s ${scheduler}${flags}${persistent}`];
}

/** The rule of a service that is never deleted, and never used. */
export function lasting(family: Family): string {
  return `ipvsadm -A -t ${endpoint(HOSTS[family].vips[0], 9)} -s rr`;
}

/** The rule that deletes a service. */
export function deleteServiceRule(service: ServiceWorld): string {
  return `ipvsadm -D ${keyOf(service)}`;
}

/** The rule that adds (`-a`) or edits (`-e`) a dest. */
export function destRule(
  what: '-a' | '-e',
  service: ServiceWorld,
  dest: DestWorld,
  random: Random,
  zeroWeights: boolean,
): string {
  const { address, port, method } = dest;
  const [upper, lower] = random.of([[], [], [], [], [], [1], [2, 1], [4, 2], [3]] as number[][]);
  const words = [`ipvsadm ${what} ${keyOf(service)} -r ${endpoint(address, port)}`, methodOption(method, random)];
  words.push(`-w ${random.of([1, 1, 1, 1, 2, 3, 5, zeroWeights ? 0 : 4])}`);
  if (upper !== undefined) words.push(`-x ${upper}`);
  if (lower !== undefined) words.push(`-y ${lower}`);
  return words.join(' ');
}

/** The rule that deletes a dest. */
export function deleteDestRule(service: ServiceWorld, { address, port }: DestWorld): string {
  return `ipvsadm -d ${keyOf(service)} -r ${endpoint(address, port)}`;
}

export function methodOption(method: Method, random: Random): string {
  if (method !== 'tun') return method === 'nat' ? '-m' : '-g';
  const type = random.of(['ipip', 'gre', 'gue']);
  if (type === 'ipip') return random.of(['-i', '-i --tun-type ipip']);
  const sums =
    type === 'gre' ? ['', ' --tun-nocsum', ' --tun-csum'] : ['', ' --tun-nocsum', ' --tun-csum', ' --tun-remcsum'];
  return `-i --tun-type ${type}${type === 'gue' ? ` --tun-port ${GUE_PORT}` : ''}${random.of(sums)}`;
}
