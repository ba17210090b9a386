/** Builds frames and captures for tests, without help of the code under test. */

export const CLI_MAC = '02:00:00:00:00:01';
export const C0_MAC = '02:00:00:00:00:02';
export const SRV_MAC = '02:00:00:00:01:01';
export const RS1_MAC = '02:00:00:00:01:11';

export function bytes(...parts: (number | number[] | Uint8Array | string)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => (typeof part === 'string' ? hex(part) : typeof part === 'number' ? [part] : [...part])),
  );
}

export function hex(text: string): number[] {
  return (text.replace(/[^0-9a-f]/gi, '').match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
}

export const mac = (text: string) => hex(text);
export const ip = (text: string) => text.split('.').map(Number);
export const u16 = (value: number) => [(value >> 8) & 255, value & 255];
export const u32 = (value: number) => [...u16(value >>> 16), ...u16(value & 0xffff)];

/** RFC 1071, bytes at a time. */
export function checksum(...parts: ArrayLike<number>[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i++) sum += i % 2 === 0 ? part[i]! * 256 : part[i]!;
  }
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

export interface Ipv4 {
  src: string;
  dst: string;
  protocol: number;
  payload: Uint8Array;
  ttl?: number;
  tos?: number;
  id?: number;
  /** The 16 bits of flags and fragment offset. */
  fragment?: number;
  options?: number[];
}

export function ipv4({
  src,
  dst,
  protocol,
  payload,
  ttl = 64,
  tos = 0,
  id = 1,
  fragment = 0x4000,
  options = [],
}: Ipv4): Uint8Array {
  const headerLength = 20 + options.length;
  const header = bytes(
    0x40 | (headerLength / 4),
    tos,
    u16(headerLength + payload.length),
    u16(id),
    u16(fragment),
    ttl,
    protocol,
    0,
    0,
    ip(src),
    ip(dst),
    options,
  );
  header.set(u16(checksum(header)), 10);
  return bytes(header, payload);
}

export interface Tcp {
  sport: number;
  dport: number;
  flags?: number;
  seq?: number;
  ack?: number;
  options?: number[];
  data?: number[];
}

export function tcp(
  src: string,
  dst: string,
  { sport, dport, flags = 2, seq = 1, ack = 0, options = [], data = [] }: Tcp,
): Uint8Array {
  const length = 20 + options.length;
  const segment = bytes(
    u16(sport),
    u16(dport),
    u32(seq),
    u32(ack),
    (length / 4) << 4,
    flags,
    u16(64240),
    0,
    0,
    0,
    0,
    options,
    data,
  );
  const pseudo = [...ip(src), ...ip(dst), 0, 6, ...u16(segment.length)];
  segment.set(u16(checksum(pseudo, segment)), 16);
  return segment;
}

export function udp(src: string, dst: string, sport: number, dport: number, data: number[] = []): Uint8Array {
  const datagram = bytes(u16(sport), u16(dport), u16(8 + data.length), 0, 0, data);
  const pseudo = [...ip(src), ...ip(dst), 0, 17, ...u16(datagram.length)];
  datagram.set(u16(checksum(pseudo, datagram)), 6);
  return datagram;
}

export function icmp(type: number, code: number, rest: number[], data: ArrayLike<number>): Uint8Array {
  const message = bytes(type, code, 0, 0, rest, Uint8Array.from(data));
  message.set(u16(checksum(message)), 2);
  return message;
}

export function ether(src: string, dst: string, packet: Uint8Array, type = 0x0800): Uint8Array {
  return bytes(mac(dst), mac(src), u16(type), packet);
}

export interface TcpFrame extends Tcp, Partial<Omit<Ipv4, 'payload' | 'protocol' | 'options'>> {
  ipOptions?: number[];
  from?: string;
  to?: string;
}

/** A TCP segment from the client to the VIP, unless said otherwise. */
export function tcpFrame({
  src = '10.0.0.2',
  dst = '10.0.0.100',
  from = C0_MAC,
  to = CLI_MAC,
  ipOptions = [],
  ...rest
}: TcpFrame): Uint8Array {
  const packet = ipv4({ ...rest, src, dst, protocol: 6, payload: tcp(src, dst, rest), options: ipOptions });
  return ether(from, to, packet);
}

/** A pcap with nanoseconds. */
export function pcap(frames: readonly { time: bigint; data: Uint8Array }[]): Uint8Array {
  const le32 = (value: number) => u32(value >>> 0).reverse();
  const head = bytes(le32(0xa1b23c4d), [2, 0, 4, 0], le32(0), le32(0), le32(262144), le32(1));
  const records = frames.map(({ time, data }) =>
    bytes(
      le32(Number(time / 1_000_000_000n)),
      le32(Number(time % 1_000_000_000n)),
      le32(data.length),
      le32(data.length),
      data,
    ),
  );
  return bytes(head, ...records);
}

/** `fd00::1` as 16 bytes. */
export function ip6(text: string): number[] {
  const [head = '', tail] = text.split('::');
  const groups = (part: string) =>
    part === '' ? [] : part.split(':').flatMap((group) => u16(Number.parseInt(group, 16)));
  const [left, right] = [groups(head), groups(tail ?? '')];
  return [...left, ...Array<number>(16 - left.length - right.length).fill(0), ...right];
}

export interface Ipv6 {
  src: string;
  dst: string;
  /** Next header. */
  protocol: number;
  payload: Uint8Array;
  hops?: number;
  tclass?: number;
  flow?: number;
}

export function ipv6({ src, dst, protocol, payload, hops = 64, tclass = 0, flow = 0 }: Ipv6): Uint8Array {
  const first = u32((6 << 28) | (tclass << 20) | flow);
  return bytes(first, u16(payload.length), protocol, hops, ip6(src), ip6(dst), payload);
}

/** A fragment header (RFC 8200 §4.5) before what is left of the packet. */
export function fragment6(next: number, offset: number, more: boolean, id: number, payload: Uint8Array): Uint8Array {
  return bytes(next, 0, u16(offset | (more ? 1 : 0)), u32(id), payload);
}

/** A transport header's bytes with the checksum at `at` made right over IPv6. */
export function sealed6(src: string, dst: string, protocol: number, at: number, segment: Uint8Array): Uint8Array {
  const copy = segment.slice();
  copy.set([0, 0], at);
  const pseudo = [...ip6(src), ...ip6(dst), ...u32(segment.length), 0, 0, 0, protocol];
  copy.set(u16(checksum(pseudo, copy) || (protocol === 17 ? 0xffff : 0)), at);
  return copy;
}

export function icmp6(src: string, dst: string, type: number, code: number, rest: number[], data: ArrayLike<number>) {
  return sealed6(src, dst, 58, 2, bytes(type, code, 0, 0, rest, Uint8Array.from(data)));
}

export interface Tcp6Frame extends Tcp, Partial<Omit<Ipv6, 'payload' | 'protocol'>> {
  from?: string;
  to?: string;
}

/** A TCP segment from the client to the IPv6 VIP, unless said otherwise. */
export function tcp6Frame({
  src = 'fd00::2',
  dst = 'fd00::100',
  from = C0_MAC,
  to = CLI_MAC,
  ...rest
}: Tcp6Frame): Uint8Array {
  const segment = sealed6(src, dst, 6, 16, tcp('0.0.0.0', '0.0.0.0', rest));
  return ether(from, to, ipv6({ ...rest, src, dst, protocol: 6, payload: segment }), 0x86dd);
}

/** An SCTP packet (RFC 9260 §3) with a right CRC32c. */
export function sctp(sport: number, dport: number, tag: number, ...chunks: Uint8Array[]): Uint8Array {
  const packet = bytes(u16(sport), u16(dport), u32(tag), u32(0), ...chunks);
  packet.set(u32(crc32c(packet)).reverse(), 8);
  return packet;
}

export function chunk(type: number, data: number[] = [], flags = 0): Uint8Array {
  return bytes(type, flags, u16(4 + data.length), data, Array<number>((4 - (data.length % 4)) % 4).fill(0));
}

/** Bit by bit, lowest first, polynomial 0x1EDC6F41. */
function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    for (let bit = 0; bit < 8; bit++) {
      const feedback = ((crc ^ (byte >> bit)) & 1) === 1;
      crc = (crc >>> 1) ^ (feedback ? 0x82f63b78 : 0);
    }
  }
  return ~crc >>> 0;
}

/** A GUE header (version 0) before a packet: protocol 4 or 41, and the words of the private option. */
export function gue(protocol: number, packet: Uint8Array, options: number[] = []): Uint8Array {
  return bytes(options.length / 4, protocol, options.length === 0 ? [0, 0] : [0, 1], options, packet);
}

/** A GRE header (RFC 2784) before a packet. */
export function gre(type: number, packet: Uint8Array, withChecksum = false): Uint8Array {
  if (!withChecksum) return bytes(0, 0, u16(type), packet);
  const message = bytes(0x80, 0, u16(type), 0, 0, 0, 0, packet);
  message.set(u16(checksum(message)), 4);
  return message;
}
