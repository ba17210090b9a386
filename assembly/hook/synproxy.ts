/**
 * SYN proxy: what comes to a service behind cookies. docs/synproxy.md has the rules.
 *
 * @module
 */
import { ScratchFlag } from '../../src/abi/frames';
import { Protocol } from '../../src/abi/protocol';
import { SB_SYNPROXY_DEFER, SB_SYNPROXY_DUP_ACK } from '../../src/abi/superblock';
import { Reason, Verdict } from '../../src/abi/verdict';
import { readChain } from '../block';
import { hasExtension, takeExtension } from '../conn/extension';
import { awaitServer, countRepeated, forgetRepeated, isAwaiting, proxiedOf } from '../conn/proxied';
import { Conn } from '../conn/record';
import {
  freeStored,
  nextStored,
  STORED_HEAD,
  storedEnd,
  storedLength,
  storedMark,
  storedOf,
  storedReceivedOn,
  storePacket,
} from '../conn/stored';
import { extend, isConnection } from '../conn/table';
import { Descriptor, Scratch } from '../descriptor';
import { NOT_VALID, readCookie } from '../flow/cookie';
import { isIntact } from '../flow/intact';
import { begin } from '../flow/isn';
import { canComplete, completeChecksum } from '../flow/offload';
import { parsePacket } from '../flow/parse';
import { isSane } from '../flow/sequence';
import { takeFrame } from '../forward/made';
import { answerServer, refuseClient, sendSyn } from '../forward/proxied';
import { answerSyn } from '../forward/syn-ack';
import { hasTransportHeader } from '../forward/translate';
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { countIn } from '../service/stats';
import { field, now32 } from '../superblock';
import { readOffer, stampOf } from '../wire/offer';
import { portsBE } from '../wire/ports';
import { ACK, FIN, RST, SYN, Tcp } from '../wire/tcp';
import { ANY_SIZE, findOption, SACK } from '../wire/tcp-options';
import { keepLocal } from './balance';
import { input } from './input';
import { connect, isOwnPort, mayConnect, serviceOf } from './schedule';

/** Acknowledgments that come later than this behind the connection's last packet, in milliseconds, are no storm. */
const STORM_GAP: u32 = 1000;

/** A SYN that a cookie answers. */
function isPlainSyn(packet: Scratch): bool {
  return (changetype<Tcp>(packet.l4).flags & (SYN | ACK | RST | FIN)) == SYN;
}

/** A segment that may answer one. */
function isAcknowledgment(packet: Scratch): bool {
  return (changetype<Tcp>(packet.l4).flags & (SYN | ACK | RST)) == ACK;
}

/** The service behind cookies that a packet is for, if it is a segment, and there is no `service` that takes it; 0: none. */
function proxyFor(frame: Descriptor, packet: Scratch, service: usize): usize {
  if (service != 0 || packet.protocol != Protocol.Tcp || !hasTransportHeader(packet)) return 0;
  const address = serviceOf(frame, packet.isV6, packet.destination, Protocol.Tcp, portsBE(packet.l4) >> 16);
  return address != 0 && changetype<Service>(address).isProxy ? address : 0;
}

/** The service whose cookie answers a SYN even though there is a connection, which may begin again; 0: it is none. */
export function answeredBy(frame: Descriptor, packet: Scratch, service: usize): usize {
  const address = proxyFor(frame, packet, service);
  return address != 0 && isPlainSyn(packet) ? address : 0;
}

/**
 * Whether it answers a cookie that such a SYN has got. What has the first number of the connection itself is an answer that comes
 * again.
 */
export function bringsCookie(frame: Descriptor, packet: Scratch, conn: Conn, service: usize): bool {
  if (proxyFor(frame, packet, service) == 0 || !isAcknowledgment(packet) || !isSane(packet)) return false;
  const found = find(packet);
  return foundData(found) != NOT_VALID && !(conn.isProxied && proxiedOf(conn).number == foundNumber(found));
}

/**
 * The data of the cookie that a segment answers, or NOT_VALID, and behind that in the high half the client's first number. A
 * client that asks for a window again counts one less.
 */
function find(packet: Scratch): u64 {
  const tcp = changetype<Tcp>(packet.l4);
  const cookie = tcp.acknowledgement - 1;
  let number = tcp.sequence - 1;
  let data = readCookie(packet.hash, number, cookie);
  if (data == NOT_VALID && packet.l4Length == tcp.headerLength) {
    number++;
    data = readCookie(packet.hash, number, cookie);
  }
  return <u64>data | ((<u64>number) << 32);
}

function foundData(found: u64): u32 {
  return <u32>found;
}

function foundNumber(found: u64): u32 {
  return <u32>(found >> 32);
}

/** Judges a segment of no connection, whose header is there. */
export function openProxied(frame: Descriptor, packet: Scratch, service: Service): void {
  // No packet of it would find its connection.
  if ((portsBE(packet.l4) & 0xffff) == 0) {
    frame.judge(Verdict.Drop, Reason.ClientPortZero);
    return;
  }
  if (isPlainSyn(packet)) {
    answerSyn(frame, packet, service);
    return;
  }
  if (!isAcknowledgment(packet)) {
    keepLocal(frame, Reason.NotOpening);
    return;
  }
  const found = isSane(packet) ? find(packet) : <u64>NOT_VALID;
  if (foundData(found) == NOT_VALID) keepLocal(frame, Reason.BadCookie);
  else if (isIntact(frame, packet)) accept(frame, packet, service, foundData(found), foundNumber(found));
}

