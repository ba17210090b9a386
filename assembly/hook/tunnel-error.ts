/**
 * ICMP errors about the director's own tunnel packets: the client is told what became of what it had sent. Of those inside
 * IPv6 nobody is told, as in the kernel.
 *
 * @module
 */
import { Protocol, TunnelType } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { connOf, isReply } from '../conn/table';
import { Descriptor, Scratch } from '../descriptor';
import { endOf, findQuoted, icmpChecksumOk, quotedTransport, quoteOf } from '../flow/quote';
import { relayError } from '../forward/answer';
import { Dest, findTunnel } from '../service/dest';
import { countOut } from '../service/stats';
import { TYPE_IPV4_BE } from '../wire/ethernet';
import { GRE_SIZE, Gre } from '../wire/gre';
import { GUE_SIZE, Gue } from '../wire/gue';
import { DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED, Icmp } from '../wire/icmp';
import { DF_BE, Ipv4 } from '../wire/ipv4';
import { portsBE } from '../wire/ports';
import { UDP_SIZE } from '../wire/udp';

/** No IPv4 packet has to be cut smaller (RFC 791 §3.2). */
const MTU_MIN: u32 = 68;

/** The dest into whose tunnel a packet went that the error, whose header is there, is about; 0 when it is about no such packet. */
export function quotedTunnel(packet: Scratch): usize {
  if (packet.isV6) return 0;
  const quote = quoteOf(packet);
  const end = endOf(packet);
  const middle = quotedTransport(false, quote, end);
  if (middle == 0) return 0;
  const outer = changetype<Ipv4>(quote);
  return innerOf(outer.protocol, middle, end) == 0 ? 0 : tunnelOf(outer, middle);
}

/** Judges an error about a packet that left in the tunnel to that dest; false when the packet is of no connection. */
export function relayTunnelError(frame: Descriptor, packet: Scratch, tunnel: usize): bool {
  const quote = quoteOf(packet);
  const end = endOf(packet);
  const inner = innerOf(changetype<Ipv4>(quote).protocol, quotedTransport(false, quote, end), end);
  const ref = findQuoted(false, inner, end, false);
  if (ref == 0 || isReply(ref)) return false;
  const conn = connOf(ref);

  frame.conn = <u32>changetype<usize>(conn);
  if (!frame.isPartial && !icmpChecksumOk(packet)) {
    frame.judge(Verdict.Drop, Reason.IcmpChecksum);
    return true;
  }
  const error = changetype<Icmp>(packet.l4);
  const type = error.type;
  const code = error.code;
  let rest = error.rest;
  let isWanted: bool = true;
  if (type == DESTINATION_UNREACHABLE && code == FRAGMENTATION_NEEDED) {
    rest = learn(changetype<Dest>(tunnel), conn.dest, rest & 0xffff, <u32>(inner - quote));
    // What may be cut will be.
    isWanted = (changetype<Ipv4>(inner).fragmentBE & DF_BE) != 0;
  }
  if (isWanted) {
    quotePacket(packet, inner, end);
    relayError(frame, packet, type, code, rest);
    if (conn.dest != 0) countOut(changetype<Dest>(conn.dest), packet.totalLength);
  }
  frame.judge(Verdict.Drop, Reason.IcmpConsumed);
  return true;
}

/** Where the packet inside a tunnel packet is, behind an outer IP header of this protocol; 0 when it is no tunnel's. */
function innerOf(protocol: u32, middle: usize, end: usize): usize {
  switch (protocol) {
    case Protocol.Ipip:
      return middle;
    case Protocol.Gre: {
      const gre = changetype<Gre>(middle);
      if (middle + GRE_SIZE > end || !gre.isOwn || gre.protocolBE != TYPE_IPV4_BE) return 0;
      return middle + gre.size;
    }
    case Protocol.Udp: {
      const gue = changetype<Gue>(middle + UDP_SIZE);
      if (middle + UDP_SIZE + GUE_SIZE > end || !gue.isData || gue.protocol != Protocol.Ipip) return 0;
      return middle + UDP_SIZE + gue.size;
    }
    default:
      return 0;
  }
}

/** The dest into whose tunnel packets with that outer header go, whoever's they are; 0 when there is none. */
function tunnelOf(outer: Ipv4, middle: usize): usize {
  const found = findTunnel(outer.destinationBE, outer.protocol == Protocol.Udp ? portsBE(middle) >> 16 : 0);
  if (found == 0) return 0;
  const type = changetype<Dest>(found).tunnelType;
  switch (outer.protocol) {
    case Protocol.Ipip:
      return type == TunnelType.Ipip ? found : 0;
    case Protocol.Gre:
      return type == TunnelType.Gre ? found : 0;
    default:
      return type == TunnelType.Gue ? found : 0;
  }
}

/**
 * Remembers that no more than `mtu` bytes get through the tunnel, and returns what the client is told: without the tunnel's,
 * as far as the dest of its connection knows.
 */
function learn(tunnel: Dest, dest: usize, mtu: u32, overhead: u32): u32 {
  tunnel.learnMtu(tunnel.hop(), mtu);
  let known = mtu;
  if (dest != 0 && changetype<Dest>(dest).wasTunnelled) {
    known = changetype<Dest>(dest).usedMtu;
  }
  return known > MTU_MIN + overhead ? known - overhead : known;
}

/** Lets `packet` be the quoted one at `inner`, as far as it is there. */
function quotePacket(packet: Scratch, inner: usize, end: usize): void {
  const transport = quotedTransport(false, inner, end);
  packet.flags = 0;
  packet.ip = inner;
  packet.l4 = transport;
  packet.l4Length = <u32>(end - transport);
  packet.protocol = changetype<Ipv4>(inner).protocol;
}
