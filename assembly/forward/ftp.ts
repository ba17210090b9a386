/**
 * FTP's helper for NAT, as Linux's ip_vs_ftp: it reads the control connection, makes the entry of the data connection that is
 * spoken of, and puts the service's address into the server's replies. What is longer or shorter for that has the numbers of
 * all later segments adjusted, as Linux's connection tracking does it.
 *
 * @module
 */
import { FtpMode } from '../../src/abi/connections';
import { ConnState, Protocol } from '../../src/abi/protocol';
import { SB_FTP_ADDRESS, SUPERBLOCK } from '../../src/abi/superblock';
import { Reason, Verdict } from '../../src/abi/verdict';
import { control, hold, letLoose } from '../conn/control';
import { freeExtension, takeExtension } from '../conn/extension';
import { hashAny } from '../conn/hash';
import { listen } from '../conn/life';
import { Conn } from '../conn/record';
import { isUnchanged, noteChange } from '../conn/sequence';
import { awaitClientPort, connOf, extend, hideFromClient, isConnection, isReply, makeConnection } from '../conn/table';
import { Direction } from '../conn/tcp-state';
import { Descriptor, Scratch } from '../descriptor';
import { lengthMax, openGap } from '../flow/gap';
import { isIntact } from '../flow/intact';
import { beginChecksum } from '../flow/offload';
import { pseudoOf } from '../flow/pseudo';
import { joinPieces } from '../flow/reassembly';
import { adjustSegment, isSane } from '../flow/sequence';
import { findForClient, findTuple } from '../flow/tuple';
import { Dest } from '../service/dest';
import { fold } from '../wire/checksum';
import { digitsOf, writeNumber } from '../wire/decimal';
import { Asked, askedOf, findActive, findPassive, NOTHING, namedAt, namedLength, namedPort } from '../wire/ftp';
import { copyAddress6, sameAddress6 } from '../wire/ipv6';
import { TCP_MIN, Tcp } from '../wire/tcp';

const COMMA: u32 = 44;
const BAR: u32 = 124;

/** Where an address is that a command or reply names. */
function namedAddress(): usize {
  return SUPERBLOCK + SB_FTP_ADDRESS;
}

/**
 * Reads a client's segment, whose connection has an extension, before it is translated, and adjusts it. False: it is dropped,
 * and the frame judged.
 */
export function helpIn(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  if (conn.extension.ftp == FtpMode.None) return true;
  return isIntact(frame, packet) && readCommand(frame, packet, conn) && adjust(frame, packet, conn, Direction.In);
}

/** Reads a server's segment in the same way, and rewrites it; it is not adjusted yet. */
export function helpOut(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  if (conn.extension.ftp == FtpMode.None) return true;
  return isIntact(frame, packet) && readReply(frame, packet, conn);
}

/** Whether a connection's packets go to another address, at `server`, than that of its dest. */
export function isElsewhere(v6: bool, server: usize, dest: Dest): bool {
  return v6 ? !sameAddress6(server, dest.address) : load<u32>(server) != dest.addressBE;
}

/** Adjusts a segment's numbers, if any have to be. False: that cannot be, and the frame is judged. */
export function adjust(frame: Descriptor, packet: Scratch, conn: Conn, direction: Direction): bool {
  const extension = conn.extension;
  const own = extension.sequence(direction);
  const other = extension.sequence(direction == Direction.In ? Direction.Out : Direction.In);
  if ((isUnchanged(own) && isUnchanged(other)) || !isSane(packet)) return true;
  if (adjustSegment(frame, packet, own, other)) return true;
  frame.judge(Verdict.Drop, Reason.TcpOption);
  return false;
}

/** Where the segment's data begin; 0 when it has none, or the connection is not one that is read. */
function dataOf(packet: Scratch, conn: Conn): usize {
  if (conn.state != ConnState.Established) return 0;
  // Linux has it in one buffer to read it.
  if (packet.isReassembled) joinPieces();
  const header = changetype<Tcp>(packet.l4).headerLength;
  return header >= TCP_MIN && header < packet.l4Length ? packet.l4 + header : 0;
}

/** PASV and EPSV: a reply is waited for. PORT and EPRT: the server will call the client. False: there is no room for that. */
function readCommand(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  const data = dataOf(packet, conn);
  if (data == 0) return true;
  const end = packet.l4 + packet.l4Length;
  const v6 = packet.isV6;
  const asked = askedOf(data, end, v6);
  if (asked != Asked.Nothing) {
    if (asked != Asked.Otherwise) conn.extension.ftp = asked == Asked.Pasv ? FtpMode.Pasv : FtpMode.Epsv;
    return true;
  }
  const found = findActive(data, end, v6, namedAddress());
  if (found == NOTHING) return true;
  conn.extension.ftp = FtpMode.Active;
  const call = activeConnection(conn, namedAddress(), swap(namedPort(found)));
  if (call == 0) return refuse(frame, Reason.TableFull);
  listen(changetype<Conn>(call));
  return true;
}

