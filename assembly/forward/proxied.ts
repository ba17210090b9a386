/**
 * SYN proxy: the handshake with the server, for a client that has had its own. What comes in becomes what goes out; what nothing
 * came in for is made.
 *
 * @module
 */
import { EXT_IN } from '../../src/abi/connections';
import { ScratchFlag } from '../../src/abi/frames';
import { Protocol } from '../../src/abi/protocol';
import { SB_HOP_BACK, SUPERBLOCK } from '../../src/abi/superblock';
import { HopKind } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { noteExpected, tellsEnds } from '../conn/expected';
import { countRetry, establish, proxiedOf } from '../conn/proxied';
import { Conn } from '../conn/record';
import { toReceiver } from '../conn/sequence';
import { endConnection } from '../conn/table';
import { Descriptor, Scratch } from '../descriptor';
import { hasSackIn, isStampedIn, scaleIn, sizeIn } from '../flow/cookie';
import { isIntact } from '../flow/intact';
import { forgetPartial } from '../flow/offload';
import { ownStamp, toClient, toServer } from '../flow/proxied';
import { isSane } from '../flow/sequence';
import { Hop, resolveAny } from '../net/hop';
import { Dest } from '../service/dest';
import { countOut } from '../service/stats';
import { countReason } from '../superblock';
import { isStamped, NO_SCALE, OFFER_MAX, readOffer, scaleOf, stampOf, writeOffer } from '../wire/offer';
import { ACK, RST, SYN, TCP_MIN, Tcp } from '../wire/tcp';
import { USUAL_SIZE } from '../wire/tcp-options';
import { carry, Told } from './carry';
import { putLink } from './link';
import { takeFrame } from './made';
import { ownHeaders, putSegment } from './own-segment';
import { startOf } from './syn-ack';
import { canLeave, hopToServer } from './transmit';

const WINDOW_MAX: u32 = 0xffff;

/** The client's first number as the server has it. */
function firstNumber(conn: Conn): u32 {
  return toReceiver(changetype<usize>(conn.extension) + EXT_IN, proxiedOf(conn).number);
}

/** The same of its first byte of data: behind what is told in front of them. */
function firstDataNumber(conn: Conn): u32 {
  return toReceiver(changetype<usize>(conn.extension) + EXT_IN, proxiedOf(conn).number + 1);
}

/** Writes a segment to the server at `ip`, around its options. */
function putForServer(
  ip: usize,
  conn: Conn,
  sequence: u32,
  acknowledgement: u32,
  flags: u32,
  window: u32,
  options: u32,
): void {
  const ports = rotl<u32>(conn.outPortsBE, 16);
  putSegment(ip, conn.isServerV6, conn.replyTo, conn.daddr, ports, sequence, acknowledgement, flags, window, options);
}

/** Writes a segment to the client at `ip`, around its options; it is the first behind the cookie. */
function putForClient(ip: usize, conn: Conn, cookie: u32, flags: u32, window: u32, options: u32): void {
  const ports = rotl<u32>(conn.inPortsBE, 16);
  const next = proxiedOf(conn).number + 1;
  putSegment(ip, conn.isV6, conn.vaddr, conn.caddr, ports, cookie + 1, next, flags, window, options);
}

/** Writes the SYN to the server at `ip`: with what the client offered, as far as it was told the same. Bytes of its options. */
function putSyn(ip: usize, conn: Conn): u32 {
  const own = proxiedOf(conn);
  const terms = own.terms;
  const at = ip + ownHeaders(conn.isServerV6);
  const scale = scaleIn(terms);
  const options = writeOffer(at, sizeIn(terms), scale, hasSackIn(terms), isStampedIn(terms), own.stamp, 0);
  // No window of a SYN is scaled.
  const window = scale == NO_SCALE ? own.window : min<u32>(own.window << scale, WINDOW_MAX);
  putForServer(ip, conn, firstNumber(conn), 0, SYN, window, options);
  return options;
}

/** The way to the connection's client. */
export function hopToClient(conn: Conn): Hop {
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP_BACK);
  resolveAny(conn.isV6, conn.caddr, hop);
  return hop;
}

/**
 * Where in a frame a segment of that family to `hop` is to be written, which has so many bytes of options; 0, and the frame is
 * judged, when it cannot be sent.
 */
function roomIn(frame: Descriptor, packet: Scratch, hop: Hop, v6: bool, options: u32): usize {
  const ip = startOf(packet, ownHeaders(v6) + options);
  if (hop.kind != HopKind.Forward && hop.kind != HopKind.NoNeighbour) {
    frame.judge(Verdict.Drop, hop.kind == HopKind.Local ? Reason.LocalBoundary : Reason.NoRoute);
    return 0;
  }
  return canLeave(frame, ip, hop) ? ip : 0;
}

