/**
 * Makes the frames of the benchmarks: Ethernet, IPv4, TCP or UDP, IPIP around it; checksums right.
 *
 * @module
 */

export interface Endpoint {
  /** Dotted quad. */
  address: string;
  port: number;
}

export interface FrameSpec {
  source: Endpoint;
  destination: Endpoint;
  /** Default `tcp`. */
  protocol?: 'tcp' | 'udp';
  /** TCP flags; default ACK. */
  flags?: number;
  /** Default 0. */
  tos?: number;
  /** Default 64. */
  ttl?: number;
  /** IP identification; default 0. */
  id?: number;
  /** Default true. */
  dontFragment?: boolean;
  /** Bytes behind the transport header; default 0. */
  payload?: number;
  /** UDP: no checksum. Default false. */
  checksumless?: boolean;
}

export const ETHERNET = 14;
export const IPV4 = 20;
export const TCP = 20;
export const UDP = 8;

export const FIN_FLAG = 1;
export const SYN_FLAG = 2;
export const RST_FLAG = 4;
export const ACK_FLAG = 16;

const DF = 0x4000;

/** `02:00:00:00:00:01` as six bytes. */
export function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(':'), (part) => Number.parseInt(part, 16));
}

/** A dotted quad as a number in host order. */
export function addressNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** A number in host order as a dotted quad. */
export function addressText(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

function sum(view: DataView, at: number, length: number): number {
  let total = 0;
  for (let i = 0; i + 1 < length; i += 2) total += view.getUint16(at + i);
  return length & 1 ? total + (view.getUint8(at + length - 1) << 8) : total;
}

function complement(total: number): number {
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}

function writeIpv4(view: DataView, at: number, length: number, protocol: number, spec: FrameSpec): void {
  view.setUint16(at, 0x4500 | (spec.tos ?? 0));
  view.setUint16(at + 2, length);
  view.setUint16(at + 4, spec.id ?? 0);
  view.setUint16(at + 6, (spec.dontFragment ?? true) ? DF : 0);
  view.setUint16(at + 8, ((spec.ttl ?? 64) << 8) | protocol);
  view.setUint32(at + 12, addressNumber(spec.source.address));
  view.setUint32(at + 16, addressNumber(spec.destination.address));
  view.setUint16(at + 10, complement(sum(view, at, IPV4)));
}

/** An IPv4 packet. */
export function packet(spec: FrameSpec): Uint8Array {
  const udp = spec.protocol === 'udp';
  const header = udp ? UDP : TCP;
  const length = IPV4 + header + (spec.payload ?? 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  writeIpv4(view, 0, length, udp ? 17 : 6, spec);
  view.setUint16(IPV4, spec.source.port);
  view.setUint16(IPV4 + 2, spec.destination.port);
  if (udp) view.setUint16(IPV4 + 4, length - IPV4);
  else {
    view.setUint32(IPV4 + 4, 0x01020304);
    view.setUint32(IPV4 + 8, 0x05060708);
    view.setUint16(IPV4 + 12, 0x5000 | (spec.flags ?? ACK_FLAG));
    view.setUint16(IPV4 + 14, 0x7210);
  }
  for (let i = IPV4 + header; i < length; i++) bytes[i] = (i * 7 + (spec.id ?? 0)) & 255;
  if (spec.checksumless) return bytes;
  const pseudo = sum(view, 12, 8) + (udp ? 17 : 6) + length - IPV4;
  const checksum = complement(pseudo + sum(view, IPV4, length - IPV4));
  view.setUint16(IPV4 + (udp ? 6 : 16), checksum === 0 && udp ? 0xffff : checksum);
  return bytes;
}

/** `inner` in an IPIP tunnel. */
export function tunnelled(inner: Uint8Array, from: string, to: string, tos = 0): Uint8Array {
  const bytes = new Uint8Array(IPV4 + inner.length);
  bytes.set(inner, IPV4);
  const ends = { source: { address: from, port: 0 }, destination: { address: to, port: 0 } };
  writeIpv4(new DataView(bytes.buffer), 0, bytes.length, 4, { ...ends, tos });
  return bytes;
}

/** An Ethernet frame around an IPv4 packet. */
export function framed(inner: Uint8Array, destination: string, source: string): Uint8Array {
  const bytes = new Uint8Array(ETHERNET + inner.length);
  bytes.set(macBytes(destination));
  bytes.set(macBytes(source), 6);
  bytes[12] = 8;
  bytes.set(inner, ETHERNET);
  return bytes;
}
