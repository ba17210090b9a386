/**
 * ICMP and ICMPv6 errors about connections, addressed to this host or passing through: they go to a server, or to a client,
 * which may be this host itself.
 *
 * @module
 */

import { Protocol } from '../../src/abi/protocol';
import { SB_SCHEDULE_ICMP } from '../../src/abi/superblock';
import { HopKind } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { mustDropPacket } from '../conn/defence';
import { hashAny } from '../conn/hash';
import { Conn } from '../conn/record';
import { connOf, isConnection, isReply } from '../conn/table';
import { Descriptor, Scratch } from '../descriptor';
import { recordPassing } from '../flow/options';
import {
  endOf,
  findQuoted,
  isCutBeforeIcmp,
  isIcmp,
  isRelatedError,
  lacksPorts,
  mayConcern,
  quotedDestination,
  quotedProtocol,
  quotedSource,
  quotedTransport,
  quoteOf,
} from '../flow/quote';
import { noteRouted } from '../flow/reassembly';
import { isRefused, isRefusedIn, sendErrorIn } from '../forward/icmp';
import { translateErrorOut } from '../forward/translate-error';
import { countHopOf, decrementHop, passOn } from '../forward/transmit';
import { Hop } from '../net/hop';
import { Dest } from '../service/dest';
import { FTP_BE, Service } from '../service/service';
import { countIn, countOut } from '../service/stats';
import { field } from '../superblock';
import { ICMP_SIZE } from '../wire/icmp';
import { hasPorts, portsBE } from '../wire/ports';
import { returnError } from './fullnat';
import { returnProblem } from './nat64';
import { connect, endIfOnce, FTP_DATA_BE, serviceOf } from './schedule';
import { quotedTunnel, relayTunnelError } from './tunnel-error';

/** Judges the packet if it is such an error; false when not: it is for the host's own stack. */
export function icmpIn(frame: Descriptor, packet: Scratch): bool {
  if (!isError(packet)) return refuseShort(frame, packet) || returnProblem(frame, packet);
  const tunnel = quotedTunnel(packet);
  if (tunnel != 0) return relayTunnelError(frame, packet, tunnel);
  const ref = findQuoted(packet.isV6, quoteOf(packet), endOf(packet), true);
  if (ref == 0) return openFor(frame, packet, false);
  const conn = connOf(ref);
  if (isReply(ref) && conn.isFull) returnError(frame, packet, conn);
  else if (isReply(ref)) answerLocalClient(frame, packet, conn);
  else sendErrorIn(frame, packet, conn);
  return true;
}

function isError(packet: Scratch): bool {
  return isIcmp(packet) && packet.l4Length >= ICMP_SIZE && isRelatedError(packet);
}

/** Drops ICMP that is too short to say what it is, or is not there: headers that end behind the packet name it. */
function refuseShort(frame: Descriptor, packet: Scratch): bool {
  const isShort = isIcmp(packet) ? packet.l4Length < ICMP_SIZE : isCutBeforeIcmp(packet) && mayConcern(true);
  if (!isShort) return false;
  frame.judge(Verdict.Drop, Reason.TransportTruncated);
  return true;
}

/**
 * Judges an ICMP packet that passes through, and whose route, TTL and length were looked at: when it is an error about a
 * connection. False when not: it is routed.
 */
export function icmpPassing(frame: Descriptor, packet: Scratch, hop: Hop): bool {
  if (!isError(packet)) return refuseShort(frame, packet) || returnProblem(frame, packet);
  const ref = findQuoted(packet.isV6, quoteOf(packet), endOf(packet), true);
  if (ref == 0 || isReply(ref)) {
    // What is quoted may be a service's even so.
    if (openFor(frame, packet, true)) return true;
    if (ref != 0) passOut(frame, packet, connOf(ref), hop);
    return ref != 0;
  }
  passIn(frame, packet, connOf(ref));
  return true;
}

