/**
 * IP in IP (RFC 2003): the outer header that the director puts on, and taking it off at a server.
 *
 * @module
 */
import { Protocol } from '../../src/abi/protocol';
import { Reason } from '../../src/abi/verdict';
import { checkIpv4 } from '../flow/parse';
import { nextIpId } from '../superblock';
import { DF_BE, IPV4_MIN, Ipv4 } from '../wire/ipv4';

/** Smallest MTU that IPv4 allows inside (RFC 791 §3.2). */
export const TUNNEL_MTU_MIN: u32 = 68;

/** ECN codepoints (RFC 3168 §5). */
const ECN_MASK: u32 = 3;
const NOT_ECT: u32 = 0;
const ECT_1: u32 = 1;
const ECT_0: u32 = 2;
const CE: u32 = 3;

/**
 * Writes the outer header in front of the packet at `inner`, whose TTL and checksum are final, and
 * returns its address. TTL and DSCP are the inner ones; CE is not shown outside but becomes ECT(0)
 * (RFC 3168 §9.1.1, full functionality); DF is copied when `copyDf`.
 */
export function encapsulate(inner: usize, sourceBE: u32, destinationBE: u32, copyDf: bool): usize {
  const packet = changetype<Ipv4>(inner);
  const outer = inner - IPV4_MIN;
  const header = changetype<Ipv4>(outer);
  const tos = packet.tos;
  const df = copyDf ? packet.fragmentBE & DF_BE : 0;
  header.setHeaderLength(IPV4_MIN);
  header.tos = (tos & ECN_MASK) == CE ? (tos & ~ECN_MASK) | ECT_0 : tos;
  header.totalLength = packet.totalLength + IPV4_MIN;
  // RFC 6864: an atomic datagram needs no identification.
  header.identification = df != 0 ? 0 : nextIpId();
  header.fragmentBE = df;
  header.ttl = packet.ttl;
  header.protocol = Protocol.Ipip;
  header.sourceBE = sourceBE;
  header.destinationBE = destinationBE;
  header.fillChecksum();
  return outer;
}

/**
 * Looks at the packet of `room` bytes at `inner`, which lay in a tunnel packet with `outerTos`, and
 * gives it the ECN that RFC 6040 §4.2 says. Reason.None, or why it is refused.
 */
export function decapsulate(inner: usize, room: u32, outerTos: u32): Reason {
  const fault = checkIpv4(inner, room);
  if (fault == Reason.Ipv4Checksum) return fault;
  if (fault != Reason.None) return Reason.TunnelMalformed;
  const packet = changetype<Ipv4>(inner);
  const tos = packet.tos;
  const outerEcn = outerTos & ECN_MASK;
  const innerEcn = tos & ECN_MASK;
  if (innerEcn == NOT_ECT) return outerEcn == CE ? Reason.TunnelEcn : Reason.None;
  const marked = outerEcn == CE ? CE : outerEcn == ECT_1 && innerEcn == ECT_0 ? ECT_1 : innerEcn;
  if (marked != innerEcn) {
    packet.tos = (tos & ~ECN_MASK) | marked;
    packet.fillChecksum();
  }
  return Reason.None;
}
