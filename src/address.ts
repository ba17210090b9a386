/**
 * Addresses as text, as numbers and as bytes: IPv4 (RFC 791), IPv6 (RFC 4291), prefixes (RFC 4632) and MACs (IEEE 802).
 *
 * Parsing is strict: four decimal octets without leading zeros (`010` is 8 for some parsers and 10 for others), no
 * blanks, no short forms; IPv6 in any form of RFC 4291 §2.2, but without a zone, which means something on one host only.
 * An IPv4 address as a number is in **host order**, `10.0.0.1` = 0x0a000001, so that numbers sort and mask as one expects;
 * {@link memoryOrder} turns it into what a little-endian load of the four wire bytes gives, and back. Bytes are as they
 * stand on the wire. IPv6 text is written as RFC 5952 wants it.
 *
 * @module
 */
const IPV4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
const GROUP = /^[0-9a-f]{1,4}$/i;
const PREFIX_LENGTH = /^(0|[1-9]\d{0,2})$/;

/** 4 or 6. */
export type Family = 4 | 6;

/** An address as it stands on the wire. */
export interface AddressBytes {
  readonly family: Family;
  /** 4 or 16 of them. */
  readonly bytes: Uint8Array;
}

/** A prefix of either family. The bits behind `length` are kept as given. */
export interface PrefixBytes extends AddressBytes {
  /** Bits of the network, 0..32 or 0..128. */
  readonly length: number;
}

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

/** Whether `text` is an IPv6 address (RFC 4291 §2.2), without brackets and without a zone. */
export function isIPv6(text: string): boolean {
  return groupsOf(text) !== undefined;
}

/**
 * The sixteen bytes of an IPv6 address.
 *
 * @throws TypeError when not given a string; RangeError when the text is not one, and for one with a zone.
 */
export function ipv6Bytes(text: string): Uint8Array {
  const groups = groupsOf(asText(text, 'an IPv6 address'));
  if (groups === undefined) {
    const [address = '', zone] = text.split('%');
    const why = zone !== undefined && isIPv6(address) ? ' (a zone is not handled)' : '';
    throw new RangeError(`expected an IPv6 address such as fd00::1, got ${quote(text)}${why}`);
  }
  return Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 0xff]));
}

/**
 * The text of the sixteen bytes at `offset` as RFC 5952 §4 wants it: lower case, no leading zeros, the first of the
 * longest runs of two or more zero groups as `::`. IPv4-mapped addresses end in a dotted quad (§5).
 *
 * @throws TypeError when not given bytes; RangeError when fewer than sixteen bytes are there.
 */
export function formatIPv6Bytes(bytes: Uint8Array, offset = 0): string {
  assertRoom(bytes, offset, 16);
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 16);
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(i * 2));
  if (groups.slice(0, 6).join() === '0,0,0,0,0,65535') return `::ffff:${formatIPv4Bytes(bytes, offset + 12)}`;
  const { start, length } = longestZeros(groups);
  const words = groups.map((group) => group.toString(16));
  if (length < 2) return words.join(':');
  return `${words.slice(0, start).join(':')}::${words.slice(start + length).join(':')}`;
}

/** The eight groups of an IPv6 address, or `undefined`. */
function groupsOf(text: string): number[] | undefined {
  const colon = text.lastIndexOf(':') + 1;
  if (text.includes('.')) {
    // A quad at the end stands for two groups.
    const address = quad(text.slice(colon));
    if (address === undefined || colon === 0) return undefined;
    return groupsOf(`${text.slice(0, colon)}${(address >>> 16).toString(16)}:${(address & 0xffff).toString(16)}`);
  }
  const gap = text.indexOf('::');
  if (gap < 0) {
    const groups = hexGroups(text);
    return groups?.length === 8 ? groups : undefined;
  }
  const before = hexGroups(text.slice(0, gap));
  const after = hexGroups(text.slice(gap + 2));
  if (before === undefined || after === undefined || before.length + after.length > 7) return undefined;
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** Groups of up to four hex digits with colons between them, or `undefined`. */
function hexGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const groups = text.split(':');
  return groups.every((group) => GROUP.test(group)) ? groups.map((group) => Number.parseInt(group, 16)) : undefined;
}

