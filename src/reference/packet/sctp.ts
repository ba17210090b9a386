/**
 * SCTP packets (RFC 9260 §3).
 *
 * @module
 */
import { concatenate } from './checksum.js';

/** Bytes of the common header. */
export const SCTP_LENGTH = 12;

/** An SCTP packet taken apart. */
export interface SctpPacket {
  sourcePort: number;
  destinationPort: number;
  verificationTag: number;
  /** CRC32c; on the wire its lowest byte comes first (RFC 9260 appendix A). */
  checksum: number;
  /** Chunks. */
  payload: Uint8Array;
}

/** A chunk as its header tells it. */
export interface SctpChunk {
  /** INIT is 1, ABORT 6, … (RFC 9260 §3.2). */
  type: number;
  flags: number;
  /** Bytes, header included, padding not. */
  length: number;
}

/** Takes a packet apart. @throws RangeError below 12 bytes. */
export function parseSctp(bytes: Uint8Array): SctpPacket {
  if (bytes.length < SCTP_LENGTH) throw new RangeError(`SCTP needs 12 bytes, got ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    verificationTag: view.getUint32(4),
    checksum: view.getUint32(8, true),
    payload: bytes.slice(SCTP_LENGTH),
  };
}

/** Puts a packet together, with a checksum from scratch or the one given. */
export function serialiseSctp(packet: SctpPacket, checksum = rightChecksum(packet)): Uint8Array {
  const header = new Uint8Array(SCTP_LENGTH);
  const view = new DataView(header.buffer);
  view.setUint16(0, packet.sourcePort);
  view.setUint16(2, packet.destinationPort);
  view.setUint32(4, packet.verificationTag);
  view.setUint32(8, checksum, true);
  return concatenate(header, packet.payload);
}

/** The CRC32c over the packet with a checksum of zero (RFC 9260 §6.8). */
function rightChecksum(packet: SctpPacket): number {
  return crc32c(serialiseSctp(packet, 0));
}

/**
 * The headers of the chunks one after the other, each padded to 4 bytes, up to where the packet ends or a length is less
 * than a header's 4 bytes. The last chunk may claim more than is there.
 */
export function sctpChunks(payload: Uint8Array): SctpChunk[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const chunks: SctpChunk[] = [];
  for (let at = 0; at + 4 <= payload.length; ) {
    const chunk = { type: view.getUint8(at), flags: view.getUint8(at + 1), length: view.getUint16(at + 2) };
    chunks.push(chunk);
    if (chunk.length < 4) break;
    at += Math.ceil(chunk.length / 4) * 4;
  }
  return chunks;
}

/** CRC32c (RFC 9260 appendix A): the reflected polynomial 0x1edc6f41, bit by bit. */
export function crc32c(bytes: Uint8Array): number {
  let remainder = 0xffffffff;
  for (const byte of bytes) {
    remainder ^= byte;
    for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ ((remainder & 1) === 0 ? 0 : 0x82f63b78);
  }
  return ~remainder >>> 0;
}
