/**
 * A service and its picks: bare IP on both sides, so that any client and any server can be reached.
 *
 * @module
 */
import type { Director } from '../../src/director.js';
import type { DestConfig, SchedulerFlag, SchedulerName, ServiceKey } from '../../src/types.js';
import { type Binary, createDirector, memoryFor, SMALL_PLAN } from '../support/core.js';
import { dotted, ip, SYN, tcp } from '../support/packets.js';

export const KEY = { protocol: 'tcp', address: '10.0.0.100', port: 80 } as const;
export const MARK = 7;
export const MARK_KEY = { fwmark: MARK } as const;

const NETWORK = {
  interfaces: [
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.1/24', '10.0.0.100/32'] },
    { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/16'] },
  ],
  routes: [{ dst: 'default', dev: 'cli' }],
} as const;

const memories = new Map<Binary, WebAssembly.Memory>();

/** A director with one service without dests. The next one takes its memory. */
export function service(
  binary: Binary,
  scheduler: SchedulerName,
  flags: readonly SchedulerFlag[] = [],
  { key = KEY, seed = 1n }: { key?: ServiceKey; seed?: bigint } = {},
): Director {
  const memory = memories.get(binary) ?? memoryFor(binary, 28);
  memories.set(binary, memory);
  const plan = { ...SMALL_PLAN, connections: 1024, dests: 300, schedulerBytes: 600_000 };
  const director = createDirector(binary, { memory, plan, network: NETWORK, seed });
  director.addService({ ...key, scheduler, flags });
  return director;
}

/** Dest number n. */
export function dest(n: number, config: Partial<DestConfig> = {}): DestConfig {
  return { address: dotted(ip('10.1.0.0') + 256 + n), method: 'dr', ...config };
}

/** Adds dests 0, 1, 2, … with these weights. */
export function addDests(director: Director, weights: readonly number[]): void {
  for (const [n, weight] of weights.entries()) director.addDest(KEY, dest(n, { weight }));
}

/** Number of the dest that a new connection goes to; the reason when it goes nowhere. */
export function pick(director: Director, client: string, port = 1000, now = 0): number | string {
  const packet = tcp({ source: client, destination: KEY.address, sport: port, dport: KEY.port, flags: SYN });
  const [outcome] = director.send(packet, 'cli', now);
  if (outcome?.connection === undefined) return outcome?.reason ?? 'nothing';
  return ip(outcome.connection.destAddress) - ip('10.1.0.0') - 256;
}

/** Picks for `count` clients, each with one new connection. */
export function picks(director: Director, count: number, from = 0, now = 0): (number | string)[] {
  return Array.from({ length: count }, (_, i) => pick(director, dotted(ip('192.0.2.0') + from + i), 1000, now));
}