/** 227 and 229: the client will call the server, by way of the service. False: that cannot be, and the frame is judged. */
function readReply(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  const extension = conn.extension;
  const mode = extension.ftp;
  const data = dataOf(packet, conn);
  if (data == 0 || mode == FtpMode.Active) return true;
  const v6 = packet.isV6;
  const address = namedAddress();
  // A reply may name another one than that of the connection.
  if (v6) copyAddress6(address, conn.daddr6);
  else store<u32>(address, conn.daddrBE);
  const found = findPassive(mode == FtpMode.Epsv, data, packet.l4 + packet.l4Length, v6, address);
  if (found == NOTHING) return true;
  const call = passiveConnection(conn, address, swap(namedPort(found)));
  if (call == 0) return refuse(frame, Reason.TableFull);
  extension.ftp = FtpMode.Active;
  listen(changetype<Conn>(call));
  if (!isSane(packet)) return refuse(frame, Reason.TcpOption);
  return rewrite(frame, packet, conn, data + namedAt(found), namedLength(found), mode, changetype<Conn>(call));
}

function swap(port: u32): u32 {
  return bswap<u16>(<u16>port);
}

function refuse(frame: Descriptor, reason: Reason): bool {
  frame.judge(Verdict.Drop, reason);
  return false;
}

/** The entry for a call of the server to the client, from the port before its own; 0 when there is no room. */
function activeConnection(conn: Conn, client: usize, portBE: u32): usize {
  const v6 = conn.isV6;
  const ports = portBE | (swap(swap(conn.vportBE) - 1) << 16);
  const ref = findForClient(v6, client, conn.vaddr, ports, Protocol.Tcp);
  if (ref != 0 && !isReply(ref)) return changetype<usize>(connOf(ref));
  const made = related(conn, client, ports, conn.daddr, swap(swap(conn.dportBE) - 1));
  // Nobody finds one from port 0.
  if (made != 0 && portBE == 0) hideFromClient(changetype<Conn>(made));
  return made;
}

/** The entry for a call of the client, from whichever port, to what the server has named; 0 when there is no room. */
function passiveConnection(conn: Conn, server: usize, portBE: u32): usize {
  const ref = findTuple(conn.isV6, server, conn.caddr, portBE, Protocol.Tcp);
  if (ref != 0 && isReply(ref)) return changetype<usize>(connOf(ref));
  const made = related(conn, conn.caddr, portBE << 16, server, portBE);
  if (made != 0) awaitClientPort(changetype<Conn>(made));
  return made;
}

/** Makes an entry to the connection's dest, under its control; nobody counts it as one that was scheduled. 0 when there is no room. */
function related(conn: Conn, client: usize, ports: u32, server: usize, dportBE: u32): usize {
  const v6 = conn.isV6;
  const hash = hashAny(v6, client, conn.vaddr, ports, Protocol.Tcp);
  const dest = changetype<Dest>(conn.dest);
  const elsewhere = isElsewhere(v6, server, dest);
  const extension: usize = elsewhere ? takeExtension() : 0;
  if (elsewhere && extension == 0) return 0;
  // It must not make room for what it controls.
  hold(conn);
  const made = makeConnection(hash, v6, client, conn.vaddr, ports, Protocol.Tcp, dest, server, dportBE, false);
  letLoose(conn);
  if (extension != 0) {
    if (!isConnection(made) || changetype<Conn>(made).isExtended) freeExtension(extension);
    else extend(changetype<Conn>(made), extension);
  }
  if (!isConnection(made)) return 0;
  control(changetype<Conn>(made), conn);
  return made;
}

/**
 * Puts the end that the client is to call in place of `length` bytes at `part`: the frame up to there moves, so that what is
 * behind it stays.
 */
function rewrite(
  frame: Descriptor,
  packet: Scratch,
  conn: Conn,
  part: usize,
  length: u32,
  mode: u32,
  call: Conn,
): bool {
  const size = sizeOf(mode, call);
  const growth = <i32>size - <i32>length;
  if (growth > 0 && packet.totalLength + growth > lengthMax(packet)) return refuse(frame, Reason.TooBig);
  if (growth > 0 && frame.headroom < <u32>growth) return refuse(frame, Reason.NoHeadroom);
  if (growth != 0) {
    noteChange(conn.extension.sequence(Direction.Out), changetype<Tcp>(packet.l4).sequence, growth);
    openGap(frame, packet, part, growth);
  }
  write(part - growth, mode, call);
  beginChecksum(frame, packet, fold(pseudoOf(packet, Protocol.Tcp, packet.l4Length)));
  return true;
}

/** Bytes of what `write` writes. */
function sizeOf(mode: u32, call: Conn): u32 {
  const port = swap(call.vportBE);
  if (mode == FtpMode.Epsv) return 4 + digitsOf(port);
  let size = 5 + digitsOf(port >> 8) + digitsOf(port & 0xff);
  for (let i: usize = 0; i < 4; i++) size += digitsOf(load<u8>(call.vaddr + i));
  return size;
}

/** Writes the service's end of the connection: six numbers, or a port between bars. */
function write(to: usize, mode: u32, call: Conn): void {
  const port = swap(call.vportBE);
  let at = to;
  if (mode == FtpMode.Epsv) {
    for (let i: usize = 0; i < 3; i++) store<u8>(at + i, BAR);
    store<u8>(writeNumber(at + 3, port), BAR);
    return;
  }
  for (let i: usize = 0; i < 4; i++) {
    at = writeNumber(at, load<u8>(call.vaddr + i));
    store<u8>(at++, COMMA);
  }
  at = writeNumber(at, port >> 8);
  store<u8>(at++, COMMA);
  writeNumber(at, port & 0xff);
}
