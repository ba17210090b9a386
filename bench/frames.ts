/**
 * Makes the frames of the benchmarks: Ethernet, IPv4 or IPv6, TCP, UDP or an ICMP error, IPIP around it; checksums right.
 *
 * @module
 */

export interface Endpoint {
  /** A colon tells that it is IPv6. */
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
export const IPV6 = 40;
export const ICMP = 8;
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

/** `fd00:9::1:2` as sixteen bytes; one `::`, no dotted quad. */
function ipv6Bytes(address: string): Uint8Array {
  const [head = '', tail = ''] = address.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = groups(tail);
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 255]));
}

function writeIpv6(view: DataView, length: number, protocol: number, spec: FrameSpec): void {
  view.setUint32(0, 0x60000000 | ((spec.tos ?? 0) << 20));
  view.setUint16(4, length - IPV6);
  view.setUint16(6, (protocol << 8) | (spec.ttl ?? 64));
  const bytes = new Uint8Array(view.buffer);
  bytes.set(ipv6Bytes(spec.source.address), 8);
  bytes.set(ipv6Bytes(spec.destination.address), 24);
}

/** Bytes of the IP header that a packet from there has. */
export function ipHeader({ address }: Endpoint): number {
  return address.includes(':') ? IPV6 : IPV4;
}

/** An IP packet of `length` bytes, its payload still 0. */
function emptyPacket(spec: FrameSpec, protocol: number, length: number): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(length));
  if (ipHeader(spec.source) === IPV6) writeIpv6(view, length, protocol, spec);
  else writeIpv4(view, 0, length, protocol, spec);
  return view;
}

/** Sum of the pseudo header; both addresses stand at the end of either IP header. */
function pseudoSum(view: DataView, ip: number, protocol: number): number {
  const addresses = ip === IPV6 ? 32 : 8;
  return sum(view, ip - addresses, addresses) + protocol + view.byteLength - ip;
}

/** An IP packet. */
export function packet(spec: FrameSpec): Uint8Array {
  const udp = spec.protocol === 'udp';
  const protocol = udp ? 17 : 6;
  const ip = ipHeader(spec.source);
  const header = ip + (udp ? UDP : TCP);
  const length = header + (spec.payload ?? 0);
  const view = emptyPacket(spec, protocol, length);
  const bytes = new Uint8Array(view.buffer);
  view.setUint16(ip, spec.source.port);
  view.setUint16(ip + 2, spec.destination.port);
  if (udp) view.setUint16(ip + 4, length - ip);
  else {
    view.setUint32(ip + 4, 0x01020304);
    view.setUint32(ip + 8, 0x05060708);
    view.setUint16(ip + 12, 0x5000 | (spec.flags ?? ACK_FLAG));
    view.setUint16(ip + 14, 0x7210);
  }
  for (let i = header; i < length; i++) bytes[i] = (i * 7 + (spec.id ?? 0)) & 255;
  if (spec.checksumless) return bytes;
  const checksum = complement(pseudoSum(view, ip, protocol) + sum(view, ip, length - ip));
  view.setUint16(ip + (udp ? 6 : 16), checksum === 0 && udp ? 0xffff : checksum);
  return bytes;
}

/** An ICMP error, host unreachable (3/1), about the packet `quoted`. */
export function icmpError(source: Endpoint, destination: Endpoint, quoted: Uint8Array, id = 0): Uint8Array {
  const view = emptyPacket({ source, destination, id }, 1, IPV4 + ICMP + quoted.length);
  const bytes = new Uint8Array(view.buffer);
  view.setUint16(IPV4, 0x0301);
  bytes.set(quoted, IPV4 + ICMP);
  view.setUint16(IPV4 + 2, complement(sum(view, IPV4, bytes.length - IPV4)));
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

/** An Ethernet frame around an IP packet. */
export function framed(inner: Uint8Array, destination: string, source: string): Uint8Array {
  const bytes = new Uint8Array(ETHERNET + inner.length);
  bytes.set(macBytes(destination));
  bytes.set(macBytes(source), 6);
  bytes.set((inner[0] ?? 0) >> 4 === 6 ? [0x86, 0xdd] : [8, 0], 12);
  bytes.set(inner, ETHERNET);
  return bytes;
}
