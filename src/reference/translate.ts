/**
 * Network address and port translation of one packet (RFC 3022 §4.1, §4.2), in either direction.
 *
 * @module
 */
import { carryChecksum, concatenate, internetChecksum, pseudoHeader } from './packet/checksum.js';
import { type Ipv4Packet, PROTOCOL } from './packet/ipv4.js';
import { parseTcp, serialiseTcp } from './packet/tcp.js';
import { parseUdp, serialiseUdp } from './packet/udp.js';

/** New addresses and ports; what is left out stays. */
export interface Translation {
  source?: number;
  sourcePort?: number;
  destination?: number;
  destinationPort?: number;
}

/**
 * The packet with other ends. The transport checksum keeps whatever error it had; a UDP datagram without a checksum
 * leaves with a right one, as from Linux.
 *
 * @throws RangeError unless the packet holds a whole TCP or UDP header
 */
export function translate(packet: Ipv4Packet, to: Translation): Ipv4Packet {
  const addressed = {
    ...packet,
    source: to.source ?? packet.source,
    destination: to.destination ?? packet.destination,
  };
  if (packet.protocol === PROTOCOL.tcp) return { ...addressed, payload: translateTcp(packet, addressed, to) };
  if (packet.protocol === PROTOCOL.udp) return { ...addressed, payload: translateUdp(packet, addressed, to) };
  throw new RangeError(`expected TCP or UDP, got protocol ${packet.protocol}`);
}

function translateTcp(before: Ipv4Packet, after: Ipv4Packet, to: Translation): Uint8Array {
  const segment = parseTcp(before.payload);
  const changed = {
    ...segment,
    sourcePort: to.sourcePort ?? segment.sourcePort,
    destinationPort: to.destinationPort ?? segment.destinationPort,
    checksum: 0,
  };
  const checksum = carryChecksum(covered(before), covered({ ...after, payload: serialiseTcp(changed) }));
  return serialiseTcp({ ...changed, checksum });
}

function translateUdp(before: Ipv4Packet, after: Ipv4Packet, to: Translation): Uint8Array {
  const datagram = parseUdp(before.payload);
  const changed = {
    ...datagram,
    sourcePort: to.sourcePort ?? datagram.sourcePort,
    destinationPort: to.destinationPort ?? datagram.destinationPort,
    checksum: 0,
  };
  const bytes = covered({ ...after, payload: serialiseUdp(changed) });
  const checksum = datagram.checksum === 0 ? internetChecksum(bytes) : carryChecksum(covered(before), bytes);
  // RFC 768: a checksum that comes out as zero is sent as all ones.
  return serialiseUdp({ ...changed, checksum: checksum === 0 ? 0xffff : checksum });
}

/** The bytes that a transport checksum covers: the length is that of the IP payload, whatever UDP's own field says. */
function covered(packet: Ipv4Packet): Uint8Array {
  const { source, destination, protocol, payload } = packet;
  return concatenate(pseudoHeader(source, destination, protocol, payload.length), payload);
}
