/**
 * Segments of two ends on the wire: made with options at any place, and read with every checksum verified by full
 * recomputation.
 *
 * @module
 */
import { checksum, type TransportWords, tcp, transportChecksum } from '../../support/packets.js';
import type { Segment } from './end.js';

/** Addresses and ports. */
export type Ends = Pick<TransportWords, 'source' | 'destination' | 'sport' | 'dport'>;

const NOP = 1;
const SACK = 5;

/**
 * The packet of a segment.
 *
 * @param before no operations in front of the other options; @param other options besides
 */
export function packetOf(ends: Ends, segment: Segment, before: number, other: Uint8Array): Uint8Array {
  const { sack, ...rest } = segment;
  const blocks = sack.flatMap((pair) => pair.flatMap((number) => bytesOf(number)));
  const options = [
    ...new Array<number>(before).fill(NOP),
    ...(blocks.length === 0 ? [] : [SACK, blocks.length + 2, ...blocks]),
    ...other,
  ];
  while (options.length % 4 !== 0) options.push(NOP);
  return tcp({ ...ends, ...rest, tcpOptions: Uint8Array.from(options), payload: segment.data, df: true });
}

function bytesOf(number: number): number[] {
  return [number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255];
}

/** What stands in a packet. @throws Error where a checksum or a length is wrong */
export function read(packet: Uint8Array): { ends: Ends; segment: Segment; options: Uint8Array } {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const v6 = packet[0]! >> 4 === 6;
  const at = v6 ? 40 : (packet[0]! & 15) * 4;
  const length = v6 ? view.getUint16(4) + 40 : view.getUint16(2);
  if (length !== packet.length) throw new Error(`a length of ${length} for ${packet.length} bytes`);
  if (!v6 && checksum(packet.subarray(0, at)) !== 0) throw new Error('a wrong header checksum');
  const address = (from: number): string => (v6 ? groups(view, from) : packet.subarray(from, from + 4).join('.'));
  const [source, destination] = v6 ? [address(8), address(24)] : [address(12), address(16)];
  const bytes = packet.slice(at);
  const sum = view.getUint16(at + 16);
  bytes.set([0, 0], 16);
  const right = transportChecksum({ source, destination }, 6, bytes);
  if (sum !== right) throw new Error(`checksum ${sum}, not ${right}`);
  const data = (bytes[12]! >> 4) * 4;
  const options = bytes.slice(20, data);
  return {
    ends: { source, destination, sport: view.getUint16(at), dport: view.getUint16(at + 2) },
    segment: {
      flags: bytes[13]! & 0x17,
      seq: view.getUint32(at + 4),
      ack: view.getUint32(at + 8),
      sack: sackIn(options),
      data: bytes.slice(data),
    },
    options,
  };
}

function groups(view: DataView, from: number): string {
  const words = Array.from({ length: 8 }, (_, i) => view.getUint16(from + 2 * i).toString(16)).join(':');
  return words.replace(/(:0)+:/, '::');
}

function sackIn(options: Uint8Array): [number, number][] {
  const view = new DataView(options.buffer, options.byteOffset);
  for (let at = 0; at < options.length && options[at] !== 0; ) {
    const length = options[at] === NOP ? 1 : options[at + 1]!;
    if (options[at] === SACK) {
      const count = (length - 2) / 8;
      return Array.from({ length: count }, (_, i) => [view.getUint32(at + 2 + 8 * i), view.getUint32(at + 6 + 8 * i)]);
    }
    at += length;
  }
  return [];
}
