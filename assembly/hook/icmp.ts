/**
 * ICMP and ICMPv6 that are addressed to this host: errors about connections, which go to a server, or to a client that is
 * this host itself.
 *
 * @module
 */
import { SB_SCHEDULE_ICMP } from '../../src/abi/memory';
import { Reason, Verdict } from '../../src/abi/verdict';
import { hashAny } from '../conn/hash';
import { Conn } from '../conn/record';
import { connOf, isReply } from '../conn/table';
import { Descriptor, Scratch } from '../descriptor';
import { completeChecksum } from '../flow/offload';
import { hasPorts } from '../flow/parse';
import {
  endOf,
  findQuoted,
  isIcmp,
  isRelatedError,
  quotedDestination,
  quotedProtocol,
  quotedSource,
  quotedTransport,
  quoteOf,
} from '../flow/quote';
import { isRefused, sendErrorIn } from '../forward/icmp';
import { translateErrorOut } from '../forward/translate-error';
import { pickDest } from '../sched/index';
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { countOut } from '../service/stats';
import { field } from '../superblock';
import { ICMP_SIZE } from '../wire/icmp';
import { PORTS_SIZE, portsBE } from '../wire/ports';
import { connect, FTP_DATA_BE, foldClient, serviceOf } from './schedule';
import { relayTunnelError } from './tunnel-error';

/** Judges the packet if it is such an error; false when not: it is for the host's own stack. */
export function icmpIn(frame: Descriptor, packet: Scratch): bool {
  if (!isIcmp(packet)) return false;
  if (packet.l4Length < ICMP_SIZE) {
    frame.judge(Verdict.Drop, Reason.TransportTruncated);
    return true;
  }
  if (!isRelatedError(packet)) return false;
  if (!packet.isV6 && relayTunnelError(frame, packet)) return true;
  const ref = findQuoted(packet.isV6, quoteOf(packet), endOf(packet), true);
  if (ref == 0) return field(SB_SCHEDULE_ICMP) != 0 && openFor(frame, packet);
  const conn = connOf(ref);
  if (isReply(ref)) answerLocalClient(frame, packet, conn);
  else sendErrorIn(frame, packet, conn);
  return true;
}

/** An error from a server's side, about a packet of a client that is this host. */
function answerLocalClient(frame: Descriptor, packet: Scratch, conn: Conn): void {
  if (isRefused(frame, packet, conn)) return;
  completeChecksum(frame, packet);
  translateErrorOut(packet, conn);
  if (!packet.isV6) packet.header.fillChecksum();
  countOut(changetype<Dest>(conn.dest), packet.totalLength);
  frame.judge(Verdict.Local, Reason.LocalClient);
}

/** schedule_icmp: makes the connection that an error tells of, and sends the error to its dest. False: no service's. */
function openFor(frame: Descriptor, packet: Scratch): bool {
  const v6 = packet.isV6;
  const quote = quoteOf(packet);
  const end = endOf(packet);
  const transport = quotedTransport(v6, quote, end);
  if (transport == 0) return false;
  const protocol = quotedProtocol(v6, quote, end);
  if (!hasPorts(protocol)) return false;
  if (transport + PORTS_SIZE > end) {
    frame.judge(Verdict.Drop, Reason.TransportTruncated);
    return true;
  }
  // What is quoted went from the service to the client.
  const client = quotedDestination(v6, quote);
  const virtual = quotedSource(v6, quote);
  const ports = rotl<u32>(portsBE(transport), 16);
  const service = serviceOf(frame, v6, virtual, protocol, ports >> 16);
  const clientPortBE = ports & 0xffff;
  if (service == 0 || clientPortBE == FTP_DATA_BE) return false;
  const picked = pickDest(changetype<Service>(service), foldClient(v6, client), clientPortBE);
  if (picked == 0) {
    frame.judge(Verdict.Drop, Reason.NoDest);
    return true;
  }
  const hash = hashAny(v6, client, virtual, ports, protocol);
  const conn = connect(hash, v6, client, virtual, ports, protocol, changetype<Dest>(picked));
  if (conn == null) frame.judge(Verdict.Drop, Reason.TableFull);
  else sendErrorIn(frame, packet, conn);
  return true;
}
