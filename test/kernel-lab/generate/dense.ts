/**
 * Worlds for very many connections: services with every scheduler, and dests with all that schedulers look at.
 *
 * @module
 */
import type { Family } from '../../../src/address.js';
import { flagsOf } from '../../../src/schedulers.js';
import type { Change } from '../case.js';
import type { Random } from '../random.js';
import { SCHEDULERS } from './features.js';
import {
  type DestWorld,
  deleteDestRule,
  endpoint,
  GOOD_SERVERS,
  HOSTS,
  keyOf,
  lasting,
  type Method,
  methodOption,
  networkOf,
  PORTS,
  type Protocol,
  type ServiceWorld,
  type World,
} from './world.js';

/** ms. The shortest timer of a connection that a SYN or a datagram opened takes ten seconds; that of SCTP's INIT1 four. */
const BUSY = 7000;
const BUSY_SCTP = 3000;

const WEIGHTS = [0, 1, 1, 1, 2, 3, 4, 5, 10, 64, 100, 1000, 65_535];
/** Ports that dests of NAT may have beside the service's. */
const DEST_PORTS = [8080, 8081, 8082];

/** A random world of up to four services; `isPlain`: without persistence, and whose packets are connections each. */
export function denseWorld(
  random: Random,
  protocols: readonly Protocol[],
  sysctl: Readonly<Record<string, number>>,
  isPlain = false,
): World {
  const families: Family[] = random.of([[4], [6], [4, 6]] as Family[][]);
  const services = new Map<string, ServiceWorld>();
  for (let left = 1 + random.below(4); left > 0; left--) {
    const [family, protocol] = [random.of(families), random.of(protocols)];
    const base = { family, protocol, vip: random.of(HOSTS[family].vips), port: random.of(PORTS[protocol]) };
    services.set(keyOf(base), { ...base, dests: poolOf(random, family, base.port) });
  }
  const rules = [...services.values()].flatMap((service) => [
    denseServiceRule(random, service, '-A', isPlain),
    ...service.dests.filter(() => !random.once(3)).map((dest) => denseDestRule(random, service, '-a', dest)),
  ]);
  const mtu = { cli: 1500, srv: 1500 };
  return {
    network: networkOf(families, mtu, random.once(2)),
    setup: [
      ...Object.entries(sysctl).map(
        ([name, value]): Change => ({ kind: 'sysctl', text: `net/ipv4/vs/${name}=${value}` }),
      ),
      ...[...families.map(lasting), ...rules].map((text): Change => ({ kind: 'command', text })),
    ],
    families,
    hasDefault: false,
    zeroWeights: true,
    greChecksum: false,
    services: [...services.values()],
    mtu,
    busy: [...services.values()].some(({ protocol }) => protocol === 'sctp') ? BUSY_SCTP : BUSY,
  };
}

/** Dests that a service may ever have. */
function poolOf(random: Random, family: Family, port: number): DestWorld[] {
  const pool = new Map<string, DestWorld>();
  for (let left = 1 + random.below(9); left > 0; left--) {
    const method = random.of<Method>(['nat', 'nat', 'dr', 'tun']);
    const of = method === 'tun' && random.once(3) ? (family === 4 ? 6 : 4) : family;
    const address = random.of(HOSTS[of].servers.slice(0, GOOD_SERVERS));
    const dest = { address, port: method === 'nat' ? random.of([port, ...DEST_PORTS]) : port, method };
    pool.set(`${address} ${dest.port}`, dest);
  }
  return [...pool.values()];
}

function denseServiceRule(random: Random, service: ServiceWorld, what: '-A' | '-E', isPlain: boolean): string {
  const scheduler = random.of(SCHEDULERS);
  const flags = flagsOf(scheduler).filter(() => random.once(2));
  const words = [`ipvsadm ${what} ${keyOf(service)} -s ${scheduler}`];
  if (flags.length > 0) words.push(`-b ${flags.join(',')}`);
  if (isPlain) return words.join(' ');
  if (random.once(4)) {
    words.push(`-p ${random.of([60, 300, 3600])}`);
    if (random.once(2)) words.push(`-M ${service.family === 4 ? random.of(['255.255.255.0', '255.255.0.0']) : 64}`);
  }
  if (service.protocol === 'udp' && random.once(4)) words.push('-o');
  return words.join(' ');
}

function denseDestRule(random: Random, service: ServiceWorld, what: '-a' | '-e', dest: DestWorld): string {
  const end = endpoint(dest.address, dest.port);
  const words = [`ipvsadm ${what} ${keyOf(service)} -r ${end} ${methodOption(dest.method, random)}`];
  words.push(`-w ${random.of(WEIGHTS)}`);
  if (!random.once(5)) return words.join(' ');
  const upper = 3 + random.below(80);
  words.push(`-x ${upper}`);
  if (random.once(2)) words.push(`-y ${1 + random.below(upper)}`);
  return words.join(' ');
}

/** A command that changes a service or one of its dests; the kernel may refuse it. */
export function denseRuleChange(random: Random, service: ServiceWorld, isPlain = false): string {
  if (random.once(8)) return denseServiceRule(random, service, '-E', isPlain);
  const dest = random.of(service.dests);
  if (random.once(4)) return deleteDestRule(service, dest);
  return denseDestRule(random, service, random.of(['-a', '-e', '-e']), dest);
}
