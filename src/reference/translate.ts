/**
 * Network address and port translation of one packet (RFC 3022 §4.1, §4.2), in either direction, for both families.
 *
 * @module
 */
import { carryChecksum, concatenate, internetChecksum, pseudoHeader, residue } from './packet/checksum.js';
import type { IpPacket } from './packet/ip.js';
import type { Unfinished } from './packet/partial.js';
import { parseSctp, serialiseSctp } from './packet/sctp.js';
import { parseTcp, serialiseTcp } from './packet/tcp.js';
import { parseUdp, serialiseUdp } from './packet/udp.js';
import { readMessage, withIdentifier } from './queries.js';
import { type Ends, UPPER, type UpperLayer, upperLayer, withEnds, withUpperLayer } from './upper.js';

/** New addresses and ports; what is left out stays. */
export interface Translation extends Ends {
  sourcePort?: number;
  destinationPort?: number;
}

/** A segment between two addresses, as checksums see it. */
interface Segment {
  ends: IpPacket;
  protocol: number;
  bytes: Uint8Array;
}

/**
 * The packet with other ends. The transport checksum keeps whatever error it had; a UDP datagram without a checksum
 * leaves with a right one, and so does an SCTP packet whose port changes, as from Linux. Of a query of ICMP, or a reply, the
 * identifier is the port of who asks; other messages get addresses alone.
 *
 * @param isPartial the transport checksum is only begun, and stays so: it covers no ports yet
 * @throws RangeError when the header of TCP, UDP or SCTP is cut short
 */
export function translate(packet: IpPacket, to: Translation, isPartial = false): IpPacket {
  return translateInto(packet, withEnds(packet, to), to, isPartial);
}

/** The same, into a packet that has its addresses already, perhaps of the other family. */
export function translateInto<P extends IpPacket>(
  packet: IpPacket,
  addressed: P,
  to: Translation,
  isPartial: boolean,
): P {
  const upper = upperLayer(packet);
  if (upper === undefined) return addressed;
  const { protocol, bytes } = upper;
  const before = { ends: packet, protocol, bytes };
  const put = (changed: Uint8Array): P => withUpperLayer(addressed, changed);
  if (protocol === UPPER.tcp) return put(translateTcp(before, addressed, to, isPartial));
  if (protocol === UPPER.udp) return put(translateUdp(before, addressed, to, isPartial));
  if (protocol === UPPER.sctp) return put(translateSctp(bytes, to, isPartial));
  const message = readMessage(packet, protocol, bytes);
  const identifier = message === 'query' ? to.sourcePort : to.destinationPort;
  if (message !== undefined && identifier !== undefined) {
    return put(withIdentifier(bytes, identifier, packet, addressed, isPartial));
  }
  return addressed;
}

/**
 * What is left to be finished of a packet that was translated: checksums of SCTP and of errors are computed anew, those behind
 * UOA finished.
 */
export function unfinishedAfter(packet: IpPacket, unfinished: Unfinished): Unfinished {
  const upper = upperLayer(packet);
  if (isQuery(packet, upper)) return isBegun(packet, unfinished) && unfinished;
  const isNew = ([UPPER.sctp, UPPER.icmp, UPPER.icmpv6, UPPER.option] as number[]).includes(upper?.protocol ?? 0);
  return isNew ? false : unfinished;
}

/** Whether the checksum of a packet's transport is only begun. That of a query is no network card's, but may be GUE's. */
export function isBegun(packet: IpPacket, unfinished: Unfinished): boolean {
  return unfinished !== false && !(unfinished === true && isQuery(packet, upperLayer(packet)));
}

function isQuery(packet: IpPacket, upper: UpperLayer | undefined): boolean {
  return upper !== undefined && readMessage(packet, upper.protocol, upper.bytes) !== undefined;
}

function translateTcp(before: Segment, after: IpPacket, to: Translation, isPartial: boolean): Uint8Array {
  const segment = parseTcp(before.bytes);
  const changed = { ...segment, ...newPorts(segment, to), checksum: 0 };
  if (isPartial) return serialiseTcp({ ...changed, checksum: carryPartial(segment.checksum, before, after) });
  const checksum = carryChecksum(covered(before), covered({ ...before, ends: after, bytes: serialiseTcp(changed) }));
  return serialiseTcp({ ...changed, checksum });
}

function translateUdp(before: Segment, after: IpPacket, to: Translation, isPartial: boolean): Uint8Array {
  const datagram = parseUdp(before.bytes);
  const changed = { ...datagram, ...newPorts(datagram, to), checksum: 0 };
  if (isPartial) return serialiseUdp({ ...changed, checksum: carryPartial(datagram.checksum, before, after) });
  const bytes = covered({ ...before, ends: after, bytes: serialiseUdp(changed) });
  const checksum = datagram.checksum === 0 ? internetChecksum(bytes) : carryChecksum(covered(before), bytes);
  // RFC 768: a checksum that comes out as zero is sent as all ones.
  return serialiseUdp({ ...changed, checksum: checksum === 0 ? 0xffff : checksum });
}

/** CRC32c covers no addresses: it changes with the ports alone. */
function translateSctp(bytes: Uint8Array, to: Translation, isPartial: boolean): Uint8Array {
  const packet = parseSctp(bytes);
  const ports = newPorts(packet, to);
  const same = ports.sourcePort === packet.sourcePort && ports.destinationPort === packet.destinationPort;
  return same && !isPartial ? bytes : serialiseSctp({ ...packet, ...ports });
}

interface Ports {
  sourcePort: number;
  destinationPort: number;
}

function newPorts(from: Ports, to: Translation): Ports {
  return {
    sourcePort: to.sourcePort ?? from.sourcePort,
    destinationPort: to.destinationPort ?? from.destinationPort,
  };
}

/** The bytes that a transport checksum covers: the length is that of the IP payload, whatever UDP's own field says. */
function covered({ ends: { source, destination }, protocol, bytes }: Segment): Uint8Array {
  return concatenate(pseudoHeader(source, destination, protocol, bytes.length), bytes);
}

/** A checksum that is only begun holds the sum of the pseudo header, whose zero is always spelt 0xffff. */
function carryPartial(sum: number, { ends, protocol, bytes }: Segment, after: IpPacket): number {
  const pseudo = (of: IpPacket): number => residue(pseudoHeader(of.source, of.destination, protocol, bytes.length));
  return (sum + 0xffff - pseudo(ends) + pseudo(after)) % 0xffff || 0xffff;
}
