/**
 * A director with FullNAT in both families, and what its ends send.
 *
 * @module
 */
import { Director, type DirectorOptions, type Outcome } from '../../src/director.js';
import type { NetworkConfig, ServiceConfig } from '../../src/types.js';
import { createDirector, moduleOf, SMALL_PLAN } from './core.js';
import { ACK, checksum, ip6, pseudoHeader, SYN, type TransportWords, tcp, udp } from './packets.js';
import { sctp } from './sctp.js';

export const FAMILIES = [4, 6] as const;
export type Family = (typeof FAMILIES)[number];

export interface Ends {
  readonly client: string;
  readonly vip: string;
  readonly server: string;
  readonly local: string;
  readonly second: string;
  readonly router: string;
}

export const ENDS: Readonly<Record<Family, Ends>> = {
  4: {
    ...{ client: '10.0.0.2', vip: '10.0.0.100', server: '10.1.0.11' },
    ...{ local: '10.1.0.1', second: '10.1.0.2', router: '10.1.0.254' },
  },
  6: {
    ...{ client: 'fd00::2', vip: 'fd00::100', server: 'fd00:1::11' },
    ...{ local: 'fd00:1::1', second: 'fd00:1::2', router: 'fd00:1::fe' },
  },
};

export const NOW = 1_700_000_000_000;
export const CPORT = 40_001;
/** Of the service, and of its server. */
export const [VPORT, DPORT] = [80, 8080];

/** Interfaces without link headers, so that frames are packets. */
export const FULLNAT_NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.1/24', '10.0.0.100/32', 'fd00::1/64', 'fd00::100/128'] },
    { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/24', '10.1.0.2/24', 'fd00:1::1/64', 'fd00:1::2/64'] },
  ],
  routes: [
    { dst: '10.9.0.0/16', dev: 'cli', gateway: '10.0.0.9' },
    { dst: 'fd00:9::/32', dev: 'cli', gateway: 'fd00::9' },
  ],
};

export const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export const keyOf = (family: Family, protocol: Protocol = 'tcp') =>
  ({ protocol, address: ENDS[family].vip, port: VPORT }) as const;

export const PLAN = { ...SMALL_PLAN, extensions: 64, localAddresses: 4 };

/** A service of each of these families and protocols, with one server; `settings` of them all. */
export function fullNat(
  settings: Partial<ServiceConfig> = {},
  options: DirectorOptions = {},
  protocols: readonly Protocol[] = PROTOCOLS,
  families: readonly Family[] = FAMILIES,
): Director {
  const plan = { ...PLAN, ...options.plan };
  const made = createDirector('release', { network: FULLNAT_NETWORK, ...options, plan });
  for (const family of families) {
    const { server, local } = ENDS[family];
    for (const protocol of protocols) {
      const key = keyOf(family, protocol);
      made.addService({ ...key, scheduler: 'rr', localAddresses: [local], ...settings } as ServiceConfig);
      made.addDest(key, { address: server, port: DPORT, method: 'fullnat' });
    }
  }
  return made;
}

/** Another director of its snapshot. */
export const restored = (from: Director, options = {}): Director =>
  Director.restoreSync(from.snapshot(), { wasm: moduleOf('release'), ...options });

export type Says = Partial<TransportWords> & { protocol?: Protocol };

function packetOf({ protocol = 'tcp', ...words }: Says & Pick<TransportWords, 'source' | 'destination'>): Uint8Array {
  const all = { sport: CPORT, dport: VPORT, ...words };
  if (protocol === 'sctp') return sctp({ ...all, chunks: [1], payload: new Uint8Array(0) });
  return protocol === 'tcp' ? tcp(all) : udp(all);
}

/** A packet of the client's. */
export const request = (family: Family, says: Says = {}): Uint8Array =>
  packetOf({ source: ENDS[family].client, destination: ENDS[family].vip, ...says });

/** A packet of the server's, to port `port` of the local address. */
export const answer = (family: Family, port: number, says: Says = {}): Uint8Array =>
  packetOf({
    ...{ source: ENDS[family].server, destination: ENDS[family].local, sport: DPORT, dport: port, flags: SYN | ACK },
    ...says,
  });

export function send(to: Director, packet: Uint8Array, wire: 'cli' | 'srv', now = NOW): Outcome {
  return to.send(packet, wire, now)[0] as Outcome;
}

/** Ends, numbers and TTL of a packet; `isRight`: its checksums are. */
export function read(packet: Uint8Array) {
  const family: Family = packet[0]! >> 4 === 6 ? 6 : 4;
  const [at, size, l4] = family === 6 ? [8, 16, 40] : [12, 4, (packet[0]! & 15) * 4];
  const address = (from: number) => {
    const bytes = packet.subarray(from, from + size);
    const known = Object.values(ENDS[family]).find((text) => String(bytesOf(text)) === String(bytes));
    return known ?? bytes.join('.');
  };
  const view = new DataView(packet.buffer, packet.byteOffset);
  const protocol = packet[family === 6 ? 6 : 9]!;
  const [source, destination] = [address(at), address(at + size)];
  const segment = packet.subarray(l4);
  const covered = Uint8Array.from([...pseudoHeader({ source, destination }, protocol, segment.length), ...segment]);
  const isRight = (family === 6 || checksum(packet.subarray(0, l4)) === 0) && checksum(covered) === 0;
  return {
    ...{ source, sport: view.getUint16(l4), destination, dport: view.getUint16(l4 + 2) },
    ...(protocol === 6 && { seq: view.getUint32(l4 + 4), ack: view.getUint32(l4 + 8) }),
    ttl: packet[family === 6 ? 7 : 8]!,
    ...{ options: protocol === 6 ? segment.slice(20, (segment[12]! >> 4) * 4) : new Uint8Array(0), isRight },
  };
}

function bytesOf(address: string): Uint8Array {
  return address.includes(':') ? ip6(address) : Uint8Array.from(address.split('.'), Number);
}

/** The local port of the only connection. */
export const portOf = (director: Director, now = NOW): number => director.connections(now)[0]!.localPort!;
