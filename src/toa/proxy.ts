/**
 * The PROXY protocol in front of a segment's or datagram's data, versions 1 and 2.
 *
 * @module
 */
import { addressBytes, familyOf, formatAddress } from '../address.js';
import type { CarriedClient } from './client.js';

/** `\r\n\r\n\0\r\nQUIT\n` */
const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
/** A line of version 1 with its end: at most so long. */
const LONGEST_LINE = 107;
const PROXY_V2 = 0x21;

/** The source that a PROXY header names; none in those of the balancer's own connections (LOCAL, UNKNOWN). */
export function proxyHeader(frame: Uint8Array, start: number, end: number): CarriedClient | undefined {
  return binary(frame, start, end) ?? text(frame, start, end);
}

function binary(frame: Uint8Array, start: number, end: number): CarriedClient | undefined {
  const head = start + 16;
  if (head > end || SIGNATURE.some((byte, i) => frame[start + i] !== byte)) return undefined;
  if (frame[start + 12] !== PROXY_V2) return undefined;
  const length = 16 + ((frame[start + 14]! << 8) | frame[start + 15]!);
  const family = frame[start + 13]! >> 4 === 1 ? 4 : frame[start + 13]! >> 4 === 2 ? 6 : undefined;
  if (family === undefined) return undefined;
  const size = family === 4 ? 4 : 16;
  const port = head + 2 * size;
  // What follows ports are TLVs, which may lie in a later segment.
  if (port + 4 > Math.min(end, start + length)) return undefined;
  const address = formatAddress(frame.subarray(head, head + size));
  return { carrier: 'proxy-v2', family, address, port: (frame[port]! << 8) | frame[port + 1]!, start, length };
}

const LINE = /^PROXY TCP([46]) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r\n/;

function text(frame: Uint8Array, start: number, end: number): CarriedClient | undefined {
  if (frame[start] !== 0x50 || start + 8 > end) return undefined;
  const line = LINE.exec(String.fromCharCode(...frame.subarray(start, Math.min(end, start + LONGEST_LINE))));
  if (line === null) return undefined;
  const [{ length }, version, source = '', , digits] = line;
  const port = Number(digits);
  if (port > 0xffff || familyOf(source) !== Number(version)) return undefined;
  const { family, bytes } = addressBytes(source);
  return { carrier: 'proxy-v1', family, address: formatAddress(bytes), port, start, length };
}
