/**
 * Options that hold a port and an address: type, length, port, address; TOA and UOA are written alike.
 *
 * @module
 */
import { formatAddress } from '../address.js';

/** An address that was found, and what holds it. */
export interface Found {
  readonly family: 4 | 6;
  readonly address: string;
  readonly port: number;
  readonly start: number;
  readonly length: number;
}

const END = 0;
const NOP = 1;
/** Bytes before the address: type, length, port. */
const HEAD = 4;

/** The first option of one of these types that is as long as one with an address is; up to the first malformed one. */
export function addressOption(
  frame: Uint8Array,
  from: number,
  to: number,
  types: readonly number[],
): Found | undefined {
  for (let at = from; at < to; ) {
    const type = frame[at]!;
    if (type === END) return undefined;
    if (type === NOP) {
      at++;
      continue;
    }
    const length = at + 1 < to ? frame[at + 1]! : 0;
    if (length < 2 || at + length > to) return undefined;
    if (types.includes(type)) {
      // 253 means IPv6 alone.
      if (length === HEAD + 4 && type !== 253) return found(frame, at, length, 4);
      if (length === HEAD + 16) return found(frame, at, length, 6);
    }
    at += length;
  }
  return undefined;
}

function found(frame: Uint8Array, start: number, length: number, family: 4 | 6): Found {
  const address = formatAddress(frame.subarray(start + HEAD, start + length));
  return { family, address, port: (frame[start + 2]! << 8) | frame[start + 3]!, start, length };
}
