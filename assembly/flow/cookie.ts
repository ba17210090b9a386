/**
 * SYN cookies: what has to be known of a client's SYN, in the number of its answer, which the client's acknowledgment brings
 * back. Whoever did not see the answer has to guess it. docs/synproxy.md has the rules.
 *
 *   31             11 10   9 8              0
 *   ├────────────────┼──────┼───────────────┤
 *   │ tag            │ slot │ data          │  slot and data are masked
 *
 * @module
 */
import { hashWords } from '../conn/hash';
import { now } from '../superblock';
import { NO_SCALE } from '../wire/offer';

/** Milliseconds of a period are 1 << PERIOD_SHIFT. */
const PERIOD_SHIFT: u64 = 16;
const DATA_BITS: u32 = 9;
const SLOT_BITS: u32 = 2;
/** Bits below the tag. */
const LOW_BITS: u32 = DATA_BITS + SLOT_BITS;
const LOW: u32 = (1 << LOW_BITS) - 1;

/** What a hash is for. */
const MASK: u64 = 1;
const TAG: u64 = 2;
const STAMP: u64 = 3;
/** Bytes of a hash's message. */
const LENGTH: u64 = 20;

/** The segment sizes that a cookie can tell, in ascending order. */
const SIZES0: u64 = 64 | (536 << 16) | (1220 << 32) | (1360 << 48);
const SIZES4: u64 = 1440 | (1452 << 16) | (1460 << 32) | (8960 << 48);

/** No cookie. */
export const NOT_VALID: u32 = 0xffffffff;

/** `tuple` is the hash of the client's tuple that the index has, so that a message is 20 bytes for either family. */
function hash(tuple: u64, number: u32, period: u32, data: u32, purpose: u64): u32 {
  const second = <u64>number | ((<u64>period) << 32);
  return <u32>hashWords(tuple, second, <u64>data | (purpose << 16) | (LENGTH << 56));
}

function tagOf(tuple: u64, number: u32, period: u32, data: u32): u32 {
  return hash(tuple, number, period, data, TAG) << LOW_BITS;
}

/** The period that it is. */
function period(): u32 {
  return <u32>(now() >> PERIOD_SHIFT);
}

/** The cookie that answers a SYN with that number. */
export function makeCookie(tuple: u64, number: u32, data: u32): u32 {
  const at = period();
  const low = data | ((at & 3) << DATA_BITS);
  return tagOf(tuple, number, at, data) | ((low ^ hash(tuple, number, 0, 0, MASK)) & LOW);
}

/** The data of a cookie of this period or the one before, NOT_VALID for anything else. */
export function readCookie(tuple: u64, number: u32, cookie: u32): u32 {
  const low = (cookie ^ hash(tuple, number, 0, 0, MASK)) & LOW;
  const data = low & ((1 << DATA_BITS) - 1);
  const age = (period() - (low >> DATA_BITS)) & 3;
  if (age > 1) return NOT_VALID;
  return tagOf(tuple, number, period() - age, data) == (cookie & ~LOW) ? data : NOT_VALID;
}

/** What the director's timestamps for that client are ahead of its clock. */
export function stampOffset(tuple: u64): u32 {
  return hash(tuple, 0, 0, 0, STAMP);
}

/** The data: the client's segment size, rounded down, and what of its offers was accepted. */
export function dataOf(mss: u32, scale: u32, sack: bool, stamped: bool): u32 {
  let size: u32 = 7;
  while (size != 0 && sizeAt(size) > mss) size--;
  return size | (scale << 3) | ((<u32>sack) << 7) | ((<u32>stamped) << 8);
}

function sizeAt(index: u32): u32 {
  return <u32>((index < 4 ? SIZES0 : SIZES4) >> ((<u64>index & 3) << 4)) & 0xffff;
}

/** Of data: the client's segment size. */
export function sizeIn(data: u32): u32 {
  return sizeAt(data & 7);
}

/** The client's window scale, or NO_SCALE. */
export function scaleIn(data: u32): u32 {
  return (data >> 3) & NO_SCALE;
}

export function hasSackIn(data: u32): bool {
  return (data & (1 << 7)) != 0;
}

export function isStampedIn(data: u32): bool {
  return (data & (1 << 8)) != 0;
}
