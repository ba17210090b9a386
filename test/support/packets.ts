/**
 * Packets for tests, byte by byte from their fields; right checksums unless a test says otherwise.
 *
 * @module
 */

/** `10.0.0.1` to 0x0a000001. */
export function ip(text: string): number {
  return text.split('.').reduce((address, part) => address * 256 + Number(part), 0);
}

/** 0x0a000001 to `10.0.0.1`. */
export function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/** `02:00:00:00:00:01` or `deadbeef` to bytes; colons and blanks do not count. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(text.replace(/[\s:]/g, '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** All parts in one piece. */
export function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Bytes 0, 1, 2, …: content in which a shifted or swapped byte shows. */
export function counting(length: number, from = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i + from);
}

/** The Internet checksum (RFC 1071) as plainly as can be: big-endian words, the carries added back one by one. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += ((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum = (sum & 0xffff) + 1;
  }
  return ~sum & 0xffff;
}

export interface Ipv4Words {
  tos?: number;
  id?: number;
  /** Don't fragment. */
  df?: boolean;
  /** More fragments. */
  mf?: boolean;
  /** Fragment offset in units of 8 bytes. */
  offset?: number;
  ttl?: number;
  protocol?: number;
  source: number | string;
  destination: number | string;
  options?: Uint8Array;
}

const number = (address: number | string): number => (typeof address === 'string' ? ip(address) : address);

export function ipv4(words: Ipv4Words, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const { options = new Uint8Array(0) } = words;
  const headerLength = 20 + options.length;
  const packet = new Uint8Array(headerLength + payload.length);
  const view = new DataView(packet.buffer);
  packet[0] = 0x40 | (headerLength / 4);
  packet[1] = words.tos ?? 0;
  view.setUint16(2, packet.length);
  view.setUint16(4, words.id ?? 0x1234);
  view.setUint16(6, (words.df ? 0x4000 : 0) | (words.mf ? 0x2000 : 0) | (words.offset ?? 0));
  packet[8] = words.ttl ?? 64;
  packet[9] = words.protocol ?? 6;
  view.setUint32(12, number(words.source));
  view.setUint32(16, number(words.destination));
  packet.set(options, 20);
  view.setUint16(10, checksum(packet.subarray(0, headerLength)));
  packet.set(payload, headerLength);
  return packet;
}

/** Puts the header checksum of the IPv4 packet right. */
export function fixIpv4(packet: Uint8Array): Uint8Array {
  const header = packet.subarray(0, Math.max(20, ((packet[0] as number) & 15) * 4));
  header.set([0, 0], 10);
  const sum = checksum(header);
  header.set([sum >> 8, sum & 255], 10);
  return packet;
}

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const ACK = 16;

export interface TransportWords extends Omit<Ipv4Words, 'protocol'> {
  sport: number;
  dport: number;
  /** TCP only. */
  flags?: number;
  payload?: Uint8Array;
  /** Instead of the right one. */
  checksum?: number;
}

function pseudoHeader(source: number, destination: number, protocol: number, length: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, source);
  view.setUint32(4, destination);
  bytes[9] = protocol;
  view.setUint16(10, length);
  return bytes;
}

/** The right checksum of a TCP segment or UDP datagram whose checksum field is 0. */
export function transportChecksum(source: number, destination: number, protocol: number, segment: Uint8Array): number {
  return checksum(join(pseudoHeader(source, destination, protocol, segment.length), segment));
}

function transport(words: TransportWords, protocol: number, header: Uint8Array, field: number): Uint8Array {
  const view = new DataView(header.buffer);
  view.setUint16(0, words.sport);
  view.setUint16(2, words.dport);
  const segment = join(header, words.payload ?? new Uint8Array(0));
  if (protocol === 17) new DataView(segment.buffer).setUint16(4, segment.length);
  const right = transportChecksum(number(words.source), number(words.destination), protocol, segment);
  const sent = protocol === 17 && right === 0 ? 0xffff : right;
  new DataView(segment.buffer).setUint16(field, words.checksum ?? sent);
  return ipv4({ ...words, protocol }, segment);
}

/** An IPv4 packet with a TCP segment. */
export function tcp(words: TransportWords): Uint8Array {
  const header = new Uint8Array(20);
  header.set([0, 0, 3, 0xe8, 0, 0, 7, 0xd0, 0x50, words.flags ?? SYN, 0xfa, 0xf0], 4);
  return transport(words, 6, header, 16);
}

/** An IPv4 packet with a UDP datagram. */
export function udp(words: TransportWords): Uint8Array {
  return transport(words, 17, new Uint8Array(8), 6);
}

/** An IPv4 packet with an ICMP message. */
export function icmp(words: Ipv4Words, type: number, code = 0, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  const message = join(Uint8Array.of(type, code, 0, 0, 0, 0, 0, 0), body);
  const sum = checksum(message);
  message.set([sum >> 8, sum & 255], 2);
  return ipv4({ ...words, protocol: 1 }, message);
}

/** An Ethernet frame; `tag` is the 16 bits of an 802.1Q tag. */
export function ethernet(to: string, from: string, payload: Uint8Array, type = 0x0800, tag?: number): Uint8Array {
  const words = tag === undefined ? [type] : [0x8100, tag, type];
  return join(hex(to), hex(from), Uint8Array.from(words.flatMap((word) => [word >> 8, word & 255])), payload);
}
