/**
 * ICMP errors about the director's own tunnel packets: the client is told what became of what it had sent. Of those inside
 * IPv6 nobody is told, as in the kernel.
 *
 * @module
 */
import { Method, Protocol, TunnelType } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { connOf, isReply } from '../conn/table';
import { Descriptor, Scratch } from '../descriptor';
import { endOf, findQuoted, icmpChecksumOk, quotedTransport, quoteOf } from '../flow/quote';
import { relayError } from '../forward/answer';
import { Dest } from '../service/dest';
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

/** Judges the error, whose header is there, if it is about a packet that left in a tunnel; false when not. */
export function relayTunnelError(frame: Descriptor, packet: Scratch): bool {
  const quote = quoteOf(packet);
  const end = endOf(packet);
  const middle = quotedTransport(false, quote, end);
  if (middle == 0) return false;
  const outer = changetype<Ipv4>(quote);
  const inner = innerOf(outer.protocol, middle, end);
  if (inner == 0) return false;
  const ref = findQuoted(false, inner, end, false);
  if (ref == 0 || isReply(ref)) return false;
  const conn = connOf(ref);
  if (conn.dest == 0) return false;
  const dest = changetype<Dest>(conn.dest);
  if (!leadsTo(dest, outer, middle)) return false;

  frame.conn = <u32>changetype<usize>(conn);
  if (!icmpChecksumOk(packet)) {
    frame.judge(Verdict.Drop, Reason.IcmpChecksum);
    return true;
  }
  const error = changetype<Icmp>(packet.l4);
  const type = error.type;
  const code = error.code;
  let rest = error.rest;
  let isWanted: bool = true;
  if (type == DESTINATION_UNREACHABLE && code == FRAGMENTATION_NEEDED) {
    rest = learn(dest, rest & 0xffff, <u32>(inner - quote));
    // What may be cut will be.
    isWanted = (changetype<Ipv4>(inner).fragmentBE & DF_BE) != 0;
  }
  if (isWanted) {
    quotePacket(packet, inner, end);
    relayError(frame, packet, type, code, rest);
    countOut(dest, packet.totalLength);
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
      if (middle + GRE_SIZE > end || !gre.isKnown || gre.protocolBE != TYPE_IPV4_BE) return 0;
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

/** Whether the outer header is one that packets to this dest get. */
function leadsTo(dest: Dest, outer: Ipv4, middle: usize): bool {
  if (!dest.isAvailable || dest.method != Method.Tunnel) return false;
  if (dest.isV6 || dest.addressBE != outer.destinationBE) return false;
  switch (outer.protocol) {
    case Protocol.Ipip:
      return dest.tunnelType == TunnelType.Ipip;
    case Protocol.Gre:
      return dest.tunnelType == TunnelType.Gre;
    default:
      return dest.tunnelType == TunnelType.Gue && portsBE(middle) >> 16 == dest.tunnelPortBE;
  }
}

/** Remembers that no more than `mtu` bytes get to the dest, and returns what the client is told: without the tunnel's. */
function learn(dest: Dest, mtu: u32, overhead: u32): u32 {
  const hop = dest.hop();
  dest.learnMtu(hop, mtu);
  const known = dest.usedMtu(hop);
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
