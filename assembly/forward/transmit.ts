/**
 * Client to server: sends a packet of a connection to its dest, by the connection's method.
 *
 * @module
 */
import { HopKind, InterfaceFlag, SB_PMTU_DISC } from '../../src/abi/memory';
import { Method } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { Descriptor, Scratch } from '../descriptor';
import { walkOptions } from '../flow/options';
import { Hop } from '../net/hop';
import { interfaceHas } from '../net/interface';
import { Dest } from '../service/dest';
import { field } from '../superblock';
import { isLoopback } from '../wire/address';
import { DF_BE, IPV4_MIN } from '../wire/ipv4';
import { answerHostUnreachable, answerTimeExceeded, answerTooBig } from './answer';
import { hasHeadroom, putLink } from './link';
import { translateIn } from './translate';
import { encapsulate, TUNNEL_MTU_MIN } from './tunnel';

/** Rewrites the packet for its dest, and judges the frame. NAT needs the whole transport header. */
export function transmit(frame: Descriptor, packet: Scratch, conn: Conn): void {
  const hop = changetype<Dest>(conn.dest).hop();
  const kind = hop.kind;
  if (kind == HopKind.Local) {
    transmitLocal(frame, packet, conn);
    return;
  }
  const header = packet.header;
  if (header.headerLength != IPV4_MIN) {
    walkOptions(header, true, header.destinationBE);
    header.fillChecksum();
  }
  if (kind == HopKind.NoRoute || kind == HopKind.Broadcast) {
    answerHostUnreachable(frame, packet);
    frame.judge(Verdict.Drop, Reason.NoRoute);
    return;
  }
  if (isLoopback(header.sourceBE)) {
    frame.judge(Verdict.Drop, Reason.LocalBoundary);
    return;
  }
  if (header.ttl <= 1) {
    answerTimeExceeded(frame, packet);
    frame.judge(Verdict.Drop, Reason.TtlExceeded);
    return;
  }
  switch (conn.method) {
    case Method.Tunnel:
      transmitTunnel(frame, packet, hop, conn);
      break;
    default:
      transmitPlain(frame, packet, hop, conn);
  }
}

/** NAT and DR: what leaves is as long as what came. */
function transmitPlain(frame: Descriptor, packet: Scratch, hop: Hop, conn: Conn): void {
  const header = packet.header;
  if (header.totalLength > hop.mtu) {
    refuseTooBig(frame, packet, hop.mtu);
    return;
  }
  if (!canLeave(frame, packet.ip, hop)) return;
  if (conn.method == Method.Masq) {
    header.forwardUpdating(translateIn(packet, conn));
    putLink(frame, packet.ip, hop.outInterface, hop.mac);
    frame.judge(Verdict.Forward, Reason.NatIn);
  } else {
    header.forwardUpdating(0);
    putLink(frame, packet.ip, hop.outInterface, hop.mac);
    frame.judge(Verdict.Forward, Reason.DirectRoute);
  }
}

/** TUN: an outer header goes in front. */
function transmitTunnel(frame: Descriptor, packet: Scratch, hop: Hop, conn: Conn): void {
  const header = packet.header;
  const mtu = hop.mtu - min<u32>(hop.mtu, IPV4_MIN);
  if (mtu < TUNNEL_MTU_MIN) {
    frame.judge(Verdict.Drop, Reason.TunnelMtu);
    return;
  }
  const copyDf = field(SB_PMTU_DISC) != 0;
  if (header.totalLength > mtu) {
    if (copyDf) refuseTooBig(frame, packet, mtu);
    else frame.judge(Verdict.Drop, Reason.NeedsFragmenting);
    return;
  }
  if (!canLeave(frame, packet.ip - IPV4_MIN, hop)) return;
  header.forwardUpdating(0);
  const outer = encapsulate(packet.ip, hop.sourceBE, conn.daddrBE, copyDf);
  putLink(frame, outer, hop.outInterface, hop.mac);
  frame.judge(Verdict.Forward, Reason.TunnelIpip);
}

/** The dest is this host: its stack gets the packet, translated if that is the method, TTL untouched. */
function transmitLocal(frame: Descriptor, packet: Scratch, conn: Conn): void {
  if (conn.method == Method.Masq) {
    if (isLoopback(conn.daddrBE) && !interfaceHas(packet.receivedOn, InterfaceFlag.Loopback)) {
      frame.judge(Verdict.Drop, Reason.LocalBoundary);
      return;
    }
    translateIn(packet, conn);
    packet.header.fillChecksum();
  }
  frame.judge(Verdict.Local, Reason.LocalDest);
}

/** Too long: an answer if the packet must not be cut, else what cutting would be. The answer quotes the TTL counted down. */
function refuseTooBig(frame: Descriptor, packet: Scratch, mtu: u32): void {
  if ((packet.header.fragmentBE & DF_BE) != 0) {
    packet.header.decrementTtl();
    answerTooBig(frame, packet, mtu);
    frame.judge(Verdict.Drop, Reason.TooBig);
  } else {
    frame.judge(Verdict.Drop, Reason.NeedsFragmenting);
  }
}

/** Whether a packet whose header will be at `ip` can be sent that way; judges the frame when not. */
export function canLeave(frame: Descriptor, ip: usize, hop: Hop): bool {
  if (hop.kind == HopKind.NoNeighbour) {
    frame.judge(Verdict.Drop, Reason.NoNeighbour);
    return false;
  }
  if (!hasHeadroom(frame, ip, hop.outInterface)) {
    frame.judge(Verdict.Drop, Reason.NoHeadroom);
    return false;
  }
  return true;
}
