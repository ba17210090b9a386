/**
 * UOA, and the PROXY protocol over UDP.
 *
 * @module
 */
import { ExtensionFlag } from '../../src/abi/connections';
import { Carry, Profile, Protocol } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { Descriptor, Scratch } from '../descriptor';
import { lengthMax, mayGrow, openGap } from '../flow/gap';
import { completeChecksum } from '../flow/offload';
import { Hop } from '../net/hop';
import {
  CARRIED4_SIZE,
  carriedSize,
  OPP,
  OPP_SIZE,
  OPP_VERSION4,
  OPP_VERSION6,
  UOA,
  writeCarried,
} from '../wire/carried';
import { difference16, fold, sum, update } from '../wire/checksum';
import { namedAt } from '../wire/extension';
import { IPV4_MIN } from '../wire/ipv4';
import { binarySize, writeBinary } from '../wire/proxy';
import { NOP, nextOption, optionLength } from '../wire/tcp-options';
import { CHECKSUM_ZERO, UDP_SIZE, Udp } from '../wire/udp';
import { isRoom, Told } from './carry';

/** Datagrams that name the client, as long as the server has not answered. */
const TRIES: u32 = 3;
/** Bytes of the longest IPv4 header. */
const IPV4_MAX: u32 = 60;

/** Lets a client's datagram tell the server who sent it. */
export function carryDatagram(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop, mtu: u32): Told {
  const extension = conn.extension;
  const how = extension.carry;
  if (how == Carry.ProxyV2) return carryBinary(frame, packet, conn);
  if (how != Carry.UoaOption && how != Carry.UoaProtocol) return Told.Done;
  if (!packet.isV6) effaceUoa(packet);
  if (extension.tries >= TRIES || extension.has(ExtensionFlag.Answered)) return Told.Done;
  extension.tries += 1;
  const isOption = how == Carry.UoaOption;
  if (isOption && packet.header.headerLength + CARRIED4_SIZE > IPV4_MAX) return Told.Ahead;
  const size = isOption ? CARRIED4_SIZE : headerSize(packet.isV6);
  if (!isRoom(frame, packet, hop, mtu, size)) return Told.Ahead;
  // No card finds UDP behind that header.
  if (!isOption && !completeChecksum(frame, packet)) return Told.Dropped;
  openGap(frame, packet, isOption ? packet.ip + IPV4_MIN : packet.l4, size);
  if (isOption) putOption(packet, conn);
  else putHeader(packet, conn);
  return Told.Done;
}

/** Puts NOPs where a client names itself in an option of IPv4. */
function effaceUoa(packet: Scratch): void {
  const header = packet.header;
  const end = packet.ip + header.headerLength;
  let isThere: bool = false;
  let length: u32 = 0;
  for (let at = nextOption(packet.ip + IPV4_MIN, end); at != 0; at = nextOption(at + length, end)) {
    length = optionLength(at, end);
    if (length == 0) break;
    if (load<u8>(at) != UOA) continue;
    memory.fill(at, <u8>NOP, length);
    isThere = true;
  }
  if (isThere) header.fillChecksum();
}

/** The PROXY protocol's header in front of the data; the MTU was asked with it. */
function carryBinary(frame: Descriptor, packet: Scratch, conn: Conn): Told {
  const v6 = packet.isV6;
  const size = binarySize(v6);
  if (!mayGrow(frame, packet, size)) {
    frame.judge(Verdict.Drop, packet.totalLength + size > lengthMax(packet) ? Reason.TooBig : Reason.NoHeadroom);
    return Told.Dropped;
  }
  const data = packet.l4 + UDP_SIZE;
  const length = packet.l4Length;
  openGap(frame, packet, data, size);
  writeBinary(data - size, v6, Protocol.Udp, conn.caddr, conn.vaddr, conn.inPortsBE);
  const udp = changetype<Udp>(packet.l4);
  const before = udp.length;
  udp.length = before + size;
  const lengths = difference16(bswap<u16>(<u16>length), bswap<u16>(<u16>packet.l4Length));
  if (frame.isPartial) {
    udp.checksum = fold(<u64>udp.checksum + lengths);
  } else if (udp.checksum != 0) {
    const own = difference16(bswap<u16>(<u16>before), bswap<u16>(<u16>udp.length));
    const checksum = update(udp.checksum, lengths + own + sum(data - size, size));
    udp.checksum = checksum == 0 ? CHECKSUM_ZERO : checksum;
  }
  return Told.Done;
}

/** UOA in an option of IPv4, for which there is a gap behind the fixed header. */
function putOption(packet: Scratch, conn: Conn): void {
  const header = packet.header;
  header.headerLength = header.headerLength + CARRIED4_SIZE;
  writeCarried(packet.ip + IPV4_MIN, UOA, false, conn.cportBE, conn.caddr);
  header.fillChecksum();
}

/** UOA in a header of its own, for which there is a gap in front of UDP's. */
function putHeader(packet: Scratch, conn: Conn): void {
  const v6 = packet.isV6;
  const at = packet.l4 - headerSize(v6);
  writeHeader(at, conn);
  if (v6) {
    store<u8>(namedAt(packet.ip, <u32>(at - packet.ip)), OPP);
  } else {
    packet.header.protocol = OPP;
    packet.header.fillChecksum();
  }
}

/** Whether UDP has no checksum behind that header, as with DPVS; over IPv6 it must have one (RFC 8200 §8.1). */
export function isUnsummed(packet: Scratch, conn: Conn): bool {
  return conn.extension.carry == Carry.UoaProtocol && conn.extension.profile != Profile.Linux && !packet.isV6;
}

/** Takes the checksum of a finished datagram away that has that header. */
export function takeChecksum(packet: Scratch, conn: Conn): void {
  if (isUnsummed(packet, conn) && packet.header.protocol == OPP) changetype<Udp>(packet.l4).checksum = 0;
}

/** Bytes of that header. */
export function headerSize(v6: bool): u32 {
  return OPP_SIZE + carriedSize(v6);
}

/** Writes that header. */
export function writeHeader(at: usize, conn: Conn): void {
  const v6 = conn.isV6;
  store<u8>(at, v6 ? OPP_VERSION6 : OPP_VERSION4);
  store<u8>(at, Protocol.Udp, 1);
  store<u16>(at, bswap<u16>(<u16>headerSize(v6)), 2);
  writeCarried(at + OPP_SIZE, UOA, v6, conn.cportBE, conn.caddr);
}
