/**
 * A director with services by SNAT in both families, and what the ends of their connections send and get.
 *
 * @module
 */
import type { Director, DirectorOptions, Outcome, ServiceInfo } from '../../src/director.js';
import type { DestConfig, NetworkConfig, ServiceConfig } from '../../src/types.js';
import { createDirector, SMALL_PLAN } from './core.js';
import { CPORT, FAMILIES, type Family, NOW, type Protocol } from './fullnat.js';
import { ACK, SYN, type TransportWords, tcp, udp } from './packets.js';
import { sctp } from './sctp.js';

/** `inner`: a server inside; `outer`: a host outside, behind `router`; `own`: addresses of the director outside, `inside` that inside. */
export interface Places {
  readonly inner: string;
  readonly outer: string;
  readonly router: string;
  readonly own: readonly [string, string];
  readonly inside: string;
}

export const PLACES: Readonly<Record<Family, Places>> = {
  4: {
    ...{ inner: '10.1.0.11', outer: '198.51.100.9', router: '203.0.113.254', inside: '10.1.0.1' },
    own: ['203.0.113.1', '203.0.113.2'],
  },
  6: {
    ...{ inner: 'fd00:1::11', outer: 'fd00:9::9', router: 'fd00:2::fe', inside: 'fd00:1::1' },
    own: ['fd00:2::1', 'fd00:2::2'],
  },
};

/** Interfaces without link headers, so that frames are packets. */
export const SNAT_NETWORK = {
  interfaces: [
    { name: 'in', kind: 'raw', addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
    { name: 'out', kind: 'raw', addresses: ['203.0.113.1/24', '203.0.113.2/24', 'fd00:2::1/64', 'fd00:2::2/64'] },
  ],
  routes: [
    { dst: 'default', dev: 'out', gateway: '203.0.113.254' },
    { dst: 'fd00:9::/32', dev: 'out', gateway: 'fd00:2::fe' },
  ],
} as const satisfies NetworkConfig;

export const MARK = 7;
/** The port that is asked for outside. */
export const OPORT = 443;

/** Options: an address has two ports. */
export const TWO_PORTS = { localPorts: { first: 5000, last: 5001 } };

export const markOf = (family: Family) => ({ fwmark: MARK, family }) as const;

/** `count` dests by SNAT in a service of each of these families, the newest the second of PLACES' own; `settings` of them all. */
export function snat(
  settings: Partial<ServiceConfig> = {},
  options: DirectorOptions = {},
  families: readonly Family[] = FAMILIES,
  count = 1,
): Director {
  const plan = { ...SMALL_PLAN, extensions: 64, localAddresses: 4, ...options.plan };
  const made = createDirector('release', { network: SNAT_NETWORK, ...options, plan });
  for (const family of families) {
    made.addService({ ...markOf(family), scheduler: 'rr', ...settings } as ServiceConfig);
    for (const address of PLACES[family].own.slice(0, count)) addSnat(made, family, { address });
  }
  return made;
}

/** The service of a family, as it stands. */
export const serviceOf = (of: Director, family: Family): ServiceInfo =>
  of.services().find((one) => one.fwmark === MARK && one.family === family)!;

export function addSnat(to: Director, family: Family, dest: DestConfig): void {
  to.addDest(markOf(family), { method: 'snat', ...dest });
}

export type Says = Partial<TransportWords> & { protocol?: Protocol };

/** A packet of that protocol. */
export function packetOf({
  protocol = 'tcp',
  ...words
}: Says & Pick<TransportWords, 'source' | 'destination' | 'sport' | 'dport'>): Uint8Array {
  if (protocol === 'sctp') {
    const { payload = new Uint8Array(0), flags = SYN } = words;
    // Chunks as the flags of TCP would have them.
    return sctp({ ...words, chunks: [flags === SYN ? 1 : flags === (SYN | ACK) ? 2 : 0], payload });
  }
  return protocol === 'tcp' ? tcp(words) : udp(words);
}

/** What the server inside sends. */
export const fromInner = (family: Family, says: Says = {}): Uint8Array =>
  packetOf({ source: PLACES[family].inner, destination: PLACES[family].outer, sport: CPORT, dport: OPORT, ...says });

/** What the host outside gets of it, from that port of the first own address. */
export const atOuter = (family: Family, sport: number, says: Says = {}): Uint8Array =>
  packetOf({ source: PLACES[family].own[0], destination: PLACES[family].outer, sport, dport: OPORT, ...says });

/** What the host outside sends to that port of the first own address. */
export const fromOuter = (family: Family, dport: number, says: Says = {}): Uint8Array =>
  packetOf({
    ...{ source: PLACES[family].outer, destination: PLACES[family].own[0], sport: OPORT, dport, flags: SYN | ACK },
    ...says,
  });

/** What the server inside gets of it. */
export const atInner = (family: Family, says: Says = {}): Uint8Array =>
  packetOf({
    ...{ source: PLACES[family].outer, destination: PLACES[family].inner, sport: OPORT, dport: CPORT },
    ...{ flags: SYN | ACK, ...says },
  });

/** What comes in at an interface; from the inside with the mark. */
export function sendAll(to: Director, packet: Uint8Array, wire: 'in' | 'out', now = NOW): Outcome[] {
  return to.send(packet, wire, now, wire === 'in' ? { mark: MARK } : {});
}

export const send = (to: Director, packet: Uint8Array, wire: 'in' | 'out', now = NOW): Outcome =>
  sendAll(to, packet, wire, now)[0] as Outcome;

/** Opens a connection; `delta`: what is added to its client's numbers. */
export function opened(to: Director, family: Family, says: Says = {}): { port: number; delta: number } {
  const { reason, frame, connection } = send(to, fromInner(family, says), 'in');
  if (reason !== 'snat-in' || connection === undefined) throw new Error(`expected snat-in, got ${reason}`);
  const at = (family === 4 ? 20 : 40) + 4;
  const number = new DataView(frame.buffer, frame.byteOffset).getUint32(at);
  return { port: connection.localPort!, delta: (number - (says.seq ?? 1000)) >>> 0 };
}
