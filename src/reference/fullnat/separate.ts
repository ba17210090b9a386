/**
 * Packets that the director sends in front of a client's, to tell its server who that is.
 *
 * @module
 */
import { concatenate, internetChecksum, pseudoHeader } from '../packet/checksum.js';
import { type IpPacket, isIpv6 } from '../packet/ip.js';
import { IP_FLAG } from '../packet/ipv4.js';
import { serialiseTcp, TCP_FLAG, type TcpSegment } from '../packet/tcp.js';
import { TCP_OPTION, tcpOptions } from '../packet/tcp-options.js';
import { parseUdp, serialiseUdp, UDP_LENGTH } from '../packet/udp.js';
import { UPPER, upperLayer } from '../upper.js';
import { filled, TIMESTAMP_LENGTH, withOptions } from './toa.js';

/**
 * A segment with an option or with data, from where the client's one begins: it has no more options than the timestamp.
 *
 * @param segment of `packet`, with the numbers for the server
 */
export function ownSegment(packet: IpPacket, segment: TcpSegment, option: Uint8Array, data: Uint8Array): IpPacket {
  const timestamp = tcpOptions(segment).options.find(
    ({ kind, length }) => kind === TCP_OPTION.timestamp && length === TIMESTAMP_LENGTH,
  );
  const nops = new Uint8Array(2).fill(TCP_OPTION.noOperation);
  const kept = timestamp && concatenate(nops, segment.rest.subarray(timestamp.at, timestamp.at + timestamp.length));
  const flags = data.length > 0 ? TCP_FLAG.psh | TCP_FLAG.ack : TCP_FLAG.ack;
  const bare = { ...segment, offsetAndReserved: 0x50, flags, checksum: 0, urgentPointer: 0, rest: data };
  const bytes = serialiseTcp(withOptions(bare, filled(option, ...(kept === undefined ? [] : [kept]))));
  return behindOwnHeader(packet, UPPER.tcp, bytes, 16);
}

/** A datagram without payload. */
export function ownDatagram(packet: IpPacket): IpPacket {
  const datagram = parseUdp(upperLayer(packet)!.bytes);
  const bytes = serialiseUdp({ ...datagram, length: UDP_LENGTH, checksum: 0, payload: new Uint8Array(0) });
  return behindOwnHeader(packet, UPPER.udp, bytes, 6);
}

/** Behind a header like that of `packet`, without its options, with a right checksum at `field`. */
function behindOwnHeader(packet: IpPacket, protocol: number, bytes: Uint8Array, field: number): IpPacket {
  const covered = concatenate(pseudoHeader(packet.source, packet.destination, protocol, bytes.length), bytes);
  const checksum = internetChecksum(covered);
  const payload = bytes.slice();
  new DataView(payload.buffer).setUint16(field, protocol === UPPER.udp ? checksum || 0xffff : checksum);
  if (isIpv6(packet)) return { ...packet, nextHeader: protocol, payload };
  const alone = { identification: 0, flags: IP_FLAG.dontFragment, fragmentOffset: 0, options: new Uint8Array(0) };
  return { ...packet, ...alone, protocol, payload };
}
