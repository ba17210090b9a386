/**
 * IPv4 and MAC addresses: numbers and strings.
 *
 * @module
 */

/** `10.0.0.1` to 0x0a000001. @throws RangeError when it is not a dotted quad. */
export function parseAddress(text: string): number {
  const parts = text.split('.');
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) {
    throw new RangeError(`expected an IPv4 address, got ${text}`);
  }
  return parts.reduce((address, part) => address * 256 + Number(part), 0);
}

/** 0x0a000001 to `10.0.0.1`. */
export function formatAddress(address: number): string {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
}

/** A block of addresses: `10.0.0.0/24`, a bare address (length 32), or `default` (length 0). */
export interface Prefix {
  address: number;
  length: number;
}

/** Reads a {@link Prefix}; host bits are kept. @throws RangeError when malformed. */
export function parsePrefix(text: string): Prefix {
  if (text === 'default') return { address: 0, length: 0 };
  const [address, length] = text.split('/');
  const bits = length === undefined ? 32 : Number(length);
  if (!Number.isInteger(bits) || bits < 0 || bits > 32) {
    throw new RangeError(`expected a prefix length of 0..32, got ${text}`);
  }
  return { address: parseAddress(address!), length: bits };
}

/** The netmask of a prefix length, 0..32. */
export function netmask(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/** Whether `address` lies in `prefix`. */
export function inPrefix(address: number, prefix: Prefix): boolean {
  const mask = netmask(prefix.length);
  return (address & mask) >>> 0 === (prefix.address & mask) >>> 0;
}

/** 224.0.0.0/4 (RFC 1112 §4). */
export function isMulticast(address: number): boolean {
  return address >>> 28 === 0xe;
}

/** 0.0.0.0/8, "this network" (RFC 1122 §3.2.1.3). */
export function isZeroNet(address: number): boolean {
  return address >>> 24 === 0;
}

/** 127.0.0.0/8 (RFC 1122 §3.2.1.3). */
export function isLoopback(address: number): boolean {
  return address >>> 24 === 127;
}

/** 255.255.255.255, the limited broadcast (RFC 919 §7). */
export const LIMITED_BROADCAST = 0xffffffff;

/** Whether one host can have the address: not zero, multicast, reserved or broadcast (RFC 1122 §3.2.1.3). */
export function isUnicast(address: number): boolean {
  return !isZeroNet(address) && address >>> 28 < 0xe;
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