/** An error about a request, on its way to the client. */
function passOut(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop): void {
  if (conn.isFull) {
    returnError(frame, packet, conn);
    return;
  }
  if (isRefused(frame, packet, conn)) return;
  if (packet.hasOptions) recordPassing(packet.header, conn.vaddrBE);
  countHopOf(packet, translateErrorOut(frame, packet, conn));
  countOut(changetype<Dest>(conn.dest), packet.totalLength);
  passOn(frame, packet, hop, Reason.IcmpOut);
}

/**
 * An error about a reply that is not addressed to this host, but passes through. The router has counted its hop when IPVS
 * takes it. A dest that is this host is out of its reach.
 */
function passIn(frame: Descriptor, packet: Scratch, conn: Conn): void {
  const isServer = conn.dest != 0 && !conn.isSnat;
  const isLocal = isServer && changetype<Dest>(conn.dest).hop().kind == HopKind.Local;
  if (!isLocal) {
    decrementHop(packet);
    noteRouted(packet);
    sendErrorIn(frame, packet, conn);
    return;
  }
  if (isRefusedIn(frame, packet, conn)) return;
  countIn(changetype<Dest>(conn.dest), packet.totalLength);
  if (!conn.isTranslated) conn.inPackets += 1;
  frame.judge(Verdict.Drop, Reason.LocalBoundary);
}

/** An error from a server's side, about a packet of a client that is this host. */
function answerLocalClient(frame: Descriptor, packet: Scratch, conn: Conn): void {
  if (isRefused(frame, packet, conn)) return;
  translateErrorOut(frame, packet, conn);
  if (!packet.isV6) packet.header.fillChecksum();
  countOut(changetype<Dest>(conn.dest), packet.totalLength);
  frame.judge(Verdict.Local, Reason.LocalClient);
}

/**
 * schedule_icmp: makes the connection that an error tells of, and sends the error to its dest. False: no service's.
 */
function openFor(frame: Descriptor, packet: Scratch, passing: bool): bool {
  if (field(SB_SCHEDULE_ICMP) == 0) return false;
  const v6 = packet.isV6;
  const quote = quoteOf(packet);
  const end = endOf(packet);
  if (lacksPorts(v6, quote, end)) {
    frame.judge(Verdict.Drop, Reason.TransportTruncated);
    return true;
  }
  const transport = quotedTransport(v6, quote, end);
  const protocol = quotedProtocol(v6, quote, end);
  if (transport == 0 || !hasPorts(protocol)) return false;
  // What is quoted went from the service to the client.
  const client = quotedDestination(v6, quote);
  const virtual = quotedSource(v6, quote);
  const ports = rotl<u32>(portsBE(transport), 16);
  const service = serviceOf(frame, v6, virtual, protocol, ports >> 16);
  if (service == 0 || (protocol == Protocol.Tcp && changetype<Service>(service).isProxy)) return false;
  if (mustDropPacket()) {
    frame.judge(Verdict.Drop, Reason.DropPacket);
    return true;
  }
  if ((ports & 0xffff) == FTP_DATA_BE) return false;
  // The destination is that of the quoted packet, as in the kernel.
  return openTo(frame, packet, changetype<Service>(service), client, virtual, ports, protocol, passing);
}

/** The connection to a service, and the error to its dest. */
function openTo(
  frame: Descriptor,
  packet: Scratch,
  service: Service,
  client: usize,
  virtual: usize,
  ports: u32,
  protocol: u32,
  passing: bool,
): bool {
  const v6 = packet.isV6;
  const portBE = ports >> 16;
  const isForeign = service.portBE == FTP_BE && portBE != FTP_BE;
  const hash = hashAny(v6, client, virtual, ports, protocol);
  // A persistence engine finds nothing in an error.
  const made =
    isForeign && !service.isPersistent
      ? <usize>Reason.NoDest
      : connect(service, hash, v6, client, virtual, client, ports, protocol, 0, 0);
  if (!isConnection(made)) {
    if (isForeign && made == Reason.NoDest) return false;
    frame.judge(Verdict.Drop, <Reason>made);
    return true;
  }
  const conn = changetype<Conn>(made);
  if (passing) passIn(frame, packet, conn);
  else sendErrorIn(frame, packet, conn);
  endIfOnce(frame, conn);
  return true;
}