/** The first of the longest runs of zeros. */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  let run = { start: 0, length: 0 };
  for (const [i, group] of groups.entries()) {
    run = group === 0 ? { start: run.start, length: run.length + 1 } : { start: i + 1, length: 0 };
    if (run.length > longest.length) longest = run;
  }
  return longest;
}

/** Whether `text` is an IPv6 address or an IPv6 prefix (`fd00::/64`). */
export function isIPv6Prefix(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash < 0) return isIPv6(text);
  const length = text.slice(slash + 1);
  return isIPv6(text.slice(0, slash)) && PREFIX_LENGTH.test(length) && Number(length) <= 128;
}

/** The family of an address, or `undefined` when `text` is none. */
export function familyOf(text: string): Family | undefined {
  if (isIPv4(text)) return 4;
  return isIPv6(text) ? 6 : undefined;
}

/**
 * Reads an address of either family; a colon tells that IPv6 is meant.
 *
 * @throws TypeError when not given a string; RangeError when the text is neither.
 */
export function addressBytes(text: string): AddressBytes {
  const ipv4 = quad(asText(text, 'an address'));
  if (ipv4 !== undefined) return { family: 4, bytes: ipv4Bytes(text) };
  if (text.includes(':')) return { family: 6, bytes: ipv6Bytes(text) };
  throw new RangeError(`expected an address such as 10.0.0.1 or fd00::1, got ${quote(text)}`);
}

/**
 * The text of an address: 4 bytes are IPv4, 16 IPv6.
 *
 * @throws TypeError when not given bytes; RangeError for another number of bytes.
 */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return formatIPv4Bytes(bytes);
  assertRoom(bytes, 0, 16);
  if (bytes.length !== 16) throw new RangeError(`expected an address of 4 or 16 bytes, got length=${bytes.length}`);
  return formatIPv6Bytes(bytes);
}

/** Address and port: `10.0.0.1:80`, `[fd00::1]:80` (RFC 5952 §6). The address is taken as it is. */
export function formatEndpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * Reads a prefix of either family: `10.0.0.0/24`, `fd00::/64`, a bare address, or `default`, which is of the `family`
 * given.
 *
 * @throws TypeError when not given a string; RangeError when the text is none of these or the length is too large.
 */
export function prefixBytes(text: string, family: Family = 4): PrefixBytes {
  if (asText(text, 'a prefix') === 'default')
    return { family, bytes: new Uint8Array(family === 4 ? 4 : 16), length: 0 };
  const slash = text.indexOf('/');
  const base = slash < 0 ? text : text.slice(0, slash);
  const found = familyOf(base);
  const bits = found === 4 ? 32 : 128;
  const length = slash < 0 ? String(bits) : text.slice(slash + 1);
  if (found === undefined || !PREFIX_LENGTH.test(length)) {
    throw new RangeError(
      `expected a prefix such as 10.0.0.0/24 or fd00::/64, an address or default, got ${quote(text)}`,
    );
  }
  if (Number(length) > bits) throw new RangeError(`expected a prefix length of 0 to ${bits}, got ${quote(text)}`);
  return { ...addressBytes(base), length: Number(length) };
}

/** `fd00::/64`: always with its length. Errors as {@link formatAddress}. */
export function formatPrefixBytes({ bytes, length }: PrefixBytes): string {
  return `${formatAddress(bytes)}/${length}`;
}

/** Whether bits are set behind the length of a prefix, so that it names a host rather than a network. */
export function hasHostBits({ bytes, length }: PrefixBytes): boolean {
  return bytes.some((byte, i) => {
    const networkBits = Math.min(Math.max(length - i * 8, 0), 8);
    return (byte & (0xff >>> networkBits)) !== 0;
  });
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

/** Whether only the host itself has the address (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3). */
export function isLoopback({ family, bytes }: AddressBytes): boolean {
  return family === 4 ? bytes[0] === 127 : isLoopback6(bytes);
}

/** ::1 */
export function isLoopback6(bytes: Uint8Array): boolean {
  return bytes.every((byte, i) => byte === (i === 15 ? 1 : 0));
}
