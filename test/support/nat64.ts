/**
 * A director between clients of IPv6 and servers of IPv4, and packets as either end has them.
 *
 * @module
 */
import type { Director, DirectorOptions, Outcome } from '../../src/director.js';
import type { NetworkConfig, ServiceConfig } from '../../src/types.js';
import { createDirector } from './core.js';
import { CPORT, DPORT, NOW, PLAN, type Protocol, type Says, VPORT } from './fullnat.js';
import { type TransportWords, tcp, udp } from './packets.js';
import { sctp } from './sctp.js';

export const [CLIENT, VIP, ROUTER6] = ['fd00::2', 'fd00::100', 'fd00::9'];
export const [SERVER, LOCAL, SECOND, ROUTER] = ['10.1.0.11', '10.1.0.1', '10.1.0.2', '10.1.0.254'];
export const LPORT = 1024;

/** Interfaces without link headers, so that frames are packets, by MTU. */
export const network64 = (cli = 1500, srv = 1500): NetworkConfig => ({
  interfaces: [
    { name: 'cli', kind: 'raw', mtu: cli, addresses: ['fd00::1/64', 'fd00::100/128'] },
    { name: 'srv', kind: 'raw', mtu: srv, addresses: ['10.1.0.1/24', '10.1.0.2/24', 'fd00:1::1/64'] },
  ],
});

export const keyOf64 = (protocol: Protocol = 'tcp') => ({ protocol, address: VIP, port: VPORT }) as const;
export const DEST64 = { address: SERVER, port: DPORT, method: 'fullnat' } as const;

/** A service of each of these protocols, with one server; `settings` of them all. */
export function nat64(
  settings: Partial<ServiceConfig> = {},
  options: DirectorOptions = {},
  protocols: readonly Protocol[] = ['tcp', 'udp', 'sctp'],
): Director {
  const made = createDirector('release', { network: network64(), ...options, plan: { ...PLAN, ...options.plan } });
  for (const protocol of protocols) {
    // What tells servers their clients is of one protocol.
    made.addService({ ...keyOf64(protocol), scheduler: 'rr', localAddresses: [LOCAL], ...settings } as ServiceConfig);
    made.addDest(keyOf64(protocol), DEST64);
  }
  return made;
}

export type Words64 = Omit<Says, 'source' | 'destination'> & Partial<TransportWords>;

function build({ protocol = 'tcp', ...words }: Words64 & TransportWords): Uint8Array {
  if (protocol === 'sctp') return sctp({ ...words, chunks: [1], payload: words.payload ?? new Uint8Array(0) });
  return protocol === 'tcp' ? tcp(words) : udp(words);
}

/** What the client sends, and that as the server gets it. */
export const fromClient = (words: Words64 = {}): Uint8Array =>
  build({ source: CLIENT, destination: VIP, sport: CPORT, dport: VPORT, ...words });
export const atServer = (words: Words64 = {}): Uint8Array =>
  build({ source: LOCAL, destination: SERVER, sport: LPORT, dport: DPORT, ...words });

/** What the server sends, and that as the client gets it. */
export const fromServer = (words: Words64 = {}): Uint8Array =>
  build({ source: SERVER, destination: LOCAL, sport: DPORT, dport: LPORT, ...words });
export const atClient = (words: Words64 = {}): Uint8Array =>
  build({ source: VIP, destination: CLIENT, sport: VPORT, dport: CPORT, ...words });

export const sendAll = (to: Director, packet: Uint8Array, wire: 'cli' | 'srv', now = NOW): Outcome[] =>
  to.send(packet, wire, now);
export const send64 = (to: Director, packet: Uint8Array, wire: 'cli' | 'srv', now = NOW): Outcome =>
  sendAll(to, packet, wire, now)[0] as Outcome;

/** Identification of an IPv4 packet. */
export const idOf = (packet: Uint8Array): number => new DataView(packet.buffer, packet.byteOffset).getUint16(4);
/** Number and acknowledgment of a TCP segment behind a plain header. */
export function numbersOf(packet: Uint8Array): { seq: number; ack: number } {
  const view = new DataView(packet.buffer, packet.byteOffset + (packet[0]! >> 4 === 6 ? 40 : 20));
  return { seq: view.getUint32(4), ack: view.getUint32(8) };
}

/** Opens the only connection; what is added to the client's numbers. */
export function opened(director: Director, words: Words64 = {}): number {
  const { frame } = send64(director, fromClient(words), 'cli');
  return words.protocol === undefined || words.protocol === 'tcp' ? numbersOf(frame).seq - 1000 : 0;
}
