/**
 * The tunnels there are, and the packets that go through each of them.
 *
 * @module
 */
import type { Family } from '../../../src/address.js';
import type { TunnelConfig } from '../../../src/types.js';
import { checksum, counting } from '../../support/packets.js';
import { ip, TCP, tcp, transportSum, UDP, udp } from '../generate/bytes.js';

/** A kind of tunnel between two families. */
export interface Combination {
  /** Unique; also a port and the end of an address. */
  readonly number: number;
  readonly outer: Family;
  readonly inner: Family;
  readonly tunnel: Required<Pick<TunnelConfig, 'type' | 'checksum'>>;
}

export const GUE_PORT = 6080;
export const CLIENT = { 4: '10.0.0.2', 6: 'fd00::2' } as const;
export const VIP = { 4: '10.0.0.100', 6: 'fd00::100' } as const;

const KINDS = [
  ['ipip', 'nocsum'],
  ['gre', 'nocsum'],
  ['gre', 'csum'],
  ['gue', 'nocsum'],
  ['gue', 'csum'],
  ['gue', 'remcsum'],
] as const;
const FAMILIES = [4, 6] as const;

export const COMBINATIONS: readonly Combination[] = KINDS.flatMap(([type, sum]) =>
  FAMILIES.flatMap((outer) => FAMILIES.map((inner) => ({ outer, inner, tunnel: { type, checksum: sum } }))),
).map((one, i) => ({ ...one, number: i + 1 }));

export function nameOf({ outer, inner, tunnel: { type, checksum: sum } }: Combination): string {
  return `IPv${inner} in ${type === 'ipip' ? 'IP' : `${type.toUpperCase()} ${sum}`} over IPv${outer}`;
}

/** An IP packet, and how it is given to a director whose network card is to finish its checksum. */
export interface Sample {
  readonly packet: Uint8Array;
  readonly partial: Uint8Array;
}

const LENGTHS = [0, 1, 34, 501, 1200];
/** Every ECN codepoint. */
const TOS = [0x00, 0xb9, 0x02, 0xfb, 0x00];

/** TCP and UDP, of every ECN codepoint. */
export function samples(family: Family, destination: string, port: number): Sample[] {
  const ends = { source: CLIENT[family], destination };
  return LENGTHS.flatMap((length, i) =>
    [TCP, UDP].map((protocol) => {
      const words = { sport: 1000 + i, dport: port, payload: counting(length, i) };
      const body = protocol === TCP ? tcp(ends, { ...words, flags: 0x02 }) : udp(ends, words);
      const header = { ...ends, protocol, ttl: 64, tos: TOS[i] as number, id: 0x1000 + i, df: i % 2 === 0 };
      return { packet: ip(header, body), partial: ip(header, unfinished(ends, protocol, body)) };
    }),
  );
}

/** The segment with the sum of its pseudo header alone. */
function unfinished(ends: { source: string; destination: string }, protocol: number, body: Uint8Array): Uint8Array {
  const at = protocol === TCP ? 16 : 6;
  const copy = body.slice();
  copy.set([0, 0], at);
  // What is complemented twice is there once.
  const whole = 0xffff & ~transportSum(ends.source, ends.destination, protocol, copy);
  const own = 0xffff & ~checksum(copy);
  const pseudo = (whole + 0xffff - own) % 0xffff;
  copy.set([pseudo >> 8, pseudo & 255], at);
  return copy;
}

/** The packet as it is after `hops` routers. */
export function afterHops(packet: Uint8Array, hops: number): Uint8Array {
  const copy = packet.slice();
  if ((copy[0] ?? 0) >> 4 === 6) {
    copy[7] = (copy[7] ?? 0) - hops;
    return copy;
  }
  copy[8] = (copy[8] ?? 0) - hops;
  copy.set([0, 0], 10);
  const sum = checksum(copy.subarray(0, 20));
  copy.set([sum >> 8, sum & 255], 10);
  return copy;
}
