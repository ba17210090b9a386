/**
 * What a network card does with a frame whose transport checksum is only begun. The core leaves nothing to cards.
 *
 * @module
 */
import { finishChecksum, parseIp, partialChecksumOf } from '../../src/reference/index.js';
import { join } from '../support/packets.js';

const GRE = 47;
const UDP = 17;

/** The frame with the checksum finished; its IP header is at `at`, and perhaps that of a tunnel. */
export function finishedFrame(frame: Uint8Array, at: number, isTunnelled: boolean): Uint8Array {
  const inner = isTunnelled ? at + tunnelLength(frame.subarray(at)) : at;
  const packet = frame.slice(inner);
  const partial = partialChecksumOf(parseIp(packet));
  return partial === undefined ? frame : join(frame.subarray(0, inner), finishChecksum(packet, partial));
}

/** Bytes in front of the inner packet. */
function tunnelLength(outer: Uint8Array): number {
  const v6 = (outer[0] ?? 0) >> 4 === 6;
  const header = v6 ? 40 : 20;
  const protocol = outer[v6 ? 6 : 9];
  // A GRE header with a checksum, a GUE header with options.
  if (protocol === GRE) return header + ((outer[header] ?? 0) === 0 ? 4 : 8);
  return protocol === UDP ? header + 12 + ((outer[header + 8] ?? 0) & 0x1f) * 4 : header;
}
