/**
 * A service behind a SYN proxy, its client and its server, a segment at a time.
 *
 * @module
 */
import type { Director, Outcome } from '../../src/director.js';
import type { DirectorOptions } from '../../src/director-options.js';
import type { ServiceSettings } from '../../src/types.js';
import type { Binary } from '../support/core.js';
import {
  CLIENT,
  CLIENT6,
  fromClient,
  fromServer,
  judged,
  lab,
  onV6,
  SERVERS,
  SERVERS6,
  TCP_KEY,
  VIP,
  VIP6,
} from '../support/lab.js';
import { ACK, hex, ip, ip6, join, SYN } from '../support/packets.js';
import { build, type Options, parse, type Segment } from './segments.js';

export const OFFER: Options = { mss: 1460, sackPermitted: true, stamps: [1000, 0], scale: 9 };
export const ISN = 0x1000_0000;
export const SERVER_ISN = 0xffff_fff0;

export interface Ends {
  client: string;
  vip: string;
  server: string;
  /** By FullNAT, with this local address. */
  local?: string;
}
export const V4: Ends = { client: CLIENT, vip: VIP, server: SERVERS[0] };
export const V6: Ends = { client: CLIENT6, vip: VIP6, server: SERVERS6[0] };
/** The same by FullNAT: from the director's own addresses. */
export const FULL4: Ends = { ...V4, local: '10.1.0.1' };
export const FULL6: Ends = { ...V6, local: 'fd00:1::1' };
/** By NAT64. */
export const NAT64: Ends = { ...FULL4, client: CLIENT6, vip: VIP6 };
export const ENDS = [
  ['IPv4', V4],
  ['IPv6', V6],
] as const;

/** A director with one server, by NAT or FullNAT, behind the proxy; `words` of its service. */
export function proxy(
  { vip, server, local }: Ends,
  options: DirectorOptions & { binary?: Binary } = {},
  words: ServiceSettings = {},
): Director {
  const key = vip === VIP ? TCP_KEY : onV6(TCP_KEY);
  const method = local === undefined ? 'nat' : 'fullnat';
  const settings = { synproxy: true, ...(local !== undefined && { localAddresses: [local] }), ...words };
  return lab([{ address: server, port: 8080, method }], options, settings, [key]);
}

const EMPTY = new Uint8Array(0);

export type Words = Partial<Omit<Segment, 'source' | 'destination'>>;

/** A client's packet. */
export function ofClient({ client, vip }: Ends, words: Words, pad = 0): Uint8Array {
  const usual = { sport: 40_000, dport: 80, seq: ISN, ack: 0, flags: SYN, window: 64_240, options: {}, payload: EMPTY };
  return fromClient(build({ ...usual, ...words, source: client, destination: vip }, pad));
}

/** A server's packet. */
export function ofServer({ client, server, local = client }: Ends, words: Words, pad = 0): Uint8Array {
  const usual = { sport: 8080, dport: 40_000, seq: SERVER_ISN, ack: ISN + 1, flags: SYN | ACK, window: 29_200 };
  return fromServer(
    build({ ...usual, options: {}, payload: EMPTY, ...words, source: server, destination: local }, pad),
  );
}

export const isV6 = (address: string): boolean => address.includes(':');
const bytesOf = (address: string): Uint8Array => (isV6(address) ? ip6(address) : u32(ip(address)));
export const u32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >> 16, value >> 8, value);
const PORTS = hex('9c400050');

/** How a service names clients. */
export type Way = Pick<ServiceSettings, 'carry' | 'profile'>;

/** What names the client to a server by FullNAT: TOA, and what stands in front of its data. */
export function toldOf({ carry, profile }: Way, { client, vip }: Ends): { toa: Uint8Array; prefix: Uint8Array } {
  const none = { toa: EMPTY, prefix: EMPTY };
  const v6 = isV6(client);
  if (carry === undefined) return none;
  if (carry === 'toa') {
    const address = bytesOf(client);
    const kind = v6 && profile === 'alibaba' ? 253 : 254;
    return { ...none, toa: join(Uint8Array.of(kind, 4 + address.length), PORTS.subarray(0, 2), address) };
  }
  if (carry === 'proxy-v1') {
    const line = `PROXY TCP${v6 ? 6 : 4} ${client} ${vip} 40000 80\r\n`;
    return { ...none, prefix: new TextEncoder().encode(line) };
  }
  const ends = join(bytesOf(client), bytesOf(vip), PORTS);
  const front = join(hex('0d0a0d0a000d0a515549540a21'), Uint8Array.of(v6 ? 33 : 17, 0, ends.length));
  return { ...none, prefix: join(front, ends) };
}

/** What of outcomes left: its interface and its segment. */
export function left(outcomes: readonly Outcome[]): (Segment & { out: string })[] {
  return outcomes
    .filter(({ verdict }) => verdict === 'forward')
    .map(({ frame, outInterface }) => ({ out: outInterface!, ...parse(frame.subarray(14)) }));
}

/** Opens a connection up to where its server is asked; the cookie. */
export function ask(director: Director, ends: Ends, now: number, offer = OFFER, words: Words = {}): number {
  const [answer] = left(director.send(ofClient(ends, { options: offer }), 'cli', now));
  const cookie = answer!.seq;
  director.send(ofClient(ends, acknowledge(cookie, offer, words)), 'cli', now);
  return cookie;
}

/** The words of the client's answer to a cookie. */
export function acknowledge(cookie: number, offer = OFFER, words: Words = {}): Words {
  const options: Options = offer.stamps === undefined ? {} : { stamps: [offer.stamps[0] + 5, 7] };
  return { seq: ISN + 1, ack: (cookie + 1) >>> 0, flags: ACK, window: 502, options, ...words };
}

/** Opens a connection; the cookie. */
export function open(
  director: Director,
  ends: Ends,
  now: number,
  offer = OFFER,
  theirs: Options = { ...OFFER, stamps: [900, 1005] },
): number {
  const cookie = ask(director, ends, now, offer);
  const told = judged(director.send(ofServer(ends, { options: theirs }), 'srv', now));
  if (told.join() !== 'forward syn-proxy-ack,forward syn-proxy-ack') throw new Error(told.join());
  return cookie;
}
