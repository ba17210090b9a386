/**
 * TOA, and the PROXY protocol over TCP.
 *
 * @module
 */
import { ExtensionFlag } from '../../src/abi/connections';
import { Carry, Profile } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Extension } from '../conn/extension';
import { Conn } from '../conn/record';
import { firstByte, setChange, shiftOf, toReceiver } from '../conn/sequence';
import { Direction } from '../conn/tcp-state';
import { Descriptor, Scratch } from '../descriptor';
import { prefixSize, toaKind, writePrefix } from '../flow/carried';
import { openGap } from '../flow/gap';
import { isSane } from '../flow/sequence';
import { Hop } from '../net/hop';
import { carriedSize, mssBeside, writeCarried } from '../wire/carried';
import { difference16, difference32, fold, sum, update } from '../wire/checksum';
import { ACK, DATA_OFFSET, FIN, RST, SYN, TCP_MIN, Tcp, URG } from '../wire/tcp';
import {
  areUsual,
  effaceToa,
  findOption,
  MSS,
  MSS_SIZE,
  nextOption,
  OPTION_HEADER,
  optionLength,
  SACK,
  squeeze,
  squeezedSize,
  TCP_MAX,
} from '../wire/tcp-options';
import { isRoom, Told } from './carry';

/** Lets a client's segment tell the server who sent it. */
export function carrySegment(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop, mtu: u32): Told {
  if (conn.extension.carry == Carry.Toa) return carryToa(frame, packet, conn, hop, mtu);
  return isSane(packet) ? carryPrefix(frame, packet, conn, hop, mtu) : Told.Done;
}

function carryToa(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop, mtu: u32): Told {
  const header = changetype<Tcp>(packet.l4).headerLength;
  const length = packet.l4Length;
  if (header < TCP_MIN || header > length) return Told.Done;
  // Nobody names himself in what is no segment, either.
  const tells = isSane(packet) && mustTell(changetype<Tcp>(packet.l4), conn.extension);
  const isUsual = areUsual(packet.l4, header);
  if (!tells && isUsual) return Told.Done;
  const size = carriedSize(conn.isV6);
  if (isUsual && isRoom(frame, packet, hop, mtu, size)) {
    const offset = load<u16>(packet.l4, DATA_OFFSET);
    putToa(frame, packet, conn, header, size);
    // The other options move by whole words, which leaves their sum.
    const lengths = difference16(offset, load<u16>(packet.l4, DATA_OFFSET));
    settle(frame, packet, length, lengths + sum(packet.l4 + TCP_MIN, size));
    return Told.Done;
  }
  const before = sum(packet.l4, header);
  const isForged = effaceToa(packet.l4, header);
  const isTold = tells && insertToa(frame, packet, conn, hop, mtu);
  if (isForged || isTold) settle(frame, packet, length, changed(packet, before));
  // A SYN is followed by what tells.
  const isLate = (changetype<Tcp>(packet.l4).flags & SYN) != 0 || conn.extension.has(ExtensionFlag.Heard);
  return !tells || isTold || isLate ? Told.Done : Told.Ahead;
}

/** Whether the segment has to name the client: until the server's first data are acknowledged. */
function mustTell(tcp: Tcp, extension: Extension): bool {
  const flags = tcp.flags;
  const isAlibaba = extension.profile == Profile.Alibaba;
  if ((flags & (SYN | RST | ACK)) == SYN) return isAlibaba;
  if ((flags & (SYN | RST | ACK)) != ACK || (isAlibaba && (flags & FIN) != 0)) return false;
  // Without the server's number there is no telling what is acknowledged.
  if (!extension.has(ExtensionFlag.Answered)) return extension.has(ExtensionFlag.Begun);
  return tcp.acknowledgement == extension.firstData;
}

