/**
 * A packet of the director's own, which tells a server who its client is before the client's packet, that has no room for it.
 *
 * @module
 */
import { ExtensionFlag } from '../../src/abi/connections';
import { DESC_ADDRESS, DESC_LENGTH, DESC_VERDICT } from '../../src/abi/frames';
import { Carry, Protocol } from '../../src/abi/protocol';
import { SB_BURST_COUNT } from '../../src/abi/superblock';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { Descriptor, Scratch } from '../descriptor';
import { prefixSize, toaKind, writePrefix } from '../flow/carried';
import { pseudoOf } from '../flow/pseudo';
import { Hop } from '../net/hop';
import { countReason, field, setField } from '../superblock';
import { CARRIED4_SIZE, carriedSize, OPP, UOA, writeCarried } from '../wire/carried';
import { finish, sum } from '../wire/checksum';
import { DF_BE, IPV4_MIN, Ipv4 } from '../wire/ipv4';
import { IPV6_SIZE, Ipv6 } from '../wire/ipv6';
import { portsBE } from '../wire/ports';
import { ACK, PSH, TCP_MIN, Tcp } from '../wire/tcp';
import { findOption, NOP, TIMESTAMP, TIMESTAMP_SIZE, USUAL_SIZE } from '../wire/tcp-options';
import { CHECKSUM_ZERO, UDP_SIZE, Udp } from '../wire/udp';
import { headerSize, isUnsummed, writeHeader } from './carry-datagram';
import { putLink } from './link';
import { takeFrame } from './made';

/** Makes it: `packet` is translated, and will go on `hop`. Null: there is no room, which is counted. */
export function makeAhead(frame: Descriptor, packet: Scratch, conn: Conn, mtu: u32): Descriptor | null {
  const isTcp = packet.protocol == Protocol.Tcp;
  const front = frontSize(packet, conn);
  const bytes = front + (isTcp ? segmentSize(packet, conn) : UDP_SIZE);
  const made = bytes <= mtu ? takeFrame(frame, bytes) : null;
  if (made == null) {
    countReason(Reason.ClientAddressLost);
    return null;
  }
  const ip = made.address;
  const l4 = ip + front;
  if (isTcp) {
    writeSegment(l4, packet, conn);
    conn.extension.flags = conn.extension.flags | ExtensionFlag.Sent;
  } else writeDatagram(l4, packet);
  writeFront(ip, bytes, packet, conn);
  fillChecksum(packet, l4, bytes - front);
  if (isUnsummed(packet, conn)) changetype<Udp>(l4).checksum = 0;
  made.conn = <u32>changetype<usize>(conn);
  return made;
}

/** Sends it on `hop` in place of the client's packet, which comes out as the frame that was made; if that is sent at all. */
export function sendAhead(frame: Descriptor, made: Descriptor, hop: Hop): void {
  if (frame.verdict != <u32>Verdict.Forward) {
    setField(SB_BURST_COUNT, field(SB_BURST_COUNT) - 1);
    return;
  }
  putLink(made, made.address, hop.outInterface, hop.mac);
  made.judge(Verdict.Forward, Reason.ClientAddress);
  exchange(frame, made, DESC_ADDRESS);
  exchange(frame, made, DESC_LENGTH);
  const one = changetype<usize>(frame);
  const other = changetype<usize>(made);
  const verdict = load<u16>(one, DESC_VERDICT);
  store<u16>(one, load<u16>(other, DESC_VERDICT), DESC_VERDICT);
  store<u16>(other, verdict, DESC_VERDICT);
  const headroom = frame.headroom;
  frame.headroom = made.headroom;
  made.headroom = headroom;
}

/** Exchanges a word of two descriptors. */
function exchange(one: Descriptor, other: Descriptor, offset: usize): void {
  const a = changetype<usize>(one) + offset;
  const b = changetype<usize>(other) + offset;
  const word = load<u32>(a);
  store<u32>(a, load<u32>(b));
  store<u32>(b, word);
}

