/**
 * Packets of both families, header by header; right checksums unless a caller says otherwise.
 *
 * @module
 */
import { addressBytes } from '../../../src/address.js';
import { checksum, hex, join } from '../../support/packets.js';

export const ICMP = 1;
export const IPIP = 4;
export const TCP = 6;
export const UDP = 17;
export const IPV6 = 41;
export const GRE = 47;
export const ESP = 50;
export const AH = 51;
export const ICMP6 = 58;
export const SCTP = 132;
export const HOP_BY_HOP = 0;
export const ROUTING = 43;
export const FRAGMENT = 44;
export const NO_NEXT = 59;
export const DESTINATION = 60;

/** An extension header of IPv6, without its first byte. */
export interface Extension {
  readonly type: number;
  readonly rest: Uint8Array;
}

/** What an IP header says. Fields of the other family do not count. */
export interface IpWords {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  /** TTL or hop limit; default 64. */
  readonly ttl?: number;
  /** TOS or traffic class. */
  readonly tos?: number;
  readonly id?: number;
  readonly df?: boolean;
  readonly mf?: boolean;
  /** In units of 8 bytes; IPv4 only. */
  readonly offset?: number;
  readonly reserved?: boolean;
  readonly options?: Uint8Array;
  readonly flow?: number;
  readonly extensions?: readonly Extension[];
}

export const isSix = (address: string): boolean => address.includes(':');
const u16 = (value: number): Uint8Array => Uint8Array.of((value >> 8) & 255, value & 255);
const u32 = (value: number): Uint8Array => join(u16(value >>> 16), u16(value & 0xffff));

/** An IP packet of the family of its addresses. */
export function ip(words: IpWords, payload: Uint8Array): Uint8Array {
  return isSix(words.source) ? ip6(words, payload) : ip4(words, payload);
}

function ip4(words: IpWords, payload: Uint8Array): Uint8Array {
  const { options = new Uint8Array(0), ttl = 64, tos = 0, id = 0x1234, offset = 0 } = words;
  const padded = join(options, new Uint8Array((4 - (options.length % 4)) % 4));
  const length = 20 + padded.length + payload.length;
  const flags = (words.reserved ? 0x8000 : 0) | (words.df ? 0x4000 : 0) | (words.mf ? 0x2000 : 0) | offset;
  const header = join(
    Uint8Array.of(0x40 | (5 + padded.length / 4), tos),
    u16(length),
    u16(id),
    u16(flags),
    Uint8Array.of(ttl, words.protocol, 0, 0),
    addressBytes(words.source).bytes,
    addressBytes(words.destination).bytes,
    padded,
  );
  header.set(u16(checksum(header)), 10);
  return join(header, payload);
}

function ip6(words: IpWords, payload: Uint8Array): Uint8Array {
  const { ttl = 64, tos = 0, flow = 0, extensions = [] } = words;
  const types = [...extensions.map(({ type }) => type), words.protocol];
  const chain = extensions.map(({ rest }, i) => join(Uint8Array.of(types[i + 1] as number), rest));
  const body = join(...chain, payload);
  return join(
    u32(0x60000000 + tos * 0x100000 + flow),
    u16(body.length),
    Uint8Array.of(types[0] as number, ttl),
    addressBytes(words.source).bytes,
    addressBytes(words.destination).bytes,
    body,
  );
}

/** The fragment header: `offset` in units of 8 bytes. */
export function fragmentHeader(offset: number, more: boolean, id: number): Extension {
  return { type: FRAGMENT, rest: join(Uint8Array.of(0), u16(offset * 8 + (more ? 1 : 0)), u32(id)) };
}

/** An extension header with options, padded with PadN to a multiple of 8 bytes. */
export function optionsHeader(type: number, options: Uint8Array): Extension {
  const missing = (8 - ((2 + options.length) % 8)) % 8;
  const pad = missing === 0 ? [] : missing === 1 ? [0] : [1, missing - 2, ...Array<number>(missing - 2).fill(0)];
  const length = (2 + options.length + missing) / 8 - 1;
  return { type, rest: join(Uint8Array.of(length), options, Uint8Array.from(pad)) };
}