/** The client has answered its cookie: a server is asked. */
function accept(frame: Descriptor, packet: Scratch, service: Service, data: u32, number: u32): void {
  const tcp = changetype<Tcp>(packet.l4);
  if (field(SB_SYNPROXY_DEFER) != 0 && packet.l4Length == tcp.headerLength && (tcp.flags & FIN) == 0) {
    frame.judge(Verdict.Drop, Reason.SynProxyWait);
    return;
  }
  const ports = portsBE(packet.l4);
  if (!mayConnect(frame, ports)) return;
  const made = hasExtension() ? connectTo(service, packet, ports) : <usize>Reason.TableFull;
  if (!isConnection(made)) {
    if (made == Reason.NoDest) refuseClient(frame, packet);
    frame.judge(Verdict.Drop, <Reason>made);
    return;
  }
  const conn = changetype<Conn>(made);
  if (!conn.isExtended) extend(conn, takeExtension());
  const stamp = stampOf(readOffer(packet.l4, tcp.headerLength));
  awaitServer(conn, number, tcp.acknowledgement - 1, data, tcp.window, stamp);
  if (conn.isFull) begin(conn, number);
  frame.conn = <u32>made;
  conn.inPackets += 1;
  countIn(changetype<Dest>(conn.dest), packet.totalLength);
  keep(frame, packet, conn);
  sendSyn(frame, packet, conn);
}

function connectTo(service: Service, packet: Scratch, ports: u32): usize {
  if (!isOwnPort(service, ports >> 16)) return Reason.NoDest;
  const v6 = packet.isV6;
  const destination = packet.destination;
  return connect(service, packet.hash, v6, packet.source, destination, destination, ports, Protocol.Tcp, 0, 0);
}

/**
 * Keeps what a client sends before its server has answered, if it goes on from what was kept before; else it has to come again.
 */
function keep(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  if (packet.isReassembled || !hasTransportHeader(packet) || !isSane(packet)) return false;
  const tcp = changetype<Tcp>(packet.l4);
  const fin: u32 = (tcp.flags & FIN) != 0 ? 1 : 0;
  const bytes = packet.l4Length - tcp.headerLength + fin;
  const isNext = tcp.sequence == storedEnd(conn, proxiedOf(conn).number + 1);
  if ((tcp.flags & (SYN | RST | ACK)) != ACK || bytes == 0 || !isNext || !canComplete(frame, packet)) return false;
  completeChecksum(frame, packet);
  return storePacket(conn, packet.ip, packet.totalLength, tcp.sequence + bytes, packet.receivedOn, frame.mark);
}

/** Judges what a server says that has not answered the SYN yet. When it does, it gets what was kept for it, too. */
export function receiveServer(frame: Descriptor, packet: Scratch, conn: Conn): void {
  const stored = storedOf(conn);
  answerServer(frame, packet, conn);
  if (stored == 0 || frame.conn == 0 || isAwaiting(conn)) return;
  // The first of them may end the connection, and begin another.
  const family: u32 = conn.isV6 ? ScratchFlag.V6 : 0;
  for (let chain = stored; chain != 0; chain = nextStored(chain)) sendStored(frame, packet, family, chain);
  freeStored(stored);
}

/** Judges a client's packet as if it came now, by the room in `packet`, whose own is judged. Without a frame for it, it is lost. */
function sendStored(cause: Descriptor, packet: Scratch, family: u32, chain: usize): void {
  const length = storedLength(chain);
  const made = takeFrame(cause, length);
  if (made == null) return;
  readChain(chain, STORED_HEAD, made.address, length);
  made.length = length;
  packet.flags = family;
  packet.receivedOn = storedReceivedOn(chain);
  made.inInterface = packet.receivedOn;
  made.mark = storedMark(chain);
  if (parsePacket(made, packet, made.address)) input(made, packet);
}

/** Whether a client's packet of such a connection may go on to the server; judges the frame when not. */
export function mayPassProxy(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  if (isAwaiting(conn)) {
    frame.conn = <u32>changetype<usize>(conn);
    if (keep(frame, packet, conn)) frame.judge(Verdict.Held, Reason.SynProxyHeld);
    else frame.judge(Verdict.Drop, Reason.SynProxyWait);
    return false;
  }
  const most = field(SB_SYNPROXY_DUP_ACK);
  if (!isPureAcknowledgment(packet)) {
    forgetRepeated(conn);
    return true;
  }
  if (now32() - conn.touched > STORM_GAP) forgetRepeated(conn);
  const tcp = changetype<Tcp>(packet.l4);
  const mark = (tcp.sequence ^ rotl<u32>(tcp.acknowledgement, 7)) + tcp.window * 0x9e3779b1;
  if (countRepeated(conn, mark) < most || most == 0) return true;
  frame.conn = <u32>changetype<usize>(conn);
  frame.judge(Verdict.Drop, Reason.AckStorm);
  return false;
}

/** A segment that says nothing but what was received: without data, and without blocks that came out of order. */
function isPureAcknowledgment(packet: Scratch): bool {
  if (!hasTransportHeader(packet) || !isSane(packet)) return false;
  const tcp = changetype<Tcp>(packet.l4);
  if ((tcp.flags & (SYN | FIN | RST | ACK)) != ACK || packet.l4Length != tcp.headerLength) return false;
  return findOption(packet.l4, tcp.headerLength, SACK, ANY_SIZE) == 0;
}
