/**
 * Packets inside GRE (RFC 2784) and GUE (draft-ietf-intarea-gue, version 0, variant 0).
 *
 * @module
 */
import { checksum, join, type PacketWords, packet, type TransportWords, udp } from './packets.js';

const isV6 = (inner: Uint8Array): boolean => (inner[0] as number) >> 4 === 6;

/** A packet in IP. */
export function ipInIp(words: PacketWords, inner: Uint8Array): Uint8Array {
  return packet(words, isV6(inner) ? 41 : 4, inner);
}

export interface GreWords extends PacketWords {
  /** `right` or `wrong`: there is one. */
  sum?: 'right' | 'wrong';
}

/** A packet in GRE. */
export function gre(words: GreWords, inner: Uint8Array): Uint8Array {
  const type = isV6(inner) ? [0x86, 0xdd] : [8, 0];
  if (words.sum === undefined) return packet(words, 47, join(Uint8Array.of(0, 0, ...type), inner));
  const whole = join(Uint8Array.of(0x80, 0, ...type, 0, 0, 0, 0), inner);
  const sum = checksum(whole) ^ (words.sum === 'wrong' ? 1 : 0);
  whole.set([sum >> 8, sum & 255], 4);
  return packet(words, 47, whole);
}

/** A packet in GUE over UDP; its UDP checksum is right, or what `words` say. */
export function gue(
  words: Omit<TransportWords, 'payload'>,
  inner: Uint8Array,
  options: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const header = Uint8Array.of(options.length / 4, isV6(inner) ? 41 : 4, 0, 0);
  if (options.length > 0) header[3] = 1;
  return udp({ ...words, payload: join(header, options, inner) });
}
