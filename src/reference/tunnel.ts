/**
 * IP in IP: into the tunnel as Linux IPVS goes (RFC 2003, RFC 3168 §9.1.1), and out of it (RFC 6040 §4.2).
 *
 * @module
 */
import { IP_FLAG, type Ipv4Packet, PROTOCOL, parseIpv4, serialiseIpv4, withEcn } from './packet/ipv4.js';

const ECN = { notEct: 0, ect1: 1, ect0: 2, ce: 3 } as const;

/** What the inner packet does not tell about the outer header. */
export interface TunnelEnds {
  source: number;
  destination: number;
  /** Used when DF is clear; with DF it is 0, since nothing can be fragmented (RFC 6864 §4.1). */
  identification: number;
  /** Whether DF is copied from the inner packet; else it stays clear. */
  copyDf: boolean;
}

/**
 * The ECN field of the outer header: the inner one, but a CE mark is not shown outside (RFC 3168 §9.1.1, "full
 * functionality"): it becomes ECT(0).
 */
export function outerEcn(inner: number): number {
  return inner === ECN.ce ? ECN.ect0 : inner;
}

/** The inner packet with an outer header in front. The TTL is that of the inner packet, which was decremented before. */
export function encapsulateIpip(inner: Ipv4Packet, ends: TunnelEnds): Ipv4Packet {
  const dontFragment = ends.copyDf && (inner.flags & IP_FLAG.dontFragment) !== 0;
  return {
    tos: (inner.tos & 0xfc) | outerEcn(inner.tos & 3),
    identification: dontFragment ? 0 : ends.identification,
    flags: dontFragment ? IP_FLAG.dontFragment : 0,
    fragmentOffset: 0,
    ttl: inner.ttl,
    protocol: PROTOCOL.ipip,
    checksum: 0,
    source: ends.source,
    destination: ends.destination,
    options: new Uint8Array(0),
    payload: serialiseIpv4(inner),
  };
}

/** Why a packet does not come out of its tunnel. */
export type TunnelFault = 'tunnel-malformed' | 'tunnel-ecn';

/** The ECN field that leaves a tunnel, or `undefined` for "drop" (RFC 6040 §4.2, figure 4). */
export function decapsulatedEcn(inner: number, outer: number): number | undefined {
  if (inner === ECN.notEct) return outer === ECN.ce ? undefined : ECN.notEct;
  if (outer === ECN.ce) return ECN.ce;
  if (inner === ECN.ect0 && outer === ECN.ect1) return ECN.ect1;
  return inner;
}

/** The bytes of the inner packet. Its checksum is not verified here: a wrong one comes out exactly as wrong. */
export function decapsulateIpip(outer: Ipv4Packet): Uint8Array | TunnelFault {
  let inner: Ipv4Packet;
  try {
    inner = parseIpv4(outer.payload);
  } catch {
    return 'tunnel-malformed';
  }
  const ecn = decapsulatedEcn(inner.tos & 3, outer.tos & 3);
  if (ecn === undefined) return 'tunnel-ecn';
  const marked = withEcn(inner, ecn);
  return serialiseIpv4(marked, marked.checksum);
}
