/**
 * GRE as RFC 2784 has it: a protocol type, and a checksum if the C bit is set. Keys and sequence numbers (RFC 2890) are
 * passed over, source routes (RFC 1701) refused.
 *
 * @module
 */
import { checksumIsRight, concatenate, internetChecksum } from './checksum.js';

/** Bytes of the header without and with checksum. */
export const GRE_LENGTH = { nocsum: 4, csum: 8 } as const;

const CHECKSUM_PRESENT = 0x8000;

/** A key, a sequence number: four bytes each, behind the checksum. */
const FIELDS_PRESENT = [0x2000, 0x1000];

/** A source route, or another version: what follows is not known. */
const REFUSED = 0x4007;

/** Bits before the version, which Linux reads as a part of it behind an IPv4 header. */
const RESERVED4 = 0x0078;

/** A GRE packet taken apart. */
export interface GrePacket {
  hasChecksum: boolean;
  /** EtherType of the payload. */
  protocolType: number;
  payload: Uint8Array;
}

/** Why a packet does not come out of GRE. */
export type GreFault = 'tunnel-malformed' | 'tunnel-checksum';

/** Takes a packet apart; its checksum, if it has one, must be right. `outerFamily`: what IP header is in front of it. */
export function parseGre(bytes: Uint8Array, outerFamily: 4 | 6 = 6): GrePacket | GreFault {
  if (bytes.length < GRE_LENGTH.nocsum) return 'tunnel-malformed';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const refused = outerFamily === 4 ? REFUSED | RESERVED4 : REFUSED;
  if ((view.getUint16(0) & refused) !== 0) return 'tunnel-malformed';
  const hasChecksum = (view.getUint16(0) & CHECKSUM_PRESENT) !== 0;
  const fields = FIELDS_PRESENT.filter((bit) => (view.getUint16(0) & bit) !== 0).length;
  const length = (hasChecksum ? GRE_LENGTH.csum : GRE_LENGTH.nocsum) + fields * 4;
  if (bytes.length < length) return 'tunnel-malformed';
  if (hasChecksum && !checksumIsRight(bytes)) return 'tunnel-checksum';
  return { hasChecksum, protocolType: view.getUint16(2), payload: bytes.slice(length) };
}

/**
 * Puts a packet together.
 *
 * @param summed what the checksum takes the payload for, where that is still to be finished
 * @param zero how a checksum of 0 is written
 */
export function serialiseGre(packet: GrePacket, summed = packet.payload, zero: 0 | 0xffff = 0): Uint8Array {
  const header = new Uint8Array(packet.hasChecksum ? GRE_LENGTH.csum : GRE_LENGTH.nocsum);
  const view = new DataView(header.buffer);
  view.setUint16(2, packet.protocolType);
  if (packet.hasChecksum) {
    view.setUint16(0, CHECKSUM_PRESENT);
    view.setUint16(4, internetChecksum(concatenate(header, summed)) || zero);
  }
  return concatenate(header, packet.payload);
}
