/**
 * Options of TCP (RFC 9293 §3.2).
 *
 * @module
 */
import { TCP_LENGTH, type TcpSegment } from './tcp.js';

/** Kinds that matter here. */
export const TCP_OPTION = {
  end: 0,
  noOperation: 1,
  mss: 2,
  scale: 3,
  sackPermitted: 4,
  sack: 5,
  timestamp: 8,
} as const;

/** An option; no operation has a length of 1, the end of the list is none. */
export interface TcpOption {
  kind: number;
  /** Where it begins, in bytes behind the fixed header. */
  at: number;
  length: number;
}

/** The options up to the first that cannot be read; `isWhole` if all could. */
export function tcpOptions({ offsetAndReserved, rest }: TcpSegment): { options: TcpOption[]; isWhole: boolean } {
  const end = (offsetAndReserved >>> 4) * 4 - TCP_LENGTH;
  const options: TcpOption[] = [];
  if (end > rest.length) return { options, isWhole: false };
  for (let at = 0; at < end; ) {
    const kind = rest[at]!;
    if (kind === TCP_OPTION.end) break;
    const isLong = kind !== TCP_OPTION.noOperation;
    const length = isLong ? (at + 1 < end ? rest[at + 1]! : 0) : 1;
    if ((isLong && length < 2) || at + length > end) return { options, isWhole: false };
    options.push({ kind, at, length });
    at += length;
  }
  return { options, isWhole: true };
}

const SACK_BLOCK = 8;

/** Where behind the fixed header the sequence numbers of selective acknowledgments stand (RFC 2018 §3). */
export function sackEdges(options: readonly TcpOption[]): number[] {
  return options
    .filter(({ kind, length }) => kind === TCP_OPTION.sack && (length - 2) % SACK_BLOCK === 0)
    .flatMap(({ at, length }) => Array.from({ length: (length - 2) / 4 }, (_, i) => at + 2 + i * 4));
}
