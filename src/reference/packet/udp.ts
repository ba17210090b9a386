/**
 * UDP datagrams (RFC 768).
 *
 * @module
 */
import { concatenate } from './checksum.js';

/** Bytes of the header. */
export const UDP_LENGTH = 8;

/** A UDP datagram taken apart. */
export interface UdpDatagram {
  sourcePort: number;
  destinationPort: number;
  /** The length field as it stands; a director believes the IP header instead. */
  length: number;
  /** 0: the sender made none. */
  checksum: number;
  payload: Uint8Array;
}

/** Takes a datagram apart. @throws RangeError below 8 bytes. */
export function parseUdp(bytes: Uint8Array): UdpDatagram {
  if (bytes.length < UDP_LENGTH) throw new RangeError(`UDP needs 8 bytes, got ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    length: view.getUint16(4),
    checksum: view.getUint16(6),
    payload: bytes.slice(UDP_LENGTH),
  };
}

/** Puts a datagram together; length and checksum are those in the object. */
export function serialiseUdp(datagram: UdpDatagram): Uint8Array {
  const header = new Uint8Array(UDP_LENGTH);
  const view = new DataView(header.buffer);
  view.setUint16(0, datagram.sourcePort);
  view.setUint16(2, datagram.destinationPort);
  view.setUint16(4, datagram.length);
  view.setUint16(6, datagram.checksum);
  return concatenate(header, datagram.payload);
}
