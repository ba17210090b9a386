/**
 * Packets addressed to this host: to a service's dest, out of a tunnel, or to the host's own stack.
 *
 * @module
 */
import { DescriptorFlag, SB_EXPIRE_NODEST_CONN, SB_HOP, SB_SLOPPY_TCP, SUPERBLOCK } from '../../src/abi/memory';
import { Method, Protocol } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { connOf, endConnection, find, isReply, makeConnection } from '../conn/table';
import { Direction } from '../conn/tcp-state';
import { Descriptor, Scratch } from '../descriptor';
import { walkOptions } from '../flow/options';
import { seeSegment } from '../flow/segment';
import { answerPortUnreachable } from '../forward/answer';
import { keepHop, seeReply } from '../forward/route';
import { hasTransportHeader, translateOut } from '../forward/translate';
import { transmit } from '../forward/transmit';
import { Hop, resolveHop } from '../net/hop';
import { pickDest } from '../sched/index';
import { Dest } from '../service/dest';
import { findService, Service } from '../service/service';
import { countConnection, countIn } from '../service/stats';
import { field, netGeneration, now32 } from '../superblock';
import { ICMP_SIZE, Icmp, isRelated } from '../wire/icmp';
import { IPV4_MIN, Ipv4 } from '../wire/ipv4';
import { portsBE } from '../wire/ports';
import { RST, SYN, Tcp } from '../wire/tcp';

/** FTP's data port: connections from it belong to a control connection. */
const FTP_DATA_BE: u32 = 20 << 8;

/** Judges a packet to one of our addresses, tunnels apart. */
export function deliver(frame: Descriptor, packet: Scratch): void {
  switch (packet.header.protocol) {
    case Protocol.Tcp:
    case Protocol.Udp:
      balance(frame, packet);
      break;
    case Protocol.Icmp:
      if (isErrorAboutTransport(packet)) frame.judge(Verdict.Pass, Reason.IcmpError);
      else keepLocal(frame, Reason.LocalDelivery);
      break;
    default:
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
  if (packet.bucket == 0) {
    frame.judge(Verdict.Drop, Reason.TransportTruncated);
    return;
  }
  const header = packet.header;
  const ref = find(packet.hash, header.sourceBE, header.destinationBE, portsBE(packet.l4), header.protocol);
  if (ref != 0) {
    const conn = connOf(ref);
    if (isReply(ref)) {
      answerLocalClient(frame, packet, conn);
      return;
    }
    if (changetype<Dest>(conn.dest).isAvailable) {
      checkAddresses(conn);
      serve(frame, packet, conn);
      return;
    }
    if (field(SB_EXPIRE_NODEST_CONN) == 0) {
      frame.conn = <u32>changetype<usize>(conn);
      frame.judge(Verdict.Drop, Reason.DestUnavailable);
      return;
    }
    endConnection(conn);
  }
  schedule(frame, packet);
}

/** A server's reply to a client that is this host: its stack gets it from the service it called. */
function answerLocalClient(frame: Descriptor, packet: Scratch, conn: Conn): void {
  frame.conn = <u32>changetype<usize>(conn);
  if (!hasTransportHeader(packet)) {
    frame.judge(Verdict.Drop, Reason.TransportTruncated);
    return;
  }
  seeReply(packet, conn);
  translateOut(packet, conn);
  packet.header.fillChecksum();
  frame.judge(Verdict.Local, Reason.LocalClient);
}

/** Makes a connection for a packet that may open one. */
function schedule(frame: Descriptor, packet: Scratch): void {
  if (!hasTransportHeader(packet)) {
    frame.judge(Verdict.Drop, Reason.TransportTruncated);
    return;
  }
  const header = packet.header;
  const protocol = header.protocol;
  const ports = portsBE(packet.l4);
  const address = findService(protocol, header.destinationBE, ports >> 16);
  if (address == 0) {
    keepLocal(frame, Reason.LocalDelivery);
    return;
  }
  if (protocol == Protocol.Tcp && !mayOpen(changetype<Tcp>(packet.l4).flags)) {
    keepLocal(frame, Reason.NotOpening);
    return;
  }
  if ((ports & 0xffff) == FTP_DATA_BE) {
    frame.judge(Verdict.Local, Reason.FtpData);
    return;
  }
  const picked = pickDest(changetype<Service>(address), header.sourceBE, ports & 0xffff);
  if (picked == 0) {
    if (header.headerLength != IPV4_MIN) {
      walkOptions(header, true, header.destinationBE);
      header.fillChecksum();
    }
    answerPortUnreachable(frame, packet);
    frame.judge(Verdict.Drop, Reason.NoDest);
    return;
  }
  const dest = changetype<Dest>(picked);
  const conn = makeConnection(packet.hash, header.sourceBE, header.destinationBE, ports, protocol, dest);
  if (conn == null) {
    frame.judge(Verdict.Drop, Reason.TableFull);
    return;
  }
  countConnection(dest);
  checkAddresses(conn);
  serve(frame, packet, conn);
}

/** Any SYN without RST, SYN+ACK and SYN+FIN too; with sloppy_tcp anything without RST. */
function mayOpen(flags: u32): bool {
  return (flags & RST) == 0 && ((flags & SYN) != 0 || field(SB_SLOPPY_TCP) != 0);
}

/** Counts a client's packet, moves the state on, and sends it to the dest. */
export function serve(frame: Descriptor, packet: Scratch, conn: Conn): void {
  frame.conn = <u32>changetype<usize>(conn);
  conn.inPackets += 1;
  countIn(changetype<Dest>(conn.dest), packet.header.totalLength);
  const whole = hasTransportHeader(packet);
  // UDP's one state needs no header.
  if (whole || conn.protocol == Protocol.Udp) seeSegment(packet, conn, Direction.In);
  else conn.touched = now32();
  // DR and TUN look no further than the ports.
  if (!whole && conn.method == Method.Masq) {
    frame.judge(Verdict.Drop, Reason.TransportTruncated);
    return;
  }
  transmit(frame, packet, conn);
}

/** Notes that the connection's addresses were checked in this network, and the way to its client. */
function checkAddresses(conn: Conn): void {
  if (conn.hopGeneration == netGeneration()) return;
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  resolveHop(conn.caddrBE, hop);
  keepHop(conn, hop);
}

/** Whether this is an ICMP error that quotes a TCP or UDP packet, whole enough to be told. */
function isErrorAboutTransport(packet: Scratch): bool {
  if (packet.l4Length < ICMP_SIZE + IPV4_MIN || !isRelated(changetype<Icmp>(packet.l4).type)) return false;
  const protocol = changetype<Ipv4>(packet.l4 + ICMP_SIZE).protocol;
  return protocol == Protocol.Tcp || protocol == Protocol.Udp;
}
