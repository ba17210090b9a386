/**
 * GRE, and GUE within UDP.
 *
 * @module
 */
import { readU16, readUint } from './text.js';
import { decimal, hex, type Place, type Walk } from './walk.js';

const CHECKSUM = 0x8000;
const KEY = 0x2000;
const SEQUENCE = 0x1000;

/** RFC 2784, with the key and the sequence number of RFC 2890. */
export function gre(walk: Walk, at: number, end: number, { prefix, inside }: Place): void {
  const flags = readU16(walk.frame, at);
  const layer = walk.layer('gre', prefix, at, at + 4, end);
  walk.add(layer, 'gre.flags_and_version', at, 2, hex);
  walk.add(layer, 'gre.proto', at + 2, 2, hex);
  let next = at + 4;
  if ((flags & CHECKSUM) !== 0) {
    walk.add(layer, 'gre.checksum', next, 2, hex);
    walk.add(layer, 'gre.reserved1', next + 2, 2, hex);
    next += 4;
  }
  for (const [bit, name] of [
    [KEY, 'gre.key'],
    [SEQUENCE, 'gre.sequence_number'],
  ] as const) {
    if ((flags & bit) === 0) continue;
    walk.add(layer, name, next, 4, bit === KEY ? hex : decimal);
    next += 4;
  }
  layer.payload = Math.min(end, next);
  const type = readU16(walk.frame, at + 2);
  // Version 0 alone carries packets like this; what the protocol type says must be inside.
  const version = type === 0x0800 ? 4 : type === 0x86dd ? 6 : -1;
  if ((flags & 7) === 0 && next < end && walk.frame[next]! >> 4 === version) inside(next, end, 'inner.');
}

const GUE_PRIVATE = 1;
const GUE_REMOTE_CHECKSUM = 0x8000_0000;

/**
 * Generic UDP Encapsulation (draft-ietf-intarea-gue, version 0). No port number is its own, so it is told by what it
 * says: a data message that carries an IP packet as long as the rest.
 */
export function gueWithin(walk: Walk, at: number, end: number, { prefix, whole, inside }: Place): void {
  const { frame } = walk;
  const headerLength = 4 + ((frame[at] ?? 0) & 31) * 4;
  const start = at + headerLength;
  const [protocol, flags] = [frame[at + 1], readU16(frame, at + 2)];
  // Version 0, no control message.
  if (start >= end || frame[at]! >> 5 !== 0) return;
  if ((flags & ~GUE_PRIVATE) !== 0 || headerLength < (flags === 0 ? 4 : 8)) return;
  const hasRemoteChecksum = flags === GUE_PRIVATE && readUint(frame, at + 4, 4) === GUE_REMOTE_CHECKSUM;
  if (hasRemoteChecksum && headerLength < 12) return;
  if (
    !(protocol === 4 && isPacket4(frame, start, end, whole)) &&
    !(protocol === 41 && isPacket6(frame, start, end, whole))
  )
    return;
  const layer = walk.layer('gue', prefix, at, start, end);
  walk.add(layer, 'gue.hlen', at, 1, () => String(headerLength));
  walk.add(layer, 'gue.proto', at + 1, 1, decimal);
  walk.add(layer, 'gue.flags', at + 2, 2, hex);
  if (flags === GUE_PRIVATE) walk.add(layer, 'gue.private', at + 4, 4, hex);
  if (hasRemoteChecksum) {
    walk.add(layer, 'gue.remcsum.start', at + 8, 2, decimal);
    walk.add(layer, 'gue.remcsum.offset', at + 10, 2, decimal);
  }
  // What has no flag of its own.
  walk.rest(layer, 'gue.data', at + (hasRemoteChecksum ? 12 : flags === GUE_PRIVATE ? 8 : 4), start);
  inside(start, end, 'inner.');
}

/** Whether an IPv4 packet fills what is there; of one cut short that much must be there of its header. */
function isPacket4(frame: Uint8Array, at: number, end: number, whole: boolean): boolean {
  const headerLength = (frame[at]! & 15) * 4;
  if (frame[at]! >> 4 !== 4 || headerLength < 20 || at + headerLength > end) return false;
  return fits(readU16(frame, at + 2), end - at, whole);
}

function isPacket6(frame: Uint8Array, at: number, end: number, whole: boolean): boolean {
  if (frame[at]! >> 4 !== 6 || at + 40 > end) return false;
  return fits(40 + readU16(frame, at + 4), end - at, whole);
}

function fits(length: number, room: number, whole: boolean): boolean {
  return whole ? length === room : length >= room;
}