/** The checksum over pseudo header and message, whose own field is 0. */
export function transportSum(source: string, destination: string, protocol: number, message: Uint8Array): number {
  const ends = join(addressBytes(source).bytes, addressBytes(destination).bytes);
  return checksum(join(ends, u32(message.length), u32(protocol), message));
}

export interface PortWords {
  readonly sport: number;
  readonly dport: number;
  readonly payload: Uint8Array;
  /** Instead of the right one. */
  readonly sum?: number | undefined;
}

export interface TcpWords extends PortWords {
  readonly flags: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly options?: Uint8Array;
  /** Instead of the right data offset, in 32-bit words. */
  readonly dataOffset?: number | undefined;
}

type Ends = Pick<IpWords, 'source' | 'destination'>;

function withSum({ source, destination }: Ends, protocol: number, message: Uint8Array, at: number, sum?: number) {
  const right = transportSum(source, destination, protocol, message);
  message.set(u16(sum ?? (protocol === UDP && right === 0 ? 0xffff : right)), at);
  return message;
}

export function tcp(ends: Ends, words: TcpWords): Uint8Array {
  const { options = new Uint8Array(0), seq = 1000, ack = 2000 } = words;
  const offset = words.dataOffset ?? 5 + options.length / 4;
  const header = join(
    u16(words.sport),
    u16(words.dport),
    u32(seq),
    u32(ack),
    Uint8Array.of(offset << 4, words.flags, 0xfa, 0xf0, 0, 0, 0, 0),
    options,
  );
  return withSum(ends, TCP, join(header, words.payload), 16, words.sum);
}

export function udp(ends: Ends, words: PortWords & { readonly length?: number | undefined }): Uint8Array {
  const length = words.length ?? 8 + words.payload.length;
  return withSum(ends, UDP, join(u16(words.sport), u16(words.dport), u16(length), u16(0), words.payload), 6, words.sum);
}

/** An SCTP packet of one chunk, which may be empty. */
export function sctp(words: PortWords & { readonly chunk: number; readonly tag?: number }): Uint8Array {
  const { payload, chunk, tag = 0x01020304 } = words;
  const padding = new Uint8Array((4 - (payload.length % 4)) % 4);
  const body = join(Uint8Array.of(chunk, 0), u16(4 + payload.length), payload, padding);
  const packet = join(u16(words.sport), u16(words.dport), u32(tag), u32(0), body);
  const sum = words.sum ?? crc32c(packet);
  // RFC 9260 appendix A: the bytes of the CRC go out in the order of the polynomial, lowest first.
  packet.set([sum & 255, (sum >>> 8) & 255, (sum >>> 16) & 255, sum >>> 24], 8);
  return packet;
}

const POLYNOMIAL = 0x82f63b78;

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  }
  return ~crc >>> 0;
}

/** ICMP for IPv4 addresses, ICMPv6 for others. `rest`: the four bytes after the checksum. */
export function icmp(ends: Ends, type: number, code: number, rest: number, body: Uint8Array, sum?: number): Uint8Array {
  const message = join(Uint8Array.of(type, code, 0, 0), u32(rest), body);
  if (isSix(ends.source)) return withSum(ends, ICMP6, message, 2, sum);
  message.set(u16(sum ?? checksum(message)), 2);
  return message;
}

/** A GRE header without key and sequence number, before `packet`. */
export function gre(packet: Uint8Array, protocol: number, withChecksum: boolean, sum?: number): Uint8Array {
  const header = join(u16(withChecksum ? 0x8000 : 0), u16(protocol), withChecksum ? u32(0) : new Uint8Array(0));
  const whole = join(header, packet);
  if (withChecksum) whole.set(u16(sum ?? checksum(whole)), 4);
  return whole;
}

/** The four bytes of GUE (version 0, no fields) before `packet`. */
export function gue(packet: Uint8Array, protocol: number): Uint8Array {
  return join(Uint8Array.of(0, protocol, 0, 0), packet);
}

/** An Ethernet frame of the EtherType that fits the packet's version. */
export function ether(to: string, from: string, packet: Uint8Array, type?: number, tag?: number): Uint8Array {
  const own = type ?? ((packet[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800);
  const words = tag === undefined ? [own] : [0x8100, tag, own];
  return join(hex(to), hex(from), ...words.map(u16), packet);
}
