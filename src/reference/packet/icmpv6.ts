/**
 * ICMPv6 messages (RFC 4443).
 *
 * @module
 */
import type { Address } from './address.js';
import { checksumIsRight, concatenate, internetChecksum, pseudoHeader } from './checksum.js';
import { type IcmpMessage, parseIcmp } from './icmp.js';
import { NEXT_HEADER } from './ipv6.js';

/** Types that matter here. */
export const ICMPV6_TYPE = {
  destinationUnreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
} as const;

/** Takes a message apart: its header is laid out as ICMP's. @throws RangeError below 8 bytes. */
export function parseIcmpv6(bytes: Uint8Array): IcmpMessage {
  return parseIcmp(bytes);
}

/** Puts a message together with a checksum from scratch (RFC 4443 §2.3). */
export function serialiseIcmpv6(
  message: Omit<IcmpMessage, 'checksum'>,
  source: Address,
  destination: Address,
): Uint8Array {
  const header = new Uint8Array(8);
  header[0] = message.type;
  header[1] = message.code;
  const view = new DataView(header.buffer);
  view.setUint32(4, message.rest);
  const length = header.length + message.payload.length;
  const pseudo = pseudoHeader(source, destination, NEXT_HEADER.icmpv6, length);
  view.setUint16(2, internetChecksum(concatenate(pseudo, header, message.payload)));
  return concatenate(header, message.payload);
}

/** Whether the checksum of a message between these addresses is right. */
export function icmpv6ChecksumIsRight(bytes: Uint8Array, source: Address, destination: Address): boolean {
  return checksumIsRight(concatenate(pseudoHeader(source, destination, NEXT_HEADER.icmpv6, bytes.length), bytes));
}

/** Whether a type reports an error: the highest bit is clear (RFC 4443 §2.1). */
export function isIcmpv6Error(type: number): boolean {
  return type < 128;
}
