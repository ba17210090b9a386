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

/** The packet with the option in front of those that it has; `undefined` when there is no room. */
export function withUoaOption(packet: Ipv4Packet, option: Uint8Array): Ipv4Packet | undefined {
  if (packet.options.length + option.length > LONGEST_OPTIONS) return undefined;
  return { ...packet, options: concatenate(option, packet.options) };
}

/** The packet with no operation where a client names itself in an option of IPv4. */
export function withoutUoa(packet: IpPacket): IpPacket {
  if (isIpv6(packet)) return packet;
  const options = packet.options.slice();
  for (let at = 0; at < options.length && options[at] !== END; ) {
    const length = options[at] === NO_OPERATION ? 1 : (options[at + 1] ?? 0);
    if (options[at] !== NO_OPERATION && (length < 2 || at + length > options.length)) break;
    if (options[at] === UOA_TYPE) options.fill(NO_OPERATION, at, at + length);
    at += length;
  }
  return { ...packet, options };
}

/** The packet with a header that has the option between IP and UDP. */
export function withUoaHeader(packet: IpPacket, option: Uint8Array): IpPacket {
  const version = isIpv6(packet) ? 2 : 1;
  const head = Uint8Array.of(version << 4, UPPER.udp, 0, HEAD_LENGTH + option.length);
  const datagram = upperLayer(packet)!.bytes;
  return withProtocol(withUpperLayer(packet, concatenate(head, option, datagram)), UPPER.option);
}
