/**
 * Making room inside a frame: what stands in front of it moves, so that no payload does.
 *
 * @module
 */
import { Descriptor, Scratch } from '../descriptor';

/** Largest total length of IPv4, and largest payload length of IPv6. */
const LENGTH_MAX: u32 = 0xffff;

/** Bytes that the packet can have at most. */
export function lengthMax(packet: Scratch): u32 {
  return packet.isV6 ? LENGTH_MAX + packet.headerMin : LENGTH_MAX;
}

/** Whether the packet may become so many bytes longer, and there is headroom for them. */
export function mayGrow(frame: Descriptor, packet: Scratch, bytes: u32): bool {
  return packet.totalLength + bytes <= lengthMax(packet) && frame.headroom >= bytes;
}

/** Bytes that are moved at once. */
const WORD = 8;

/**
 * Moves the frame, from its start up to `at`, by `bytes` towards lower addresses; less than none closes a gap in front of `at`.
 * The transport header moves if it begins before `at`. The length of the IP packet follows, and the checksum of an IPv4 header.
 */
export function openGap(frame: Descriptor, packet: Scratch, at: usize, bytes: i32): void {
  const start = frame.address;
  if (bytes >= WORD) moveDown(start, at, bytes);
  else memory.copy(start - bytes, start, at - start);
  frame.address = start - bytes;
  frame.headroom -= bytes;
  frame.length += bytes;
  packet.ip -= bytes;
  if (packet.l4 < at) {
    packet.l4 -= bytes;
    packet.l4Length += bytes;
  }
  fillLength(packet);
}

/** Moves what lies from `start` up to `end` by `bytes`, at least a word: headers are too short for the engine's way to copy. */
function moveDown(start: usize, end: usize, bytes: usize): void {
  let at = start;
  for (; at + WORD <= end; at += WORD) store<u64>(at - bytes, load<u64>(at));
  for (; at < end; at++) store<u8>(at - bytes, load<u8>(at));
}

/** The length of the IP packet as its header tells it, and the checksum of an IPv4 header. */
export function fillLength(packet: Scratch): void {
  if (packet.isV6) {
    packet.header6.payloadLength = packet.totalLength - packet.headerMin;
  } else {
    packet.header.totalLength = packet.totalLength;
    packet.header.fillChecksum();
  }
}