/** The frame is the segment at `ip` now. */
export function send(frame: Descriptor, ip: usize, hop: Hop, reason: Reason): void {
  forgetPartial(frame);
  putLink(frame, ip, hop.outInterface, hop.mac);
  frame.judge(Verdict.Forward, reason);
}

/**
 * The frame is the segment at `ip` now, with so many bytes of options, which goes to the server in the client's name: it tells
 * the server who that is, as the client's own would. `packet` is free.
 */
function sendForClient(
  frame: Descriptor,
  packet: Scratch,
  conn: Conn,
  hop: Hop,
  ip: usize,
  options: u32,
  reason: Reason,
): void {
  const v6 = conn.isServerV6;
  const mtu = changetype<Dest>(conn.dest).pathMtu(hop);
  forgetPartial(frame);
  frame.headroom = <u32>min<usize>(ip - frame.floor, 0xffff);
  frame.address = ip;
  packet.flags = v6 ? <u32>ScratchFlag.V6 : 0;
  packet.protocol = Protocol.Tcp;
  packet.ip = ip;
  packet.l4 = ip + ownHeaders(v6) - TCP_MIN;
  packet.l4Length = TCP_MIN + options;
  frame.length = packet.totalLength;
  // One of its own, to tell it before, would be as long.
  if (carry(frame, packet, conn, hop, mtu) == Told.Ahead) countReason(Reason.ClientAddressLost);
  send(frame, packet.ip, hop, reason);
}

/** Lets the client's segment become the SYN to the server. When it cannot be sent now, it is tried again. */
export function sendSyn(frame: Descriptor, packet: Scratch, conn: Conn): void {
  const hop = hopToServer(conn);
  const ip = roomIn(frame, packet, hop, conn.isServerV6, OFFER_MAX);
  if (ip != 0) sendForClient(frame, packet, conn, hop, ip, putSyn(ip, conn), Reason.SynProxied);
}

/** Judges what a server says that has not answered the SYN yet. */
export function answerServer(frame: Descriptor, packet: Scratch, conn: Conn): void {
  frame.conn = <u32>changetype<usize>(conn);
  countOut(changetype<Dest>(conn.dest), packet.totalLength);
  if (!isSane(packet)) {
    frame.judge(Verdict.Drop, Reason.SynProxyWait);
    return;
  }
  if (!isIntact(frame, packet)) return;
  const tcp = changetype<Tcp>(packet.l4);
  const flags = tcp.flags & (SYN | RST | ACK);
  if ((flags & ACK) != 0 && tcp.acknowledgement != firstNumber(conn) + 1) {
    if ((flags & RST) == 0) resetServer(frame, packet, conn);
    else frame.judge(Verdict.Drop, Reason.SynProxyWait);
  } else if (flags == (RST | ACK)) {
    relayReset(frame, packet, conn);
  } else if (flags == (SYN | ACK)) {
    connect(frame, packet, conn);
  } else {
    frame.judge(Verdict.Drop, Reason.SynProxyWait);
  }
}

/** The server speaks of an older connection (RFC 9293 §3.10.7.3): it is told that there is none. */
function resetServer(frame: Descriptor, packet: Scratch, conn: Conn): void {
  const hop = hopToServer(conn);
  const sequence = changetype<Tcp>(packet.l4).acknowledgement;
  const ip = roomIn(frame, packet, hop, conn.isServerV6, 0);
  if (ip == 0) return;
  putForServer(ip, conn, sequence, 0, RST, 0, 0);
  send(frame, ip, hop, Reason.SynProxyReset);
}

/** The server refuses: so does the director. */
function relayReset(frame: Descriptor, packet: Scratch, conn: Conn): void {
  const hop = hopToClient(conn);
  const ip = roomIn(frame, packet, hop, conn.isV6, 0);
  if (ip != 0) {
    putForClient(ip, conn, proxiedOf(conn).cookie, RST | ACK, 0, 0);
    send(frame, ip, hop, Reason.SynProxyReset);
  }
  end(frame, conn);
}

function end(frame: Descriptor, conn: Conn): void {
  endConnection(conn);
  frame.conn = 0;
}

