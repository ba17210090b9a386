/**
 * TCP segments with their options, made from words and read back. Whatever is read has right checksums.
 *
 * @module
 */
import { checksum, ip, ip6, join, packet, toHex, transportChecksum } from '../support/packets.js';

export interface Options {
  mss?: number;
  scale?: number;
  sackPermitted?: boolean;
  stamps?: readonly [value: number, echo: number];
  /** Edges, two for each block. */
  sack?: readonly number[];
  /** What names a client, read only: all bytes of it. */
  toa?: Uint8Array;
}

export interface Segment {
  source: string;
  destination: string;
  sport: number;
  dport: number;
  seq: number;
  ack: number;
  flags: number;
  window: number;
  options: Options;
  payload: Uint8Array;
}

const u16 = (value: number): number[] => [value >> 8, value & 255];
const u32 = (value: number): number[] => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];

/** `pad` NOPs stand in front, so that options begin at odd places, too. */
function write({ mss, scale, sackPermitted, stamps, sack }: Options, pad: number): Uint8Array {
  const bytes = [
    ...new Array<number>(pad).fill(1),
    ...(mss === undefined ? [] : [2, 4, ...u16(mss)]),
    ...(scale === undefined ? [] : [3, 3, scale]),
    ...(sackPermitted ? [4, 2] : []),
    ...(stamps === undefined ? [] : [8, 10, ...stamps.flatMap(u32)]),
    ...(sack === undefined ? [] : [5, 2 + 4 * sack.length, ...sack.flatMap(u32)]),
  ];
  while (bytes.length % 4 !== 0) bytes.push(1);
  return Uint8Array.from(bytes);
}

/** An IP packet with that segment. */
export function build(segment: Segment, pad = 0): Uint8Array {
  const options = write(segment.options, pad);
  const header = new Uint8Array(20 + options.length);
  const view = new DataView(header.buffer);
  view.setUint16(0, segment.sport);
  view.setUint16(2, segment.dport);
  view.setUint32(4, segment.seq);
  view.setUint32(8, segment.ack);
  header[12] = (header.length / 4) << 4;
  header[13] = segment.flags;
  view.setUint16(14, segment.window);
  header.set(options, 20);
  const whole = join(header, segment.payload);
  new DataView(whole.buffer).setUint16(16, transportChecksum(segment, 6, whole));
  const { source, destination } = segment;
  return packet({ source, destination }, 6, whole);
}

/** Reads options; of a kind that is there twice, the last. */
function read(bytes: Uint8Array): Options {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const options: Options = {};
  for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
    if (bytes[at] === 1) {
      at++;
      continue;
    }
    const length = bytes[at + 1]!;
    if (bytes[at] === 2) options.mss = view.getUint16(at + 2);
    else if (bytes[at] === 3) options.scale = bytes[at + 2]!;
    else if (bytes[at] === 4) options.sackPermitted = true;
    else if (bytes[at] === 8) options.stamps = [view.getUint32(at + 2), view.getUint32(at + 6)];
    else if (bytes[at] === 5) {
      options.sack = Array.from({ length: (length - 2) / 4 }, (_, i) => view.getUint32(at + 2 + 4 * i));
    } else if (bytes[at] === 253 || bytes[at] === 254) options.toa = bytes.slice(at, at + length);
    else throw new Error(`option ${bytes[at]}`);
    at += length;
  }
  return options;
}

const text6 = (bytes: Uint8Array): string => toHex(bytes).replace(/(....)(?=.)/g, '$1:');

/** The segment in an IP packet. @throws Error for a wrong checksum or length */
export function parse(bytes: Uint8Array): Segment {
  const isV6 = bytes[0]! >> 4 === 6;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const front = isV6 ? 40 : (bytes[0]! & 15) * 4;
  const total = isV6 ? 40 + view.getUint16(4) : view.getUint16(2);
  if (total !== bytes.length) throw new Error(`a packet of ${bytes.length} bytes says that it has ${total}`);
  if (!isV6 && checksum(bytes.subarray(0, front)) !== 0) throw new Error('wrong header checksum');
  const source = isV6 ? text6(bytes.subarray(8, 24)) : bytes.subarray(12, 16).join('.');
  const destination = isV6 ? text6(bytes.subarray(24, 40)) : bytes.subarray(16, 20).join('.');
  const segment = bytes.subarray(front);
  if (transportChecksum({ source, destination }, 6, segment) !== 0) throw new Error('wrong TCP checksum');
  const at = new DataView(segment.buffer, segment.byteOffset, segment.length);
  const header = (segment[12]! >> 4) * 4;
  return {
    source,
    destination,
    sport: at.getUint16(0),
    dport: at.getUint16(2),
    seq: at.getUint32(4),
    ack: at.getUint32(8),
    flags: segment[13]!,
    window: at.getUint16(14),
    options: read(segment.subarray(20, header)),
    payload: segment.slice(header),
  };
}

/** Whether two texts name one address. */
export function isSame(a: string, b: string): boolean {
  return a.includes(':') ? toHex(ip6(a)) === toHex(ip6(b)) : ip(a) === ip(b);
}
