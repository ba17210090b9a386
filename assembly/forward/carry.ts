/**
 * Telling a server of FullNAT who its client is: in an option of TCP (TOA), in front of the data (PROXY protocol), or in an
 * option of IP or a header of its own (UOA); docs/fullnat.md has the rules.
 *
 * What tells it goes into a client's packet whose numbers are adjusted, and which is not translated yet.
 *
 * @module
 */
import { ExtensionFlag } from '../../src/abi/connections';
import { Carry, Protocol } from '../../src/abi/protocol';
import { HopKind } from '../../src/abi/tables';
import { Conn } from '../conn/record';
import { shiftOf } from '../conn/sequence';
import { Direction } from '../conn/tcp-state';
import { Descriptor, Scratch } from '../descriptor';
import { mayGrow } from '../flow/gap';
import { Hop } from '../net/hop';
import { CARRIED4_SIZE, carriedSize } from '../wire/carried';
import { DF_BE } from '../wire/ipv4';
import { binarySize } from '../wire/proxy';
import { carryDatagram, headerSize } from './carry-datagram';
import { carrySegment, noteSegment } from './carry-segment';
import { hasHeadroom } from './link';

/** What became of a client's packet. */
export enum Told {
  /** It can be sent. */
  Done,
  /** A packet of the director's own has to go before it, to tell the server. */
  Ahead,
  /** It cannot be sent, and the frame is judged. */
  Dropped,
}

/** Lets a client's packet tell the server who sent it, if it has to; it goes on `hop`, where `mtu` bytes fit. */
export function carry(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop, mtu: u32): Told {
  if (conn.extension.carry == Carry.None) return Told.Done;
  switch (packet.protocol) {
    case Protocol.Tcp:
      return carrySegment(frame, packet, conn, hop, mtu);
    case Protocol.Udp:
      return carryDatagram(frame, packet, conn, hop, mtu);
    default:
      return Told.Done;
  }
}

/** Bytes by which a client's packet becomes longer in any case, wherever it goes. */
export function certainGrowth(conn: Conn): u32 {
  return conn.protocol == Protocol.Udp && conn.extension.carry == Carry.ProxyV2 ? binarySize(conn.isV6) : 0;
}

/** Bytes that telling takes of a packet of the client's, as long as it may have to tell. */
export function carriedGrowth(conn: Conn): u32 {
  const how = conn.extension.carry;
  const v6 = conn.isV6;
  if (conn.protocol == Protocol.Tcp) {
    // In front of a stream until the server has acknowledged it.
    return how == Carry.Toa ? carriedSize(v6) : shiftOf(conn.extension.sequence(Direction.In));
  }
  if (conn.protocol != Protocol.Udp) return 0;
  if (how == Carry.ProxyV2) return binarySize(v6);
  if (how == Carry.UoaProtocol) return headerSize(v6);
  return how == Carry.UoaOption ? CARRIED4_SIZE : 0;
}

/** Whether the packet may become so many bytes longer on `hop`: it fits then, or is cut in any case or may be. */
export function isRoom(frame: Descriptor, packet: Scratch, hop: Hop, mtu: u32, bytes: u32): bool {
  if (!mayGrow(frame, packet, bytes)) return false;
  if (hop.kind == HopKind.Local) return true;
  if (!hasHeadroom(frame, packet.ip - bytes, hop.outInterface)) return false;
  const isCut = packet.isV6 ? packet.isReassembled : (packet.header.fragmentBE & DF_BE) == 0;
  return isCut || packet.totalLength + bytes <= mtu;
}

/** Notes what a server's packet says about what it was told, before the packet is translated. */
export function noteAnswer(frame: Descriptor, packet: Scratch, conn: Conn): void {
  if (packet.protocol == Protocol.Tcp) noteSegment(frame, packet, conn);
  else conn.extension.flags = conn.extension.flags | ExtensionFlag.Answered;
}
