/**
 * Options of the segments that the SYN proxy reads, and of those that it makes.
 *
 * @module
 */
import { concatenate } from '../packet/checksum.js';
import type { TcpSegment } from '../packet/tcp.js';
import { TCP_OPTION, tcpOptions } from '../packet/tcp-options.js';

/** What a segment has of the options that matter here. */
export interface Offer {
  mss?: number;
  scale?: number;
  sack: boolean;
  /** Value and echo. */
  stamps?: readonly [number, number];
}

/** Whoever says more means that (RFC 7323 §2.3). */
const LARGEST_SCALE = 14;

/** Bytes of each option that matters. */
const LENGTHS: Readonly<Record<number, number>> = {
  [TCP_OPTION.mss]: 4,
  [TCP_OPTION.scale]: 3,
  [TCP_OPTION.sackPermitted]: 2,
  [TCP_OPTION.timestamp]: 10,
};

/** The options up to the first that cannot be read; of one that is there twice the last. */
export function readOffer(segment: TcpSegment): Offer {
  const view = new DataView(segment.rest.buffer, segment.rest.byteOffset, segment.rest.length);
  const offer: Offer = { sack: false };
  for (const { kind, at, length } of tcpOptions(segment).options) {
    if (LENGTHS[kind] !== length) continue;
    if (kind === TCP_OPTION.mss) offer.mss = view.getUint16(at + 2);
    if (kind === TCP_OPTION.scale) offer.scale = Math.min(view.getUint8(at + 2), LARGEST_SCALE);
    if (kind === TCP_OPTION.sackPermitted) offer.sack = true;
    if (kind === TCP_OPTION.timestamp) offer.stamps = [view.getUint32(at + 2), view.getUint32(at + 6)];
  }
  return offer;
}

const NOP = TCP_OPTION.noOperation;

/** What a SYN or SYN-ACK of the director says. */
export function handshakeOptions({ mss = 0, scale, sack, stamps }: Offer): Uint8Array {
  const middle = sack || stamps !== undefined;
  return concatenate(
    Uint8Array.of(TCP_OPTION.mss, 4, mss >>> 8, mss & 0xff),
    middle ? (sack ? Uint8Array.of(TCP_OPTION.sackPermitted, 2) : Uint8Array.of(NOP, NOP)) : new Uint8Array(0),
    middle ? (stamps === undefined ? Uint8Array.of(NOP, NOP) : stampOption(stamps)) : new Uint8Array(0),
    scale === undefined ? new Uint8Array(0) : Uint8Array.of(NOP, TCP_OPTION.scale, 3, scale),
  );
}

/** What any later segment of the director says. */
export function laterOptions(stamps: readonly [number, number] | undefined): Uint8Array {
  return stamps === undefined ? new Uint8Array(0) : concatenate(Uint8Array.of(NOP, NOP), stampOption(stamps));
}

function stampOption([value, echo]: readonly [number, number]): Uint8Array {
  const option = new DataView(new ArrayBuffer(10));
  option.setUint8(0, TCP_OPTION.timestamp);
  option.setUint8(1, 10);
  option.setUint32(2, value);
  option.setUint32(6, echo);
  return new Uint8Array(option.buffer);
}
