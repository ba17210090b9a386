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

/** `fd00::1` to its sixteen bytes; without a dotted quad at its end. */
export function ip6(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] =>
    part.split(':').flatMap((group) => (group === '' ? [] : [parseInt(group, 16)]));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 255]));
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
export const PSH = 8;
export const ACK = 16;

export interface Ipv6Words {
  /** DSCP and ECN. */
  trafficClass?: number;
  flowLabel?: number;
  hopLimit?: number;
  /** Next header behind the extensions. */
  protocol?: number;
  source: string;
  destination: string;
  /** Extension headers as `[number, bytes without the first]`; each gets the number of the one behind it. */
  extensions?: readonly (readonly [header: number, rest: Uint8Array])[];
}

/** An IPv6 packet. */
export function ipv6(words: Ipv6Words, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const { extensions = [], protocol = 6 } = words;
  const numbers = [...extensions.map(([header]) => header), protocol];
  const headers = extensions.map(([, rest], i) => join(Uint8Array.of(numbers[i + 1] as number), rest));
  const header = new Uint8Array(40);
  const view = new DataView(header.buffer);
  view.setUint32(0, 0x60000000 | ((words.trafficClass ?? 0) << 20) | (words.flowLabel ?? 0));
  view.setUint16(4, join(...headers, payload).length);
  header[6] = numbers[0] as number;
  header[7] = words.hopLimit ?? 64;
  header.set(ip6(words.source), 8);
  header.set(ip6(words.destination), 24);
  return join(header, ...headers, payload);
}

/** Words of a packet of either family: a colon in the source tells which. */
export interface PacketWords extends Omit<Ipv4Words, 'protocol'> {
  flowLabel?: number;
  extensions?: Ipv6Words['extensions'];
}

/** A packet of the family of its source; TOS and TTL go where IPv6 has them. */
export function packet(words: PacketWords, protocol: number, payload: Uint8Array): Uint8Array {
  const { source, destination } = words;
  if (!isV6(source) || typeof destination === 'number') return ipv4({ ...words, protocol }, payload);
  const { tos = 0, ttl = 64, flowLabel = 0, extensions = [] } = words;
  return ipv6({ source, destination, trafficClass: tos, hopLimit: ttl, flowLabel, extensions, protocol }, payload);
}

const isV6 = (address: number | string): address is string => typeof address === 'string' && address.includes(':');

/** The bytes of an address of either family. */
function bytesOf(address: number | string): Uint8Array {
  if (isV6(address)) return ip6(address);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number(address));
  return bytes;
}

/** The pseudo header of a segment (RFC 9293 §3.1, RFC 8200 §8.1). */
export function pseudoHeader(
  { source, destination }: Pick<PacketWords, 'source' | 'destination'>,
  protocol: number,
  length: number,
): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, length);
  bytes[7] = protocol;
  // For IPv4 the length has 16 bits; the sum is the same.
  return join(bytesOf(source), bytesOf(destination), bytes);
}

/** The right checksum of a TCP segment, UDP datagram or ICMPv6 message whose checksum field is 0. */
export function transportChecksum(
  words: Pick<PacketWords, 'source' | 'destination'>,
  protocol: number,
  segment: Uint8Array,
): number {
  return checksum(join(pseudoHeader(words, protocol, segment.length), segment));
}

export interface TransportWords extends PacketWords {
  sport: number;
  dport: number;
  /** TCP only; the numbers are 1000 and 2000, the window 64,240, options a multiple of four bytes. */
  flags?: number;
  seq?: number;
  ack?: number;
  window?: number;
  tcpOptions?: Uint8Array;
  payload?: Uint8Array;
  /** Instead of the right one. */
  checksum?: number;
  /** Only the folded sum of the pseudo header stands in the checksum field. */
  partial?: boolean;
}

function transport(words: TransportWords, protocol: number, header: Uint8Array, field: number): Uint8Array {
  const view = new DataView(header.buffer);
  view.setUint16(0, words.sport);
  view.setUint16(2, words.dport);
  const segment = join(header, words.payload ?? new Uint8Array(0));
  if (protocol === 17) new DataView(segment.buffer).setUint16(4, segment.length);
  const right = words.partial
    ? ~checksum(pseudoHeader(words, protocol, segment.length)) & 0xffff
    : transportChecksum(words, protocol, segment);
  const sent = protocol === 17 && right === 0 ? 0xffff : right;
  new DataView(segment.buffer).setUint16(field, words.checksum ?? sent);
  return packet(words, protocol, segment);
}

/** A packet with a TCP segment. */
export function tcp(words: TransportWords): Uint8Array {
  const { flags = SYN, seq = 1000, ack = 2000, window = 64_240, tcpOptions = new Uint8Array(0) } = words;
  const header = join(new Uint8Array(20), tcpOptions);
  header.set([header.length << 2, flags, window >> 8, window & 0xff], 12);
  new DataView(header.buffer).setUint32(4, seq);
  new DataView(header.buffer).setUint32(8, ack);
  return transport(words, 6, header, 16);
}

/** A packet with a UDP datagram. */
export function udp(words: TransportWords): Uint8Array {
  return transport(words, 17, new Uint8Array(8), 6);
}

/** A packet with an ICMP message, for IPv6 an ICMPv6 one; `rest` are the four bytes behind the checksum. */
export function icmp(
  words: PacketWords,
  type: number,
  code = 0,
  body: Uint8Array = new Uint8Array(0),
  rest = 0,
): Uint8Array {
  const message = join(Uint8Array.of(type, code, 0, 0, 0, 0, 0, 0), body);
  const view = new DataView(message.buffer);
  view.setUint32(4, rest);
  const v6 = isV6(words.source);
  view.setUint16(2, v6 ? transportChecksum(words, 58, message) : checksum(message));
  return packet(words, v6 ? 58 : 1, message);
}

/** An Ethernet frame; `tag` is the 16 bits of an 802.1Q tag. */
export function ethernet(to: string, from: string, payload: Uint8Array, type = 0x0800, tag?: number): Uint8Array {
  const words = tag === undefined ? [type] : [0x8100, tag, type];
  return join(hex(to), hex(from), Uint8Array.from(words.flatMap((word) => [word >> 8, word & 255])), payload);
}

/** A number modulo 2³², as those of TCP are. */
export const u32 = (number: number): number => number >>> 0;
