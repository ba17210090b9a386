/**
 * SCTP packets (RFC 9260).
 *
 * @module
 */
import { join, type PacketWords, packet } from './packets.js';

export const DATA = 0;
export const INIT = 1;
export const INIT_ACK = 2;
export const ABORT = 6;
export const COOKIE_ECHO = 10;
export const COOKIE_ACK = 11;

/** CRC32c (RFC 9260 appendix A), bit by bit. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

export interface SctpWords extends PacketWords {
  sport: number;
  dport: number;
  /** Types of the chunks; each carries `payload`. */
  chunks?: readonly number[];
  payload?: Uint8Array;
}

/** A packet with an SCTP one in it; its CRC32c is right. */
export function sctp(words: SctpWords): Uint8Array {
  const { chunks = [INIT], payload = new Uint8Array(16) } = words;
  const header = new Uint8Array(12);
  const view = new DataView(header.buffer);
  view.setUint16(0, words.sport);
  view.setUint16(2, words.dport);
  const padding = new Uint8Array((4 - (payload.length % 4)) % 4);
  const length = payload.length + 4;
  const bodies = chunks.map((type) => join(Uint8Array.of(type, 0, length >> 8, length & 255), payload, padding));
  const whole = join(header, ...bodies);
  new DataView(whole.buffer).setUint32(8, crc32c(whole), true);
  return packet(words, 132, whole);
}
