/**
 * IPv6 packets (RFC 8200 §3).
 *
 * @module
 */
import { addressBytes, ipv6FromBytes } from './address.js';
import { concatenate } from './checksum.js';

/** Bytes of the header. */
export const IPV6_LENGTH = 40;

/** Links carry packets of this size (RFC 8200 §5). */
export const IPV6_MIN_MTU = 1280;

/** Next header values that IPv6 has for itself (IANA). */
export const NEXT_HEADER = {
  hopByHop: 0,
  ipv6: 41,
  routing: 43,
  fragment: 44,
  authentication: 51,
  icmpv6: 58,
  none: 59,
  destinationOptions: 60,
} as const;

/** An IPv6 packet taken apart. Version and payload length follow from the rest. */
export interface Ipv6Packet {
  /** DSCP and ECN. */
  trafficClass: number;
  /** 20 bits. */
  flowLabel: number;
  /** What `payload` begins with. */
  nextHeader: number;
  hopLimit: number;
  source: bigint;
  destination: bigint;
  /** Extension headers, and what follows them. */
  payload: Uint8Array;
}

/** What makes the host drop a packet on receipt; the names are those of the reasons. */
export type Ipv6Fault = 'ipv6-truncated' | 'ipv6-version' | 'ipv6-payload-length';

/** Looks for faults of the header in the order in which a host does; `undefined` when there are none. */
export function findIpv6Fault(bytes: Uint8Array): Ipv6Fault | undefined {
  if (bytes.length < IPV6_LENGTH) return 'ipv6-truncated';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint8(0) >>> 4 !== 6) return 'ipv6-version';
  const payloadLength = view.getUint16(4);
  if (payloadLength > bytes.length - IPV6_LENGTH) return 'ipv6-payload-length';
  // Only a jumbogram has options and no length (RFC 2675 §3), and no link here is that wide.
  if (payloadLength === 0 && view.getUint8(6) === NEXT_HEADER.hopByHop) return 'ipv6-payload-length';
  return undefined;
}

/**
 * Takes a packet apart; bytes behind the payload length are left out.
 *
 * @throws RangeError when version or payload length do not fit the bytes
 */
export function parseIpv6(bytes: Uint8Array): Ipv6Packet {
  const fault = findIpv6Fault(bytes);
  if (fault !== undefined) throw new RangeError(`not an IPv6 packet: ${fault}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    ...readHeader(view),
    source: ipv6FromBytes(bytes.subarray(8)),
    destination: ipv6FromBytes(bytes.subarray(24)),
    payload: bytes.slice(IPV6_LENGTH, IPV6_LENGTH + view.getUint16(4)),
  };
}

function readHeader(view: DataView): Pick<Ipv6Packet, 'trafficClass' | 'flowLabel' | 'nextHeader' | 'hopLimit'> {
  return {
    trafficClass: (view.getUint16(0) >>> 4) & 0xff,
    flowLabel: view.getUint32(0) & 0xfffff,
    nextHeader: view.getUint8(6),
    hopLimit: view.getUint8(7),
  };
}

/** Puts a packet together. */
export function serialiseIpv6(packet: Ipv6Packet): Uint8Array {
  const start = new Uint8Array(8);
  const view = new DataView(start.buffer);
  view.setUint32(0, ((6 << 28) | (packet.trafficClass << 20) | packet.flowLabel) >>> 0);
  view.setUint16(4, packet.payload.length);
  view.setUint8(6, packet.nextHeader);
  view.setUint8(7, packet.hopLimit);
  return concatenate(start, addressBytes(packet.source), addressBytes(packet.destination), packet.payload);
}
