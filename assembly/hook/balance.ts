/**
 * Packets addressed to this host: to a service's dest, or to the host's own stack.
 *
 * @module
 */
import { DescriptorFlag } from '../../src/abi/frames';
import { Method, Protocol } from '../../src/abi/protocol';
import {
  SB_CACHE_BYPASS,
  SB_EXPIRE_NODEST_CONN,
  SB_FULLNAT,
  SB_HOP,
  SB_SLOPPY_SCTP,
  SB_SLOPPY_TCP,
  SUPERBLOCK,
} from '../../src/abi/superblock';
import { Reason, Verdict } from '../../src/abi/verdict';
import { controlsAny, expireNow, hold, letLoose } from '../conn/control';
import { isAwaiting } from '../conn/proxied';
import { Conn } from '../conn/record';
import { connOf, fillClientPort, isConnection, isReply, isWaiting, makeConnection, putFirst } from '../conn/table';
import { Direction } from '../conn/tcp-state';
import { Descriptor, Scratch } from '../descriptor';
import { isIpv6 } from '../flow/family';
import { completeChecksum, forgetPartial } from '../flow/offload';
import { isOpening, isReset } from '../flow/opening';
import { isUnicast } from '../flow/options';
import { findMessage, isQuery, isQueryReply, messageOf, noteTuple, tuplePortsBE } from '../flow/query';
import { seeSegment } from '../flow/segment';
import { findByTuple, isIpsec } from '../flow/tuple';
import { answerPortUnreachable } from '../forward/answer';
import { helpOut } from '../forward/ftp';
import { changeOut } from '../forward/help';
import { transmit64 } from '../forward/nat64';
import { generationOf, keepHop, mayBeginAgain, seeReply } from '../forward/route';
import { answerSyn } from '../forward/syn-ack';
import { hasTransportHeader, translateOut } from '../forward/translate';
import { refuseCut, transmit } from '../forward/transmit';
import { Hop, resolveAny } from '../net/hop';
import { Dest } from '../service/dest';
import { FTP_BE, Service } from '../service/service';
import { countIn } from '../service/stats';
import { field, now32 } from '../superblock';
import { isMulticast6 } from '../wire/ipv6';
import { hasPorts, portsBE } from '../wire/ports';
import { hasChunk } from '../wire/sctp';
import { UDP_SIZE } from '../wire/udp';
import { returnReply } from './fullnat';
import { icmpIn } from './icmp';
import { connect, endIfOnce, isOnce, isOwnPort, mayConnect, serviceOf, snatService } from './schedule';
import { isStray, refuseStray } from './stray';
import { answeredBy, bringsCookie, mayPassProxy, openProxied, receiveServer } from './synproxy';

/** Judges a packet to one of our addresses, tunnels apart. */
export function deliver(frame: Descriptor, packet: Scratch): void {
  if (hasPorts(packet.protocol) || isIpsec(packet)) {
    balance(frame, packet);
  } else if (!icmpIn(frame, packet) && !takeQuery(frame, packet, false)) {
    keepLocal(frame, Reason.LocalDelivery);
  }
}

/** For the host's own stack. */
export function keepLocal(frame: Descriptor, reason: Reason): void {
  const decapsulated = (frame.flags & DescriptorFlag.Decapsulated) != 0;
  frame.judge(Verdict.Local, decapsulated ? Reason.Decapsulated : reason);
}

/** Looks for the connection, or makes one. */
function balance(frame: Descriptor, packet: Scratch): void {
  const ref = findByTuple(packet);
  if (ref != 0 && isReply(ref)) {
    answerLocalClient(frame, packet, connOf(ref));
    return;
  }
  if (!refuseStray(frame, packet)) serveClient(frame, packet, ref, 0);
}

/** SNAT: judges a packet, no reply, that would be routed else; `ref` is its connection's, 0 for none. False: it is routed. */
export function sendOut(frame: Descriptor, packet: Scratch, ref: u32): bool {
  if (!hasPorts(packet.protocol)) return false;
  const service = snatService(frame, packet);
  if (service == 0 || isStray(packet)) return false;
  serveClient(frame, packet, ref, service);
  return true;
}

/**
 * SNAT: judges a query of ICMP that would be routed else and is marked, or is of a connection to what became an address of this
 * host, or a reply to one. False: it is the host's, or routed.
 */
export function takeQuery(frame: Descriptor, packet: Scratch, passing: bool): bool {
  const icmp = messageOf(packet);
  if (icmp == null) return false;
  const v6 = packet.isV6;
  const answers = isQueryReply(v6, icmp);
  if (!answers && !isQuery(v6, icmp)) return false;
  let service: usize = 0;
  if (passing && !answers) {
    service = snatService(frame, packet);
    if (service == 0) return false;
  }
  const areThere = field(SB_FULLNAT) != 0;
  const ref = areThere ? findMessage(v6, packet.source, packet.destination, icmp.identifierBE, answers) : 0;
  if (ref == 0 && service == 0) return false;
  // No network card fills one of ICMP in, but GUE's remote kind may have left it.
  if (!packet.hasRemoteChecksum) forgetPartial(frame);
  if (answers) {
    returnReply(frame, packet, connOf(ref));
  } else {
    noteTuple(packet);
    serveClient(frame, packet, ref, service);
  }
  return true;
}

