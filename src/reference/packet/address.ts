/**
 * IPv4, IPv6 and MAC addresses: values and strings.
 *
 * An IPv4 address is a number below 2^32, an IPv6 address a bigint below 2^128: `===` compares either, both key a Map,
 * and `typeof` tells the family, so that one function serves both. Bytes are only made for headers and checksums.
 *
 * @module
 */
import { formatIpv6, parseIpv6Address } from './ipv6-text.js';

/** An address of either family: number is IPv4, bigint is IPv6. */
export type Address = number | bigint;

/** IP version. */
export type Family = 4 | 6;

/** The family that an address belongs to. */
export function familyOf(address: Address): Family {
  return typeof address === 'bigint' ? 6 : 4;
}

/** `10.0.0.1` to 0x0a000001. @throws RangeError when it is not a dotted quad. */
export function parseAddress(text: string): number {
  const parts = text.split('.');
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) {
    throw new RangeError(`expected an IPv4 address, got ${text}`);
  }
  return parts.reduce((address, part) => address * 256 + Number(part), 0);
}

/** An address of either family; a colon makes it IPv6. @throws RangeError when malformed. */
export function parseAnyAddress(text: string): Address {
  return text.includes(':') ? parseIpv6Address(text) : parseAddress(text);
}

/** 0x0a000001 to `10.0.0.1`, 1n to `::1` (RFC 5952). */
export function formatAddress(address: Address): string {
  if (typeof address === 'bigint') return formatIpv6(address);
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
}

/** The 4 or 16 bytes of an address, as they stand in headers. */
export function addressBytes(address: Address): Uint8Array {
  const bytes = new Uint8Array(typeof address === 'bigint' ? 16 : 4);
  let rest = BigInt(address);
  for (let i = bytes.length - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

/** The IPv6 address in the first 16 of `bytes`. */
export function ipv6FromBytes(bytes: Uint8Array): bigint {
  return bytes.subarray(0, 16).reduce((address, byte) => (address << 8n) | BigInt(byte), 0n);
}

/** A block of addresses: `10.0.0.0/24`, `fd00::/64`, or a bare address (length 32 or 128). */
export interface Prefix<A extends Address = number> {
  address: A;
  /** Bits that count: 0..32 or 0..128. */
  length: number;
}

/** Reads a {@link Prefix} of IPv4, or `default` (length 0); host bits are kept. @throws RangeError when malformed. */
export function parsePrefix(text: string): Prefix {
  if (text === 'default') return { address: 0, length: 0 };
  const { address, length } = splitPrefix(text, 32);
  return { address: parseAddress(address), length };
}

/** Reads a {@link Prefix} of IPv6, or `default` (length 0); host bits are kept. @throws RangeError when malformed. */
export function parseIpv6Prefix(text: string): Prefix<bigint> {
  if (text === 'default') return { address: 0n, length: 0 };
  const { address, length } = splitPrefix(text, 128);
  return { address: parseIpv6Address(address), length };
}

function splitPrefix(text: string, longest: number): { address: string; length: number } {
  const [address = '', length, ...more] = text.split('/');
  if (more.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length))) {
    throw new RangeError(`expected a prefix, got ${text}`);
  }
  const bits = length === undefined ? longest : Number(length);
  if (bits > longest) throw new RangeError(`expected a prefix length of 0..${longest}, got ${text}`);
  return { address, length: bits };
}

/** The netmask of an IPv4 prefix length, 0..32. */
export function netmask(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/** Whether `address` lies in `prefix`; never when the families differ. */
export function inPrefix(address: Address, prefix: Prefix<Address>): boolean {
  if (familyOf(address) !== familyOf(prefix.address)) return false;
  const hostBits = BigInt((typeof address === 'bigint' ? 128 : 32) - prefix.length);
  return BigInt(address) >> hostBits === BigInt(prefix.address) >> hostBits;
}

/** 224.0.0.0/4 (RFC 1112 §4), ff00::/8 (RFC 4291 §2.7). */
export function isMulticast(address: Address): boolean {
  return typeof address === 'bigint' ? address >> 120n === 0xffn : address >>> 28 === 0xe;
}

/** 0.0.0.0 or `::`: nobody's address (RFC 4291 §2.5.2). */
export function isUnspecified(address: Address): boolean {
  return BigInt(address) === 0n;
}

/** 127.0.0.0/8 (RFC 1122 §3.2.1.3), `::1` (RFC 4291 §2.5.3). */
export function isLoopback(address: Address): boolean {
  return typeof address === 'bigint' ? address === 1n : address >>> 24 === 127;
}

/** 169.254.0.0/16 (RFC 3927 §2.1), fe80::/10 (RFC 4291 §2.5.6). */
export function isLinkLocal(address: Address): boolean {
  return typeof address === 'bigint' ? address >> 118n === 0x3fan : address >>> 16 === 0xa9fe;
}

/** `::ffff:0:0/96`, IPv4 addresses in the words of IPv6 (RFC 4291 §2.5.5.2): not for the wire. */
export function isIpv4Mapped(address: bigint): boolean {
  return address >> 32n === 0xffffn;
}

/** 255.255.255.255, the limited broadcast (RFC 919 §7). */
export const LIMITED_BROADCAST = 0xffffffff;

/** Whether Linux takes one host to have the address: not zero, multicast or broadcast; what is reserved is like any. */
export function isUnicast(address: Address): boolean {
  if (typeof address === 'bigint') return !isUnspecified(address) && !isMulticast(address) && !isIpv4Mapped(address);
  return address !== 0 && address !== LIMITED_BROADCAST && address >>> 28 !== 0xe;
}

/** Six bytes to `02:00:00:00:00:01`. */
export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** `02:00:00:00:00:01` to six bytes. @throws RangeError when malformed. */
export function parseMac(text: string): Uint8Array {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) throw new RangeError(`expected a MAC address, got ${text}`);
  return Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
}
