/**
 * UOA: the client's port and address beside a datagram, as an option of IPv4 or in a header of its own, as DPVS has it.
 *
 * @module
 */
import { concatenate } from '../packet/checksum.js';
import { type IpPacket, isIpv6 } from '../packet/ip.js';
import type { Ipv4Packet } from '../packet/ipv4.js';
import { UPPER, upperLayer, withProtocol, withUpperLayer } from '../upper.js';

/** The option's type. */
export const UOA_TYPE = 31;

/** Bytes of the header in front of UDP, without the option. */
const HEAD_LENGTH = 4;

const LONGEST_OPTIONS = 40;
const [END, NO_OPERATION] = [0, 1];

/** The packet with the option behind those that it has; `undefined` when there is no room. */
export function withUoaOption(packet: Ipv4Packet, option: Uint8Array): Ipv4Packet | undefined {
  if (packet.options.length + option.length > LONGEST_OPTIONS) return undefined;
  return { ...packet, options: concatenate(withoutEnd(packet.options), option) };
}

/** Behind an end nobody looks for more. */
function withoutEnd(options: Uint8Array): Uint8Array {
  const open = options.slice();
  for (let at = 0; at < open.length; ) {
    if (open[at] === END) open.fill(NO_OPERATION, at);
    at += open[at] === NO_OPERATION ? 1 : Math.max(2, open[at + 1] ?? 0);
  }
  return open;
}

/** The packet with a header that has the option between IP and UDP. */
export function withUoaHeader(packet: IpPacket, option: Uint8Array): IpPacket {
  const version = isIpv6(packet) ? 2 : 1;
  const head = Uint8Array.of(version << 4, UPPER.udp, 0, HEAD_LENGTH + option.length);
  const datagram = upperLayer(packet)!.bytes;
  return withProtocol(withUpperLayer(packet, concatenate(head, option, datagram)), UPPER.option);
}
