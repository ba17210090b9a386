/**
 * Addresses as text and as numbers: IPv4 (RFC 791), prefixes (RFC 4632) and MACs (IEEE 802).
 *
 * Parsing is strict: four decimal octets without leading zeros (`010` is 8 for some parsers and 10 for others), no
 * blanks, no short forms. An IPv4 address as a number is in **host order**, `10.0.0.1` = 0x0a000001, so that numbers
 * sort and mask as one expects; {@link memoryOrder} turns it into what a little-endian load of the four wire bytes
 * gives, and back. IPv6 is only recognised, so that callers can pass over it.
 *
 * @module
 */
const IPV4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
const GROUP = /^[0-9a-f]{1,4}$/i;
const ZONE = /^[-0-9a-z.:_]+$/i;
const PREFIX_LENGTH = /^(0|[1-9]\d{0,2})$/;

/** An IPv4 prefix. The bits behind `length` are kept as given: `10.0.0.1/24` is an address with its network. */
export interface Prefix {
  /** Host order, 0..2^32-1. */
  readonly address: number;
  /** Bits of the network, 0..32. */
  readonly length: number;
}

/**
 * The number of an IPv4 address, host order.
 *
 * @throws TypeError when not given a string; RangeError when the text is not a strict dotted quad.
 */
export function parseIPv4(text: string): number {
  const address = quad(asText(text, 'an IPv4 address'));
  if (address === undefined) throw new RangeError(`expected an IPv4 address such as 10.0.0.1, got ${quote(text)}`);
  return address;
}

/**
 * The dotted quad of an address in host order.
 *
 * @throws TypeError when not given a number; RangeError outside 0..2^32-1.
 */
export function formatIPv4(address: number): string {
  assertU32(address);
  return `${address >>> 24}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}`;
}

/** The four bytes of an IPv4 address as they stand on the wire. Errors as {@link parseIPv4}. */
export function ipv4Bytes(text: string): Uint8Array {
  const address = parseIPv4(text);
  return Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address);
}

/**
 * The dotted quad of the four bytes at `offset`.
 *
 * @throws TypeError when not given bytes; RangeError when fewer than four bytes are there.
 */
export function formatIPv4Bytes(bytes: Uint8Array, offset = 0): string {
  assertRoom(bytes, offset, 4);
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
}

/**
 * Swaps an address between host order and what a little-endian 32-bit load of its wire bytes gives.
 *
 * @throws TypeError when not given a number; RangeError outside 0..2^32-1.
 */
export function memoryOrder(address: number): number {
  assertU32(address);
  const swapped = (address << 24) | ((address & 0xff00) << 8) | ((address >>> 8) & 0xff00) | (address >>> 24);
  return swapped >>> 0;
}

/** Whether `text` is a strict dotted quad. */
export function isIPv4(text: string): boolean {
  return quad(text) !== undefined;
}

/** Whether `text` is an IPv6 address (RFC 4291 §2.2, also with a zone), without brackets. */
export function isIPv6(text: string): boolean {
  const percent = text.indexOf('%');
  if (percent >= 0) return ZONE.test(text.slice(percent + 1)) && isIPv6(text.slice(0, percent));
  const colon = text.lastIndexOf(':') + 1;
  // A quad at the end stands for two groups.
  if (text.includes('.')) return isIPv4(text.slice(colon)) && isIPv6(`${text.slice(0, colon)}0:0`);
  const gap = text.indexOf('::');
  if (gap < 0) return groupCount(text) === 8;
  const before = gap === 0 ? 0 : groupCount(text.slice(0, gap));
  const after = gap === text.length - 2 ? 0 : groupCount(text.slice(gap + 2));
  return before + after < 8;
}

/** How many groups of up to four hex digits, or NaN. */
function groupCount(text: string): number {
  const groups = text.split(':');
  return groups.every((group) => GROUP.test(group)) ? groups.length : Number.NaN;
}

/** Whether `text` is an IPv6 address or an IPv6 prefix (`fd00::/64`). */
export function isIPv6Prefix(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash < 0) return isIPv6(text);
  const length = text.slice(slash + 1);
  return isIPv6(text.slice(0, slash)) && PREFIX_LENGTH.test(length) && Number(length) <= 128;
}

/**
 * Reads `10.0.0.0/24`, a bare address (`/32`), or `default` (`0.0.0.0/0`).
 *
 * @throws TypeError when not given a string; RangeError when the text is none of these or the length is above 32.
 */
export function parsePrefix(text: string): Prefix {
  if (asText(text, 'an IPv4 prefix') === 'default') return { address: 0, length: 0 };
  const slash = text.indexOf('/');
  const address = quad(slash < 0 ? text : text.slice(0, slash));
  const length = slash < 0 ? '32' : text.slice(slash + 1);
  if (address === undefined || !PREFIX_LENGTH.test(length)) {
    throw new RangeError(`expected an IPv4 prefix such as 10.0.0.0/24, an address or default, got ${quote(text)}`);
  }
  if (Number(length) > 32) throw new RangeError(`expected a prefix length of 0 to 32, got ${quote(text)}`);
  return { address, length: Number(length) };
}

/** `10.0.0.0/24`: always with its length. Errors as {@link formatIPv4} and {@link prefixMask}. */
export function formatPrefix(prefix: Prefix): string {
  prefixMask(prefix.length);
  return `${formatIPv4(prefix.address)}/${prefix.length}`;
}

/**
 * The network mask of a prefix length, host order.
 *
 * @throws RangeError outside 0..32.
 */
export function prefixMask(length: number): number {
  if (!Number.isInteger(length) || length < 0 || length > 32) {
    throw new RangeError(`expected a prefix length of 0 to 32, got ${length}`);
  }
  // A shift by 32 is a shift by 0, so that /0 needs its own answer.
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/**
 * The six bytes of a MAC, `02:00:00:00:00:01`, in either case.
 *
 * @throws TypeError when not given a string; RangeError when the text is not six two-digit groups.
 */
export function parseMac(text: string): Uint8Array {
  if (!MAC.test(asText(text, 'a MAC'))) {
    throw new RangeError(`expected a MAC such as 02:00:00:00:00:01, got ${quote(text)}`);
  }
  return Uint8Array.from(text.split(':'), (group) => Number.parseInt(group, 16));
}

/**
 * The text of the six bytes at `offset`, lower case.
 *
 * @throws TypeError when not given bytes; RangeError when fewer than six bytes are there.
 */
export function formatMac(bytes: Uint8Array, offset = 0): string {
  assertRoom(bytes, offset, 6);
  return Array.from(bytes.subarray(offset, offset + 6), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function quad(text: string): number | undefined {
  const match = IPV4.exec(text);
  if (match === null) return undefined;
  let address = 0;
  for (let group = 1; group <= 4; group++) {
    const octet = Number(match[group]);
    if (octet > 255) return undefined;
    address = address * 256 + octet;
  }
  return address;
}

function quote(text: string): string {
  return JSON.stringify(text);
}

function asText(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`expected ${what} as a string, got ${value === null ? 'null' : typeof value}`);
}

function assertU32(value: number): void {
  if (typeof value !== 'number') throw new TypeError(`expected an address as a number, got ${typeof value}`);
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new RangeError(`expected an address of 0 to 4294967295, got ${value}`);
  }
}

function assertRoom(bytes: Uint8Array, offset: number, length: number): void {
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`expected a Uint8Array, got ${typeof bytes}`);
  if (!Number.isInteger(offset) || offset < 0 || offset + length > bytes.length) {
    throw new RangeError(`expected ${length} bytes at offset ${offset}, got length=${bytes.length}`);
  }
}