/** Bytes in front of the transport header. */
function frontSize(packet: Scratch, conn: Conn): u32 {
  const fixed = packet.isV6 ? IPV6_SIZE : IPV4_MIN;
  const how = conn.extension.carry;
  if (how == Carry.UoaOption) return fixed + CARRIED4_SIZE;
  return how == Carry.UoaProtocol ? fixed + headerSize(packet.isV6) : fixed;
}

/** Writes it: as the client's packet leaves, without what only that has. */
function writeFront(ip: usize, bytes: u32, packet: Scratch, conn: Conn): void {
  const how = conn.extension.carry;
  const hasHeader = packet.protocol == Protocol.Udp && how == Carry.UoaProtocol;
  const protocol: u32 = hasHeader ? OPP : packet.protocol;
  if (packet.isV6) {
    memory.copy(ip, packet.ip, IPV6_SIZE);
    const header = changetype<Ipv6>(ip);
    header.nextHeader = protocol;
    header.payloadLength = bytes - IPV6_SIZE;
    if (hasHeader) writeHeader(ip + IPV6_SIZE, conn);
    return;
  }
  const from = packet.header;
  const header = changetype<Ipv4>(ip);
  header.write(from.tos, bytes, 0, DF_BE, from.ttl, protocol, from.sourceBE, from.destinationBE);
  if (hasHeader) writeHeader(ip + IPV4_MIN, conn);
  if (how != Carry.UoaOption) return;
  writeCarried(ip + IPV4_MIN, UOA, false, conn.cportBE, conn.caddr);
  header.headerLength = IPV4_MIN + CARRIED4_SIZE;
  header.fillChecksum();
}

/** Bytes of the options of a segment of its own. */
function optionsSize(packet: Scratch, conn: Conn): u32 {
  const stamp = stampOf(packet) == 0 ? 0 : USUAL_SIZE;
  return stamp + (conn.extension.carry == Carry.Toa ? carriedSize(conn.isV6) : 0);
}

function segmentSize(packet: Scratch, conn: Conn): u32 {
  return TCP_MIN + optionsSize(packet, conn) + prefixSize(conn);
}

/** Where the client's segment has its timestamps; 0 when it has none. */
function stampOf(packet: Scratch): usize {
  return findOption(packet.l4, changetype<Tcp>(packet.l4).headerLength, TIMESTAMP, TIMESTAMP_SIZE);
}

/** A segment without data but what is told in front of them. */
function writeSegment(l4: usize, packet: Scratch, conn: Conn): void {
  const from = changetype<Tcp>(packet.l4);
  const isToa = conn.extension.carry == Carry.Toa;
  const number = from.sequence - prefixSize(conn);
  const flags = isToa ? ACK : ACK | PSH;
  const length = TCP_MIN + optionsSize(packet, conn);
  changetype<Tcp>(l4).write(portsBE(packet.l4), number, from.acknowledgement, length, flags, from.window);
  let at = l4 + TCP_MIN;
  if (isToa) {
    writeCarried(at, toaKind(conn), conn.isV6, conn.cportBE, conn.caddr);
    at += carriedSize(conn.isV6);
  }
  const stamp = stampOf(packet);
  if (stamp != 0) {
    memory.fill(at, <u8>NOP, 2);
    memory.copy(at + 2, stamp, TIMESTAMP_SIZE);
    at += USUAL_SIZE;
  }
  if (!isToa) writePrefix(at, conn);
}

/** A datagram without data. */
function writeDatagram(l4: usize, packet: Scratch): void {
  memory.copy(l4, packet.l4, UDP_SIZE);
  const udp = changetype<Udp>(l4);
  udp.length = UDP_SIZE;
  udp.checksum = 0;
}

/** The checksum of a transport header where it is 0. */
function fillChecksum(packet: Scratch, l4: usize, length: u32): void {
  const protocol = packet.protocol;
  const checksum = finish(pseudoOf(packet, protocol, length) + sum(l4, length));
  if (protocol == Protocol.Tcp) changetype<Tcp>(l4).checksum = checksum;
  else changetype<Udp>(l4).checksum = checksum == 0 ? CHECKSUM_ZERO : checksum;
}
