/**
 * SYN cookies (RFC 4987 §3.6): the number of a SYN-ACK, from which its answer tells what was offered.
 *
 * @module
 */
import type { Tuple } from '../connection.js';
import type { Key } from '../fullnat/numbers.js';
import { addressBytes } from '../packet/address.js';
import { concatenate } from '../packet/checksum.js';
import { siphash13 } from '../schedulers/siphash.js';
import { UPPER } from '../upper.js';

/** What a client has offered, and was told in return, as far as a cookie has room for it. */
export interface Agreed {
  mss: number;
  /** Of the client's windows; `undefined`: nobody scales any. */
  scale: number | undefined;
  /** Whether selective acknowledgments are permitted. */
  sack: boolean;
  stamps: boolean;
}

/** Milliseconds. */
const PERIOD = 65_536;

/** Segment sizes, by number. */
const SIZES = [64, 536, 1220, 1360, 1440, 1452, 1460, 8960];

const NO_SCALE = 15;

/** What a hash is for. */
const PURPOSE = { mask: 1, tag: 2, clock: 3 } as const;

/** What of it a cookie has, in bits. */
const DATA_BITS = 9;
const TAG_BITS = 21;

/** The cookie for a client's SYN. */
export function makeCookie(key: Key, tuple: Tuple, isn: number, agreed: Agreed, now: number): number {
  return cookieOf(key, tuple, isn, pack(agreed), periodAt(now));
}

/** What was agreed upon with whoever answers a cookie; `undefined` if it is none, or too old. */
export function readCookie(key: Key, tuple: Tuple, isn: number, cookie: number, now: number): Agreed | undefined {
  const word = (cookie ^ mask(key, tuple, isn)) & 0x7ff;
  const data = word & (2 ** DATA_BITS - 1);
  const current = periodAt(now);
  // Of the two periods that it may be of the one that it names.
  const period = [current, current - 1].find((each) => each >= 0 && each % 4 === word >>> DATA_BITS);
  if (period === undefined || cookieOf(key, tuple, isn, data, period) !== cookie) return undefined;
  return unpack(data);
}

/** The clock of timestamps for a client, in milliseconds modulo 2^32. */
export function clockFor(key: Key, tuple: Tuple, now: number): number {
  const start = hash(key, tuple, 0, 0, 0, PURPOSE.clock);
  return Number(BigInt.asUintN(32, BigInt(Math.floor(now)) + start));
}

/** The largest size that a cookie has a number for. */
export function knownSize(mss: number): number {
  return SIZES.findLast((size) => size <= mss) ?? SIZES[0]!;
}

function periodAt(now: number): number {
  return Math.floor(now / PERIOD);
}

function cookieOf(key: Key, tuple: Tuple, isn: number, data: number, period: number): number {
  const tag = Number(hash(key, tuple, isn, period, data, PURPOSE.tag) & BigInt(2 ** TAG_BITS - 1));
  const word = ((data + (period % 4) * 2 ** DATA_BITS) ^ mask(key, tuple, isn)) & 0x7ff;
  return ((tag << 11) | word) >>> 0;
}

function mask(key: Key, tuple: Tuple, isn: number): number {
  return Number(hash(key, tuple, isn, 0, 0, PURPOSE.mask) & 0x7ffn);
}

function pack({ mss, scale, sack, stamps }: Agreed): number {
  return SIZES.indexOf(knownSize(mss)) | ((scale ?? NO_SCALE) << 3) | (Number(sack) << 7) | (Number(stamps) << 8);
}

function unpack(data: number): Agreed {
  const scale = (data >>> 3) & 15;
  return {
    mss: SIZES[data & 7]!,
    scale: scale === NO_SCALE ? undefined : scale,
    sack: (data & 0x80) !== 0,
    stamps: (data & 0x100) !== 0,
  };
}

function hash(key: Key, tuple: Tuple, isn: number, period: number, data: number, purpose: number): bigint {
  const { source, destination, sourcePort, destinationPort } = tuple;
  const ports = Uint8Array.of(sourcePort >>> 8, sourcePort & 0xff, destinationPort >>> 8, destinationPort & 0xff);
  const ends = concatenate(addressBytes(source), addressBytes(destination), ports, Uint8Array.of(UPPER.tcp));
  const message = new DataView(new ArrayBuffer(20));
  message.setBigUint64(0, siphash13(ends, key), true);
  message.setUint32(8, isn, true);
  message.setUint32(12, period, true);
  message.setUint16(16, data, true);
  message.setUint16(18, purpose, true);
  return siphash13(new Uint8Array(message.buffer), key);
}