/** Puts the option behind the fixed header; NOPs give way to it. False: there is no room even so. */
function insertToa(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop, mtu: u32): bool {
  const header = changetype<Tcp>(packet.l4).headerLength;
  const size = carriedSize(conn.isV6);
  let grown = <i32>size;
  if (header + size > TCP_MAX || !isRoom(frame, packet, hop, mtu, size)) {
    const squeezed = TCP_MIN + squeezedSize(packet.l4, header) + size;
    grown = <i32>(squeezed - header);
    if (squeezed > TCP_MAX || (grown > 0 && !isRoom(frame, packet, hop, mtu, grown))) return false;
    squeeze(packet.l4, header);
  }
  putToa(frame, packet, conn, header, grown);
  return true;
}

/** Puts the option behind the fixed header, all of which becomes `grown` bytes longer. */
function putToa(frame: Descriptor, packet: Scratch, conn: Conn, header: u32, grown: i32): void {
  openGap(frame, packet, packet.l4 + TCP_MIN, grown);
  changetype<Tcp>(packet.l4).headerLength = header + grown;
  writeCarried(packet.l4 + TCP_MIN, toaKind(conn), conn.isV6, conn.cportBE, conn.caddr);
}

/** Puts the header of the PROXY protocol in front of the first byte, until the server has acknowledged it. */
function carryPrefix(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop, mtu: u32): Told {
  const extension = conn.extension;
  const numbers = extension.sequence(Direction.In);
  const size = shiftOf(numbers);
  const tcp = changetype<Tcp>(packet.l4);
  const flags = tcp.flags;
  // Once the header is acknowledged there is no shift any more.
  if (size == 0 || size != prefixSize(conn)) return Told.Done;
  const first = toReceiver(numbers, firstByte(numbers));
  if (isInItsPlace(packet, first - size, size)) {
    frame.judge(Verdict.Drop, Reason.TcpOption);
    return Told.Dropped;
  }
  if ((flags & (SYN | RST | ACK)) != ACK) return Told.Done;
  if (tcp.sequence != first) return Told.Done;
  if (!isRoom(frame, packet, hop, mtu, size)) return Told.Ahead;
  extension.flags = extension.flags | ExtensionFlag.Sent;
  const length = packet.l4Length;
  const header = tcp.headerLength;
  let moved = moveBack(tcp, size);
  if ((flags & URG) != 0) {
    const urgent = tcp.urgent;
    tcp.urgent = urgent + size;
    moved += difference16(bswap<u16>(<u16>urgent), bswap<u16>(<u16>(urgent + size)));
  }
  const data = packet.l4 + header;
  openGap(frame, packet, data, size);
  writePrefix(data - size, conn);
  if ((size & 1) != 0) moved += swapped(data, length - header);
  settle(frame, packet, length, moved + sum(data - size, size));
  return Told.Done;
}

/** Whether a segment has data where the header belongs, at `place`: a client could name itself. A keepalive's byte is none. */
function isInItsPlace(packet: Scratch, place: u32, size: u32): bool {
  const tcp = changetype<Tcp>(packet.l4);
  const data = packet.l4Length - tcp.headerLength;
  if ((tcp.flags & SYN) != 0) return data != 0;
  const before = <i32>(tcp.sequence - place);
  // What is farther away lies in front of it, with its own shift.
  return before < 0 && before >= i32.MIN_VALUE + <i32>size && data > (before == -1 ? <u32>1 : 0);
}

/** Lowers the segment's number; what that adds to its sum. */
function moveBack(tcp: Tcp, bytes: u32): u64 {
  const number = tcp.sequence;
  tcp.sequence = number - bytes;
  return difference32(bswap<u32>(number), bswap<u32>(number - bytes));
}

/** What it adds to a sum that bytes stand at odd places, which stood at even ones. */
function swapped(at: usize, length: u32): u64 {
  const bytes = fold(sum(at, length));
  return <u64>(~bytes & 0xffff) + <u64>bswap<u16>(<u16>bytes);
}

/** What it adds to a segment's sum that its header, the sum of which was `before`, has become another. */
function changed(packet: Scratch, before: u64): u64 {
  return sum(packet.l4, changetype<Tcp>(packet.l4).headerLength) + <u64>(~fold(before) & 0xffff);
}