/** The server has answered: it gets the third part of its handshake, and the client, which has had that, its window. */
function connect(frame: Descriptor, packet: Scratch, conn: Conn): void {
  const own = proxiedOf(conn);
  const tcp = changetype<Tcp>(packet.l4);
  const offer = readOffer(packet.l4, tcp.headerLength);
  const stamped = isStampedIn(own.terms);
  const cookie = own.cookie;
  const number = tcp.sequence;
  if (stamped && !isStamped(offer)) {
    refuseBoth(frame, conn, number);
    return;
  }
  const stamp = own.stamp;
  const window = own.window;
  const bytes = tcp.window;
  const ahead = stamped ? ownStamp(conn) - stampOf(offer) : 0;
  establish(conn, cookie - number, ahead, scaleIn(own.terms) == NO_SCALE ? NO_SCALE : scaleOf(offer));
  if (conn.isFull) conn.extension.noteAnswer(number);
  if (tellsEnds()) noteExpected(conn, cookie + 1, tcp.acknowledgement);
  openWindow(frame, conn, cookie, toClient(bytes, own), stamp);

  const hop = hopToServer(conn);
  const v6 = conn.isServerV6;
  const ip = roomIn(frame, packet, hop, v6, stamped ? USUAL_SIZE : 0);
  if (ip == 0) return;
  const options = writeOffer(ip + ownHeaders(v6), 0, NO_SCALE, false, stamped, stamp, stampOf(offer));
  putForServer(ip, conn, firstDataNumber(conn), number + 1, ACK, toServer(window, own), options);
  sendForClient(frame, packet, conn, hop, ip, options, Reason.SynProxyAck);
}

/** Neither can do without timestamps what the other does with them. */
function refuseBoth(frame: Descriptor, conn: Conn, number: u32): void {
  resetClient(frame, conn);
  const hop = hopToServer(conn);
  const made = hop.kind == HopKind.Forward ? takeFrame(frame, ownHeaders(conn.isServerV6)) : null;
  if (made != null) {
    putForServer(made.address, conn, firstNumber(conn) + 1, number + 1, RST | ACK, 0, 0);
    send(made, made.address, hop, Reason.SynProxyReset);
  }
  end(frame, conn);
  frame.judge(Verdict.Drop, Reason.SynProxyMismatch);
}

/** Tells the client which window the server has. Without room nobody does: it asks for it then. */
function openWindow(cause: Descriptor, conn: Conn, cookie: u32, window: u32, echo: u32): void {
  const hop = hopToClient(conn);
  const made = hop.kind == HopKind.Forward ? takeFrame(cause, ownHeaders(conn.isV6) + OFFER_MAX) : null;
  if (made == null) return;
  const stamped = isStampedIn(proxiedOf(conn).terms);
  const at = made.address + ownHeaders(conn.isV6);
  const options = writeOffer(at, 0, NO_SCALE, false, stamped, stamped ? ownStamp(conn) : 0, echo);
  putForClient(made.address, conn, cookie, ACK, window, options);
  made.conn = <u32>changetype<usize>(conn);
  send(made, made.address, hop, Reason.SynProxyAck);
}

/** Tells a client that there is no server for it. False: there is no room for that. */
function resetClient(cause: Descriptor | null, conn: Conn): bool {
  const hop = hopToClient(conn);
  if (hop.kind != HopKind.Forward) return true;
  const made = takeFrame(cause, ownHeaders(conn.isV6));
  if (made == null) return false;
  putForClient(made.address, conn, proxiedOf(conn).cookie, RST | ACK, 0, 0);
  send(made, made.address, hop, Reason.SynProxyReset);
  return true;
}

/** Tells a client that has answered a cookie that there is no server for it. */
export function refuseClient(cause: Descriptor, packet: Scratch): void {
  const v6 = packet.isV6;
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP_BACK);
  resolveAny(v6, packet.source, hop, packet.receivedOn);
  const made = hop.kind == HopKind.Forward ? takeFrame(cause, ownHeaders(v6)) : null;
  if (made == null) return;
  const sequence = changetype<Tcp>(packet.l4).acknowledgement;
  const ports = rotl<u32>(load<u32>(packet.l4), 16);
  putSegment(made.address, v6, packet.destination, packet.source, ports, sequence, 0, RST, 0, 0);
  send(made, made.address, hop, Reason.SynProxyReset);
}

/**
 * A server has been silent: it is asked once more, by the room in `packet`, or the client is told that there is none. False:
 * there is no room for that.
 */
export function askAgain(packet: Scratch, conn: Conn): bool {
  if (proxiedOf(conn).retries != 0) return sendAgain(packet, conn);
  if (!resetClient(null, conn)) return false;
  endConnection(conn);
  return true;
}

/** Sends the SYN once more. False: there is no room for it. */
function sendAgain(packet: Scratch, conn: Conn): bool {
  const hop = hopToServer(conn);
  if (hop.kind == HopKind.Forward) {
    const made = takeFrame(null, ownHeaders(conn.isServerV6) + OFFER_MAX);
    if (made == null) return false;
    made.conn = <u32>changetype<usize>(conn);
    const options = putSyn(made.address, conn);
    sendForClient(made, packet, conn, hop, made.address, options, Reason.SynProxied);
  }
  countRetry(conn);
  return true;
}