/** A client's packet: for its connection, or for a service, whatever that is for 0. */
function serveClient(frame: Descriptor, packet: Scratch, ref: u32, service: usize): void {
  if (ref != 0) serveKnown(frame, packet, connOf(ref), service);
  else if (isIpsec(packet)) keepLocal(frame, Reason.LocalDelivery);
  else schedule(frame, packet, service);
}

/** A packet of a connection, or one in whose place it opens another. */
function serveKnown(frame: Descriptor, packet: Scratch, conn: Conn, service: usize): void {
  const isOver = mayBeginAgain(conn);
  const isLost = conn.method != Method.Bypass && !changetype<Dest>(conn.dest).isAvailable;
  const isGuess = (isOver || isLost) && bringsCookie(frame, packet, conn, service);
  if (!isOver || !(isGuess || isOpening(packet))) {
    if (!isLost) {
      if (isWaiting(conn) && conn.method == Method.Masq) fillClientPort(conn, portsBE(packet.l4) & 0xffff);
      checkAddresses(conn);
      serveAny(frame, packet, conn);
      return;
    }
    if (field(SB_EXPIRE_NODEST_CONN) == 0) {
      frame.conn = <u32>changetype<usize>(conn);
      frame.judge(Verdict.Drop, Reason.DestUnavailable);
      return;
    }
  }
  // Anybody may have sent a SYN that a cookie answers: it ends nothing.
  const proxy = answeredBy(frame, packet, service);
  if (proxy != 0) {
    answerSyn(frame, packet, changetype<Service>(proxy));
    return;
  }
  // Its dest counts the old connection while another is chosen, in the kernel a timer ends it; it makes no room before.
  hold(conn);
  if (isIpsec(packet)) keepLocal(frame, Reason.LocalDelivery);
  else schedule(frame, packet, service);
  letLoose(conn);
  // A cookie that opens nothing ends nothing, either.
  if (!isGuess || frame.conn != 0) dismiss(frame, conn);
}

/** Ends a connection in whose place another may have been made; one that controls others is only not found any more. */
function dismiss(frame: Descriptor, conn: Conn): void {
  const isControlling = controlsAny(conn);
  if (!isControlling || !changetype<Dest>(conn.dest).isAvailable) expireNow(conn);
  if (isControlling && frame.conn != 0) putFirst(changetype<Conn>(<usize>frame.conn));
}

/** A server's reply to a client that is this host: its stack gets it from the service it called. */
function answerLocalClient(frame: Descriptor, packet: Scratch, conn: Conn): void {
  if (conn.isFull) {
    returnReply(frame, packet, conn);
    return;
  }
  frame.conn = <u32>changetype<usize>(conn);
  if (!hasTransportHeader(packet)) {
    frame.judge(Verdict.Drop, Reason.TransportTruncated);
    return;
  }
  if (isAwaiting(conn)) {
    receiveServer(frame, packet, conn);
    return;
  }
  if (conn.isExtended && !helpOut(frame, packet, conn)) {
    conn.touched = now32();
    return;
  }
  seeReply(packet, conn);
  if (packet.isV6) translateOut<v128>(frame, packet, conn);
  else translateOut<u32>(frame, packet, conn);
  if (conn.isExtended) {
    if (!changeOut(frame, packet, conn)) return;
    completeChecksum(frame, packet);
  }
  if (!packet.isV6) packet.header.fillChecksum();
  frame.judge(Verdict.Local, Reason.LocalClient);
}

/** A packet of no connection: for a service, whatever that is for 0, or the host's own stack. */
function schedule(frame: Descriptor, packet: Scratch, service: usize): void {
  // Of SCTP the first chunk must be there, too, whatever it is.
  const noChunk = packet.protocol == Protocol.Sctp && !hasChunk(packet.l4Length);
  if (packet.bucket == 0 || !hasTransportHeader(packet) || noChunk) {
    frame.judge(Verdict.Drop, Reason.TransportTruncated);
    return;
  }
  const address = service != 0 || !hasPorts(packet.protocol) ? service : serviceFor(frame, packet);
  if (address == 0) {
    keepLocal(frame, Reason.LocalDelivery);
    return;
  }
  open(frame, packet, changetype<Service>(address));
}

/** The service of where the packet is addressed, or of its mark; 0 for none. */
function serviceFor(frame: Descriptor, packet: Scratch): usize {
  return serviceOf(frame, packet.isV6, packet.destination, packet.protocol, portsBE(packet.l4) >> 16);
}

