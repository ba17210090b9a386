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

/** A port of the local range for the flow that `packet` belongs to. */
export function flowPort(packet: IpPacket): number {
  const upper = upperLayer(packet);
  const hasPorts = upper !== undefined && !upper.isLaterFragment && transportName(upper.protocol) !== undefined;
  const ports = hasPorts ? upper.bytes.subarray(0, 4) : [];
  const bytes = [...addressBytes(packet.source), ...addressBytes(packet.destination), ...ports];
  return FIRST + bytes.reduce((hash, byte) => (hash * 31 + byte) % COUNT, upper?.protocol ?? 0);
}
