/**
 * TCP segments (RFC 9293 §3.1).
 *
 * @module
 */
import { concatenate } from './checksum.js';

/** Bytes of the fixed header. */
export const TCP_LENGTH = 20;

/** Control bits that matter here. */
export const TCP_FLAG = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10, urg: 0x20 } as const;

/** Whether a control bit is set. */
export function hasFlag({ flags }: Pick<TcpSegment, 'flags'>, name: keyof typeof TCP_FLAG): boolean {
  return (flags & TCP_FLAG[name]) !== 0;
}

/** A TCP segment taken apart. The options are left with the data: a director looks at neither, mostly. */
export interface TcpSegment {
  sourcePort: number;
  destinationPort: number;
  sequence: number;
  acknowledgment: number;
  /** Data offset (4 bits, in words, not validated) and the 4 reserved bits. */
  offsetAndReserved: number;
  /** The 8 control bits. */
  flags: number;
  window: number;
  checksum: number;
  urgentPointer: number;
  /** Options and data. */
  rest: Uint8Array;
}

/** Takes a segment apart. @throws RangeError below 20 bytes. */
export function parseTcp(bytes: Uint8Array): TcpSegment {
  if (bytes.length < TCP_LENGTH) throw new RangeError(`TCP needs 20 bytes, got ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledgment: view.getUint32(8),
    offsetAndReserved: view.getUint8(12),
    flags: view.getUint8(13),
    window: view.getUint16(14),
    checksum: view.getUint16(16),
    urgentPointer: view.getUint16(18),
    rest: bytes.slice(TCP_LENGTH),
  };
}

/** Puts a segment together; the checksum is the one in the object. */
export function serialiseTcp(segment: TcpSegment): Uint8Array {
  const header = new Uint8Array(TCP_LENGTH);
  const view = new DataView(header.buffer);
  view.setUint16(0, segment.sourcePort);
  view.setUint16(2, segment.destinationPort);
  view.setUint32(4, segment.sequence);
  view.setUint32(8, segment.acknowledgment);
  view.setUint8(12, segment.offsetAndReserved);
  view.setUint8(13, segment.flags);
  view.setUint16(14, segment.window);
  view.setUint16(16, segment.checksum);
  view.setUint16(18, segment.urgentPointer);
  return concatenate(header, segment.rest);
}
