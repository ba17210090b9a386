/**
 * Servers' replies, and the way back to the client, which a connection remembers.
 *
 * @module
 */
import { SB_EXPIRE_NODEST_CONN, SB_IP_FORWARD, SB_IPV6_FORWARDING, SB_NAT_ICMP_SEND } from '../../src/abi/superblock';
import { HOP_INTERFACE_NONE, HopKind, RouteType } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { mayBeReused } from '../conn/life';
import { Conn } from '../conn/record';
import { Direction } from '../conn/tcp-state';
import { Descriptor, Scratch } from '../descriptor';
import { isIpv6 } from '../flow/family';
import { completeChecksum } from '../flow/offload';
import { seeSegment } from '../flow/segment';
import { Hop, routeTypeAny } from '../net/hop';
import { Dest, hasNatDest } from '../service/dest';
import { countOut } from '../service/stats';
import { field, netGeneration } from '../superblock';
import { isLoopback } from '../wire/address';
import { isLinkLocal6, isLoopback6 } from '../wire/ipv6';
import { copyMac } from '../wire/mac';
import { linkStart, putLinkAt } from './link';
import { translateOut } from './translate';
import { countHop } from './transmit';

/** Largest MTU that fits the record; no IPv4 packet is longer. */
const MTU_MAX: u32 = 0xffff;

/** A reply whose way to the client is known and good: no table but the connection is asked. False: take the long way. */
export function routeReply<A>(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  const out = conn.hopInterface;
  if (out == HOP_INTERFACE_NONE) return false;
  if ((isIpv6<A>() ? packet.header6.hopLimit : packet.header.ttl) <= 1) return false;
  if (packet.totalLength > conn.hopMtu) return false;
  const start = linkStart(frame, packet.ip, out);
  if (start == 0) return false;
  frame.conn = <u32>changetype<usize>(conn);
  seeReply(packet, conn);
  countHop<A>(packet, translateOut<A>(frame, packet, conn));
  completeChecksum(frame, packet);
  putLinkAt<A>(frame, start, packet.ip, out, conn.hopMac);
  frame.judge(Verdict.Forward, Reason.NatOut);
  return true;
}

/** Counts a server's packet and moves the state on. */
export function seeReply(packet: Scratch, conn: Conn): void {
  countOut(changetype<Dest>(conn.dest), packet.totalLength);
  seeSegment(packet, conn, Direction.Out);
}

/**
 * Remembers the way to the client, for as long as the network stays as it is. With it the connection's packets go the
 * short way, which asks nothing more: so the VIP must be ours and the client not, and replies must be ones that
 * would be routed, from a server that is not this host.
 */
export function keepHop(conn: Conn, hop: Hop): void {
  const generation = generationOf(conn);
  if (conn.hopGeneration == generation || !mayBeShort(conn)) return;
  if (hop.kind == HopKind.Forward && mayRepliesPass(conn) && !isOwn(conn.isV6, conn.daddr)) {
    conn.hopInterface = hop.outInterface;
    conn.hopMtu = min<u32>(hop.mtu, MTU_MAX);
    copyMac(conn.hopMac, hop.mac);
  } else {
    conn.hopInterface = HOP_INTERFACE_NONE;
  }
  conn.hopGeneration = generation;
}

/**
 * What a connection has as its generation while the network stays as it is. FullNAT's is the complement: so its packets leave
 * the short way of others at the first look, and have one of their own.
 */
export function generationOf(conn: Conn): u32 {
  const generation = netGeneration();
  return conn.isFull ? ~generation : generation;
}

/** Whether a SYN or INIT of the connection opens another: it has ended, or its dest takes no new ones. */
export function mayBeginAgain(conn: Conn): bool {
  // A controlled one waits for its timeout, as in the kernel.
  if (mayBeReused(conn) && conn.control == 0) return true;
  return field(SB_EXPIRE_NODEST_CONN) != 0 && conn.dest != 0 && changetype<Dest>(conn.dest).weight == 0;
}

/** Whether all packets of the server's come by: those of NAT while the host forwards, those of FullNAT if it has the local address. */
function mayRepliesPass(conn: Conn): bool {
  const v6 = conn.isV6;
  if (conn.isFull) return routeTypeAny(v6, conn.extension.laddr) == RouteType.Local;
  return field(v6 ? SB_IPV6_FORWARDING : SB_IP_FORWARD) != 0;
}

/** A connection from port 0 may not: nothing of its client's belongs to it. Nor may one with a helper, nor one by NAT64. */
function mayBeShort(conn: Conn): bool {
  const v6 = conn.isV6;
  if (conn.isNat64 || conn.dest == 0 || conn.cportBE == 0) return false;
  if (conn.isExtended && (!conn.isFull || conn.isProxied)) return false;
  if ((!conn.isSnat && routeTypeAny(v6, conn.vaddr) != RouteType.Local) || isOwn(v6, conn.caddr)) return false;
  // What opens a connection again is looked for on the long way.
  if (mayBeginAgain(conn)) return false;
  // Such a client is taken for a stray server.
  return field(SB_NAT_ICMP_SEND) == 0 || !hasNatDest(v6, conn.protocol, conn.caddr, conn.cportBE);
}

/** An address that no packet from outside may have as its source, nor as the one it is routed to. */
export function isOwn(v6: bool, address: usize): bool {
  return isBound(v6, address) || routeTypeAny(v6, address) == RouteType.Local;
}

/** Whether an address means something on its own host, or link, alone. */
function isBound(v6: bool, address: usize): bool {
  return v6 ? isLoopback6(address) || isLinkLocal6(address) : isLoopback(load<u32>(address));
}
