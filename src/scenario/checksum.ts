/**
 * Ones' complement checksums of captured frames: what a masked value changes in one, and those that a network card
 * fills in.
 *
 * @module
 */
import type { Layer } from '../decode/layers.js';
import { readU16 } from '../decode/text.js';
import { type Packet, packetOf } from './packet.js';

/** Folds a sum to 16 bits. */
function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded;
}

/** The sum over bytes from an even place on (RFC 1071). */
function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += readU16(bytes, i);
  return fold(sum);
}

/** A checksum after the bytes `before` became `after` (RFC 1624 eqn. 3); both start at an even place. */
export function adjusted(checksum: number, before: Uint8Array, after: Uint8Array): number {
  return ~fold((~checksum & 0xffff) + (~sumOf(before) & 0xffff) + sumOf(after)) & 0xffff;
}

/** Whether the IPv4 header at `start` is all there, and its checksum is right. */
export function headerChecksumIsRight(frame: Uint8Array, start: number): boolean {
  const header = frame.subarray(start, start + (frame[start]! & 15) * 4);
  return header.length === (header[0]! & 15) * 4 && sumOf(header) === 0xffff;
}

/** Where the checksum of TCP and UDP is, by kind. */
const CHECKSUM_AT: Readonly<Partial<Record<Layer['kind'], number>>> = { tcp: 16, udp: 6 };

/** The sum over a packet's pseudo header (RFC 9293 §3.1, RFC 8200 §8.1). */
function pseudoSum(frame: Uint8Array, ip: Layer, transport: Layer): number {
  const [at, length] = ip.kind === 'ip' ? [12, 8] : [8, 32];
  const addresses = frame.subarray(ip.start + at, ip.start + at + length);
  return fold(sumOf(addresses) + (transport.kind === 'tcp' ? 6 : 17) + (transport.end - transport.start));
}

/** A transport header with the IP header before it. */
interface Transport {
  readonly ip: Layer;
  readonly layer: Layer;
}

/** The TCP and UDP headers of a packet, from the outside in; not those of quoted packets. */
function transportsOf({ layers }: Packet): Transport[] {
  let ip: Layer | undefined;
  const found: Transport[] = [];
  for (const layer of layers) {
    if (layer.prefix.includes('quoted.')) break;
    if (layer.kind === 'ip' || layer.kind === 'ipv6') ip = layer;
    else if (ip !== undefined && CHECKSUM_AT[layer.kind] !== undefined) found.push({ ip, layer });
  }
  return found;
}

/** Whether the transport checksum of a frame holds the sum over the pseudo header alone, as if it were to be filled. */
export function isPartial(frame: Uint8Array): boolean {
  const packet = packetOf(frame);
  const transport = packet === undefined || packet.fragment ? undefined : transportsOf(packet)[0];
  if (transport === undefined) return false;
  const { ip, layer } = transport;
  const at = layer.start + CHECKSUM_AT[layer.kind]!;
  return at + 2 <= layer.end && readU16(frame, at) === pseudoSum(frame, ip, layer);
}

/** The frame after a network card filled in the checksum of its innermost packet, which holds the pseudo header's sum. */
export function filled(frame: Uint8Array): Uint8Array {
  const packet = packetOf(frame);
  const transport = packet === undefined ? undefined : transportsOf(packet).at(-1);
  if (transport === undefined) return frame;
  const { layer } = transport;
  const at = layer.start + CHECKSUM_AT[layer.kind]!;
  const sum = ~sumOf(frame.subarray(layer.start, layer.end)) & 0xffff;
  const copy = frame.slice();
  // UDP: 0 would mean none (RFC 768).
  const value = layer.kind === 'udp' && sum === 0 ? 0xffff : sum;
  copy.set([value >> 8, value & 255], at);
  return copy;
}
