/**
 * The UDP source port of GUE: the same for all packets of a flow, so that networks keep them in order (RFC 7510 §3.1.1).
 *
 * @module
 */

import { addressBytes } from './packet/address.js';
import { residue } from './packet/checksum.js';
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
  const parts = [addressBytes(packet.source), addressBytes(packet.destination), Uint8Array.from(ports)];
  return FIRST + (parts.reduce((hash, part) => (hash * 31 + residue(part)) % COUNT, upper?.protocol ?? 0) % COUNT);
}