/** The checksum follows a segment's new length, and what else adds `delta` to its sum. */
function settle(frame: Descriptor, packet: Scratch, length: u32, delta: u64): void {
  const tcp = changetype<Tcp>(packet.l4);
  const lengths = difference16(bswap<u16>(<u16>length), bswap<u16>(<u16>packet.l4Length));
  // One that is only begun covers the pseudo-header alone.
  tcp.checksum = frame.isPartial ? fold(<u64>tcp.checksum + lengths) : update(tcp.checksum, delta + lengths);
}

/**
 * Notes what a server's segment says, before its numbers are adjusted: which was its first, what it has got. Its MSS leaves
 * room for TOA. What it says of the header in front of the data the client must not hear.
 */
export function noteSegment(frame: Descriptor, packet: Scratch, conn: Conn): void {
  const extension = conn.extension;
  if (!isSane(packet)) return;
  const tcp = changetype<Tcp>(packet.l4);
  const flags = tcp.flags;
  const numbers = extension.sequence(Direction.In);
  if ((flags & (SYN | ACK)) == (SYN | ACK)) {
    extension.noteAnswer(tcp.sequence);
    if (extension.carry == Carry.Toa) lowerMss(frame, packet, conn.isV6);
  }
  if ((flags & ACK) == 0 || !extension.has(ExtensionFlag.Begun) || extension.has(ExtensionFlag.Heard)) return;
  const size = shiftOf(numbers);
  const place = toReceiver(numbers, firstByte(numbers)) - size;
  const got = <i32>(tcp.acknowledgement - place);
  if (got > 0 && got >= <i32>size) {
    if (size != 0 && !extension.has(ExtensionFlag.Sent)) return;
    extension.flags = extension.flags | ExtensionFlag.Heard;
    // From here on all numbers have it: half of them would be too far behind the SYN otherwise.
    if (size != 0)
      setChange(numbers, firstByte(numbers) - 1, toReceiver(numbers, firstByte(numbers)) - firstByte(numbers));
  } else if (size != 0) {
    // A part of the header, in order or out of it: to the client it is its SYN alone.
    const number = tcp.acknowledgement;
    const heard = got >= 0 ? place + size : number;
    tcp.acknowledgement = heard;
    const edges = raiseEdges(packet, place, size);
    if (!frame.isPartial) {
      tcp.checksum = update(tcp.checksum, difference32(bswap<u32>(number), bswap<u32>(heard)) + edges);
    }
  }
}

/** Raises edges of selective acknowledgments within the `size` bytes at `place` to behind them; returns what that adds to the sum. */
function raiseEdges(packet: Scratch, place: u32, size: u32): u64 {
  const header = changetype<Tcp>(packet.l4).headerLength;
  const before = sum(packet.l4, header);
  const end = packet.l4 + header;
  let length: u32 = 0;
  for (let at = nextOption(packet.l4 + TCP_MIN, end); at != 0; at = nextOption(at + length, end)) {
    length = optionLength(at, end);
    if (length == 0) break;
    if (load<u8>(at) != SACK || (length & 7) != OPTION_HEADER) continue;
    for (let edge = at + OPTION_HEADER; edge < at + length; edge += 4) {
      if (bswap<u32>(load<u32>(edge)) - place < size) store<u32>(edge, bswap<u32>(place + size));
    }
  }
  return changed(packet, before);
}

/** A server's MSS leaves room for TOA of a client of that family. */
function lowerMss(frame: Descriptor, packet: Scratch, v6: bool): void {
  const header = changetype<Tcp>(packet.l4).headerLength;
  const option = findOption(packet.l4, header, MSS, MSS_SIZE);
  if (option == 0) return;
  const mss = <u32>bswap<u16>(load<u16>(option, 2));
  const lower = mssBeside(mss, v6);
  if (lower == mss) return;
  const before = sum(packet.l4, header);
  store<u16>(option, bswap<u16>(<u16>lower), 2);
  settle(frame, packet, packet.l4Length, changed(packet, before));
}
