/**
 * ICMP messages (RFC 792).
 *
 * @module
 */
import { concatenate, internetChecksum } from './checksum.js';

/** Bytes of the header. */
export const ICMP_LENGTH = 8;

/** Types that matter here. */
export const ICMP_TYPE = {
  destinationUnreachable: 3,
  sourceQuench: 4,
  redirect: 5,
  timeExceeded: 11,
  parameterProblem: 12,
} as const;

/** Address mask reply (RFC 950). */
const LAST_KNOWN = 18;

/** An ICMP message taken apart. */
export interface IcmpMessage {
  type: number;
  code: number;
  checksum: number;
  /** The second word: identifier and sequence number, or unused and next-hop MTU (RFC 1191 §4). */
  rest: number;
  payload: Uint8Array;
}

/** Takes a message apart. @throws RangeError below 8 bytes. */
export function parseIcmp(bytes: Uint8Array): IcmpMessage {
  if (bytes.length < ICMP_LENGTH) throw new RangeError(`ICMP needs 8 bytes, got ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    type: view.getUint8(0),
    code: view.getUint8(1),
    checksum: view.getUint16(2),
    rest: view.getUint32(4),
    payload: bytes.slice(ICMP_LENGTH),
  };
}

/** Puts a message together with a checksum from scratch. */
export function serialiseIcmp(message: Omit<IcmpMessage, 'checksum'>): Uint8Array {
  const header = new Uint8Array(ICMP_LENGTH);
  header[0] = message.type;
  header[1] = message.code;
  const view = new DataView(header.buffer);
  view.setUint32(4, message.rest);
  view.setUint16(2, internetChecksum(concatenate(header, message.payload)));
  return concatenate(header, message.payload);
}

/** Whether a type reports an error, about which no further error may be sent (RFC 1122 §3.2.2). */
export function isIcmpError(type: number): boolean {
  // Types that nobody knew when RFC 1122 was written may be errors.
  if (type > LAST_KNOWN) return true;
  return [
    ICMP_TYPE.destinationUnreachable,
    ICMP_TYPE.sourceQuench,
    ICMP_TYPE.redirect,
    ICMP_TYPE.timeExceeded,
    ICMP_TYPE.parameterProblem,
  ].some((error) => error === type);
}
