/**
 * The UDP source port of GUE: the same for all packets of a flow, so that networks keep them in order (RFC 7510 §3.1.1).
 *
 * @module
 */

import { addressBytes } from './packet/address.js';
import type { IpPacket } from './packet/ip.js';
import { transportName } from './ports.js';
import { upperLayer } from './upper.js';

/** The ports that Linux gives to clients (`ip_local_port_range`). */
const FIRST = 32_768;
const COUNT = 28_232;

const [ESP, AH] = [50, 51];

/** A port of the local range for the flow that `packet` belongs to. */
export function flowPort(packet: IpPacket): number {
  const upper = upperLayer(packet);
  const at = upper === undefined || upper.isLaterFragment ? undefined : keyOffset(upper.protocol);
  const key = upper === undefined || at === undefined ? [] : upper.bytes.subarray(at, at + 4);
  const bytes = [...addressBytes(packet.source), ...addressBytes(packet.destination), ...key];
  return FIRST + bytes.reduce((hash, byte) => (hash * 31 + byte) % COUNT, upper?.protocol ?? 0);
}

/** Where the four bytes are by which flows between two addresses differ: ports, or the SPI of AH (RFC 4302) or ESP (RFC 4303). */
function keyOffset(protocol: number): number | undefined {
  if (protocol === AH) return 4;
  return protocol === ESP || transportName(protocol) !== undefined ? 0 : undefined;
}
