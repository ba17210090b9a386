/**
 * Where the headers of a frame are, for those who look at a few bytes of many frames: nothing is made of the rest.
 *
 * @module
 */
import type { LinkKind } from '../capture/link-type.js';

/** Where an IP packet's header, its options (of IPv4) and the header behind them are. Offsets in the frame, in bytes. */
export interface Headers {
  readonly family: 4 | 6;
  readonly ip: number;
  readonly optionsStart: number;
  readonly optionsEnd: number;
  /** What is at `start`: an IP protocol number. */
  readonly protocol: number;
  readonly start: number;
  /** Whether it is there: not in later fragments. */
  readonly isFirst: boolean;
  /** Where the packet ends, or the frame if that is cut off. */
  readonly end: number;
}

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const VLAN_TAGS = [0x8100, 0x88a8];

const u16 = (frame: Uint8Array, at: number): number => ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);

/** `undefined` when there is no IP packet with the beginning of what it carries. */
export function locateHeaders(frame: Uint8Array, link: LinkKind): Headers | undefined {
  if (link === 'raw') return packet(frame, 0, (frame[0] ?? 0) >> 4);
  let at = 12;
  while (VLAN_TAGS.includes(u16(frame, at)) && at <= 16) at += 4;
  const type = u16(frame, at);
  return packet(frame, at + 2, type === ETHERTYPE_IPV4 ? 4 : type === ETHERTYPE_IPV6 ? 6 : 0);
}

function packet(frame: Uint8Array, at: number, version: number): Headers | undefined {
  if (at >= frame.length || frame[at]! >> 4 !== version) return undefined;
  return version === 4 ? ipv4(frame, at) : version === 6 ? ipv6(frame, at) : undefined;
}

function ipv4(frame: Uint8Array, at: number): Headers | undefined {
  const start = at + (frame[at]! & 15) * 4;
  const end = Math.min(frame.length, at + u16(frame, at + 2));
  const isFirst = (u16(frame, at + 6) & 0x1fff) === 0;
  if (start < at + 20 || start >= end) return undefined;
  const protocol = frame[at + 9]!;
  return { family: 4, ip: at, optionsStart: at + 20, optionsEnd: start, protocol, start, isFirst, end };
}

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AH = 51;
const DESTINATION = 60;

function ipv6(frame: Uint8Array, at: number): Headers | undefined {
  const end = Math.min(frame.length, at + 40 + u16(frame, at + 4));
  let protocol = frame[at + 6] ?? 0;
  let start = at + 40;
  for (;;) {
    if (start + 8 > end) return undefined;
    const length = extensionLength(protocol, frame[start + 1]!);
    const isFirst = protocol !== FRAGMENT || (u16(frame, start + 2) & 0xfff8) === 0;
    if (length > 0) {
      protocol = frame[start]!;
      start += length;
    }
    if (length > 0 && isFirst) continue;
    return { family: 6, ip: at, optionsStart: at, optionsEnd: at, protocol, start, isFirst, end };
  }
}

/** Bytes of an extension header (RFC 8200 §4, RFC 4302 §2.2) by its own length field; 0: it is none. */
function extensionLength(protocol: number, field: number): number {
  switch (protocol) {
    case HOP_BY_HOP:
    case ROUTING:
    case DESTINATION:
      return 8 + field * 8;
    case FRAGMENT:
      return 8;
    case AH:
      return 8 + field * 4;
    default:
      return 0;
  }
}
