/**
 * Many clients of a few services that share their servers: so that lists, caches and the index have something in them when
 * a director is restored.
 *
 * @module
 */
import fc from 'fast-check';
import { flagsOf, SCHEDULER_NAMES } from '../../src/schedulers.js';
import type { NetworkConfig, SchedulerName, ServiceConfig, ServiceKey } from '../../src/types.js';
import type { Binary } from '../support/core.js';
import { ACK, FIN, RST, SYN, tcp } from '../support/packets.js';
import { Choices, type Drawn, drawn } from './families/choices.js';
import { PLANS, Restored } from './restored.js';

export const MARK = 7;
/** Bare IP on both sides: any client and any server can be reached. */
export const NETWORK: NetworkConfig = {
  interfaces: [
    {
      name: 'cli',
      kind: 'raw',
      addresses: ['10.0.0.1/24', '10.0.0.100/32', '10.0.0.101/32', 'fd00::1/64', 'fd00::100/128'],
    },
    { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/16', 'fd00:1::1/64'] },
  ],
  routes: ['10.0.0.254', 'fd00::fe'].map((gateway) => ({ dst: 'default', dev: 'cli', gateway })),
};
const SYSCTL = { expire_nodest_conn: 0, conn_reuse_mode: 1, lblc_expiration: 100, lblcr_expiration: 100 };

const V4 = ['10.0.0.100', '10.0.0.101'] as const;
export const KEYS: readonly ServiceKey[] = [
  { protocol: 'tcp', address: V4[0], port: 80 },
  { protocol: 'tcp', address: V4[1], port: 80 },
  { protocol: 'tcp', address: 'fd00::100', port: 80 },
  { fwmark: MARK },
  { fwmark: MARK, family: 6 },
];

export interface Crowd {
  readonly start: Drawn;
  readonly steps: readonly Drawn[];
}

export const crowds: fc.Arbitrary<Crowd> = fc.record({
  start: drawn(100),
  steps: fc.noBias(fc.array(drawn(8), { minLength: 1, maxLength: 80, size: 'max' })),
});

/** Lives it. @throws Error that names the first difference */
export function liveInCrowd({ start, steps }: Crowd, binary: Binary): void {
  const choices = new Choices(start);
  const { first, others } = choices.of(PLANS);
  const services = KEYS.map((key) => ({
    service: serviceOf(key, choices),
    dests: [0, 1, 2].slice(choices.below(4)).map((n) => destOf(key, n, choices)),
  }));
  const pair = new Restored({ network: NETWORK, sysctl: SYSCTL, services }, binary, first);
  for (const step of steps) {
    const next = new Choices(step);
    const kind = next.below(20);
    if (kind < 11) client(pair, next);
    else if (kind < 14) server(pair, next);
    else if (kind < 16) control(pair, next);
    else if (kind < 19) pair.pass(next.of([1, 100, 256, 2000, 11_000, 61_000, 400_000, 4_000_000]));
    else pair.restart(next.of(others));
  }
  pair.compare();
}

export const isV6 = (key: ServiceKey): boolean => ('fwmark' in key ? key.family === 6 : key.address.includes(':'));

/** A service with that name; the table of maglev has no room in the smaller plans. */
export function serviceOf(
  key: ServiceKey,
  choices: Choices,
  without: readonly SchedulerName[] = ['maglev'],
): ServiceConfig {
  const scheduler = choices.of(SCHEDULER_NAMES.filter((name) => !without.includes(name)));
  return { ...key, scheduler, flags: flagsOf(scheduler).filter(() => choices.once(2)) };
}

export function destOf(key: ServiceKey, n: number, choices: Choices) {
  return {
    address: isV6(key) ? `fd00:1::${11 + n}` : `10.1.0.${11 + n}`,
    port: 'fwmark' in key ? 0 : 80,
    method: choices.of(['nat', 'nat', 'dr'] as const),
    weight: choices.of([1, 1, 2, 3, 5, 0]),
    upperThreshold: choices.of([0, 0, 0, 3]),
  };
}

const flagsOfSegment = [SYN, SYN, SYN, ACK, ACK, FIN | ACK, RST];

function client(pair: Restored, choices: Choices): void {
  const key = choices.of(KEYS);
  const marked = 'fwmark' in key;
  const n = choices.below(12);
  // A mark's services are at any address: lblc remembers each.
  const destination = marked ? (isV6(key) ? `fd00::${300 + n}` : `10.3.0.${n}`) : key.address;
  const source = isV6(key) ? `fd00::${choices.below(6) + 2}` : `10.0.0.${choices.below(6) + 2}`;
  const ends = { source, destination, sport: choices.of([1000, 1000, 1001, 1002, 0]), dport: 80 };
  const frame = tcp({ ...ends, flags: choices.of(flagsOfSegment) });
  pair.send({ frame, inInterface: 'cli', notes: { mark: marked ? MARK : 0 } });
}

/** Replies of connections, whichever they belong to: services share servers. */
function server(pair: Restored, choices: Choices): void {
  const all = pair.connections().filter(({ method }) => method === 'nat');
  if (all.length === 0) return;
  const { destAddress, destPort, clientAddress, clientPort } = choices.of(all);
  const ends = { source: destAddress, destination: clientAddress, sport: destPort, dport: clientPort };
  pair.send({ frame: tcp({ ...ends, flags: choices.of([SYN | ACK, ACK, ACK, FIN | ACK, RST]) }), inInterface: 'srv' });
}

function control(pair: Restored, choices: Choices): void {
  const key = choices.of(KEYS);
  const dest = destOf(key, choices.below(5), choices);
  const what = choices.of([
    ...(['editService', 'deleteService', 'addService'] as const),
    ...(['deleteDest', 'deleteDest', 'editDest', 'addDest', 'addDest', 'addDest'] as const),
  ]);
  if (what === 'deleteService') pair.both(what, key);
  else if (what === 'deleteDest' || what === 'editDest' || what === 'addDest') pair.both(what, key, dest);
  else pair.both(what, serviceOf(key, choices));
}