/** Makes a connection to the service, for a packet that may open one. */
function open(frame: Descriptor, packet: Scratch, service: Service): void {
  if (service.isProxy && packet.protocol == Protocol.Tcp) {
    openProxied(frame, packet, service);
    return;
  }
  const isSnat = service.isSnat;
  if (!mayOpen(packet)) {
    if (isSnat) frame.judge(Verdict.Drop, Reason.NoConnection);
    else keepLocal(frame, Reason.NotOpening);
    return;
  }
  const ports = tuplePortsBE(packet);
  // FTP's data come from port 20 to clients: what goes out from there is like any.
  if (!mayConnect(frame, isSnat ? 0 : ports)) return;
  const made = connectTo(service, packet, ports);
  if (!isConnection(made)) {
    refuse(frame, packet, service, ports >> 16, <Reason>made);
    return;
  }
  const conn = changetype<Conn>(made);
  checkAddresses(conn);
  serveAny(frame, packet, conn);
  endIfOnce(frame, conn);
}

/** The connection that the packet opens, or a Reason why it opens none. */
function connectTo(service: Service, packet: Scratch, ports: u32): usize {
  const protocol = packet.protocol;
  const v6 = packet.isV6;
  const source = packet.source;
  const destination = packet.destination;
  const payload = packet.l4 + UDP_SIZE;
  const end = packet.l4 + packet.l4Length;
  const made = isOwnPort(service, ports >> 16)
    ? connect(service, packet.hash, v6, source, destination, destination, ports, protocol, payload, end)
    : <usize>Reason.NoDest;
  if (made != Reason.NoDest || !mayBypass(service, packet)) return made;
  const once = isOnce(service, protocol);
  return makeConnection(packet.hash, v6, source, destination, ports, protocol, null, destination, ports >> 16, once);
}

/** A packet that a service would take opens no connection. What is not for FTP's own port is the host's then. */
function refuse(frame: Descriptor, packet: Scratch, service: Service, portBE: u32, reason: Reason): void {
  if (reason == Reason.NoDest) {
    if (service.portBE == FTP_BE && portBE != FTP_BE) {
      keepLocal(frame, Reason.LocalDelivery);
      return;
    }
    answerPortUnreachable(frame, packet);
  }
  frame.judge(Verdict.Drop, reason);
}

/** cache_bypass: a firewall mark's service without a usable dest lets its packets go where they were addressed, of IPv4 if that is another host. */
function mayBypass(service: Service, packet: Scratch): bool {
  if (field(SB_CACHE_BYPASS) == 0 || service.fwmark == 0 || service.isSnat) return false;
  return packet.isV6 ? !isMulticast6(packet.destination) : isUnicast(packet.header.destinationBE);
}

/**
 * TCP: any SYN without RST, SYN+ACK and SYN+FIN too; with sloppy_tcp anything without RST. SCTP: an INIT; with sloppy_sctp
 * anything but an ABORT.
 */
function mayOpen(packet: Scratch): bool {
  const protocol = packet.protocol;
  if (protocol != Protocol.Tcp && protocol != Protocol.Sctp) return true;
  const isSloppy = field(protocol == Protocol.Tcp ? SB_SLOPPY_TCP : SB_SLOPPY_SCTP) != 0;
  return !isReset(packet) && (isSloppy || isOpening(packet));
}

function serveAny(frame: Descriptor, packet: Scratch, conn: Conn): void {
  if (conn.isProxied && !mayPassProxy(frame, packet, conn)) return;
  const whole = hasTransportHeader(packet);
  if (packet.isV6) serve<v128>(frame, packet, conn, whole);
  else serve<u32>(frame, packet, conn, whole);
}

/** Counts a client's packet, moves the state on, and sends it to the dest. `whole`: it has its transport header. */
export function serve<A>(frame: Descriptor, packet: Scratch, conn: Conn, whole: bool): void {
  frame.conn = <u32>changetype<usize>(conn);
  conn.inPackets += 1;
  if (conn.dest != 0) countIn(changetype<Dest>(conn.dest), packet.totalLength);
  // UDP's one state needs no header.
  if (whole || conn.protocol == Protocol.Udp) seeSegment(packet, conn, Direction.In);
  else conn.touched = now32();
  // DR and TUN look no further than the ports.
  if (!whole && conn.isTranslated) {
    refuseCut(frame, packet, conn);
    return;
  }
  if (isIpv6<A>() && conn.isNat64) transmit64(frame, packet, conn);
  else transmit<A>(frame, packet, conn);
}

/** Notes that the connection's addresses were checked in this network, and the way to its client; not of one that goes no short way. */
function checkAddresses(conn: Conn): void {
  if (conn.hopGeneration == generationOf(conn) || conn.goesLong) return;
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  resolveAny(conn.isV6, conn.caddr, hop);
  keepHop(conn, hop);
}
