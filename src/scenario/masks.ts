/**
 * What may differ from the kernel's capture: only values that the director itself chose at random or read from its
 * clock, each by name. Everything else is compared byte for byte.
 *
 * @module
 */
import { type Difference, firstDifference } from '../decode.js';

/** What is known about a frame that we sent, when it is held beside the captured one. */
export interface MaskContext {
  readonly expected: Uint8Array;
  readonly got: Uint8Array;
  /** Why we sent it. */
  readonly reason: string;
  /** Made by the director, not a frame that was given to it. */
  readonly made: boolean;
  /** When the packet that caused it arrived, ns since the epoch. */
  readonly arrival: bigint;
  /** When the captured frame left, ns since the epoch. */
  readonly departure: bigint;
}

/** Bytes that need not be equal. */
export interface MaskedRange {
  readonly start: number;
  readonly length: number;
  /** Start of the IPv4 header whose checksum covers the range: that checksum must be right in both frames. */
  readonly header: number;
}

interface MaskRule {
  readonly name: string;
  /** The ranges that it allows to differ; empty when it does not apply. */
  ranges(context: MaskContext): MaskedRange[];
}

const ID = 4;
const FLAGS = 6;
const PROTOCOL = 9;
const CHECKSUM = 10;
const DF = 0x40;
const ICMP = 1;
const IPIP = 4;
const TIMESTAMP = 68;
const DAY_MS = 86_400_000;

/** All masks. A tunnel with random fields of its own adds its rule here. */
const RULES: readonly MaskRule[] = [
  {
    // The director numbers its own ICMP packets from a counter of random start.
    name: 'icmp-id',
    ranges(context) {
      const at = sharedHeader(context);
      if (at < 0 || !context.made || context.got[at + PROTOCOL] !== ICMP) return [];
      return [{ start: at + ID, length: 2, header: at }];
    },
  },
  {
    // Outer headers with DF have ID 0; those without are numbered from the same kind of counter.
    name: 'outer-id',
    ranges(context) {
      const at = sharedHeader(context);
      if (at < 0 || context.reason !== 'tunnel-ipip' || context.got[at + PROTOCOL] !== IPIP) return [];
      return (context.got[at + FLAGS]! & DF) === 0 ? [{ start: at + ID, length: 2, header: at }] : [];
    },
  },
  {
    // IP timestamp option: the kernel wrote its own clock between the arrival and the departure of the packet.
    name: 'clock',
    ranges(context) {
      const found: MaskedRange[] = [];
      for (let at = ipv4At(context.got); at >= 0; at = innerHeader(context.got, at)) {
        for (const start of timestamps(context.got, at)) {
          if (start + 4 > context.expected.length) continue;
          if (inClock(context, context.expected, start) && inClock(context, context.got, start)) {
            found.push({ start, length: 4, header: at });
          }
        }
      }
      return found;
    },
  },
];

/** Names of all masks. */
export const MASKS: readonly string[] = RULES.map(({ name }) => name);

/** Our frame with every masked value replaced by the kernel's. */
interface Levelled {
  readonly got: Uint8Array;
  /** Names of the masks that were needed. */
  readonly used: readonly string[];
  /** The header checksums that follow from masked values are right in both frames. */
  readonly checksums: boolean;
}

/**
 * Whether a frame of ours equals the captured one but for masked values.
 *
 * @returns the names of the masks that were needed, empty for equal frames; `undefined` when they differ otherwise
 */
export function matchFrames(context: MaskContext): readonly string[] | undefined {
  if (equal(context.expected, context.got)) return [];
  const { got, used, checksums } = level(context);
  return checksums && equal(context.expected, got) ? used : undefined;
}

/** The first difference between two frames that do not match, masked values aside. */
export function unmaskedDifference(context: MaskContext): Difference {
  const found = firstDifference(context.expected, level(context).got);
  return found ?? { name: 'ip.checksum', start: 0, expected: 'a right one in both frames', got: 'a wrong one' };
}

function level(context: MaskContext): Levelled {
  const { expected } = context;
  const got = context.got.slice();
  const used = new Set<string>();
  const headers = new Set<number>();
  const take = (start: number, length: number) => got.set(expected.subarray(start, start + length), start);
  for (const { name, ranges } of RULES) {
    for (const { start, length, header } of ranges(context)) {
      if (equal(expected.subarray(start, start + length), got.subarray(start, start + length))) continue;
      take(start, length);
      headers.add(header);
      used.add(name);
    }
  }
  let checksums = true;
  for (const header of headers) {
    // The checksum follows from the masked value, so it differs, too; but it must be right.
    if (headerChecksumOk(expected, header) && headerChecksumOk(context.got, header)) take(header + CHECKSUM, 2);
    else checksums = false;
  }
  return { got, used: [...used], checksums };
}

/** Whether the two have the same bytes. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Where the IPv4 header of an Ethernet frame starts; -1: it has none. */
export function ipv4At(frame: Uint8Array): number {
  let at = 12;
  while (u16(frame, at) === 0x8100) at += 4;
  return u16(frame, at) === 0x0800 ? wholeHeader(frame, at + 2) : -1;
}

/** The start of the IPv4 header when it is at the same place in both frames; else -1. */
function sharedHeader({ expected, got }: MaskContext): number {
  const at = ipv4At(got);
  return at === ipv4At(expected) ? at : -1;
}

/** The header within an IPIP packet that is not a later fragment; else -1. */
function innerHeader(frame: Uint8Array, at: number): number {
  if (frame[at + PROTOCOL] !== IPIP || (u16(frame, at + FLAGS) & 0x1fff) !== 0) return -1;
  return wholeHeader(frame, at + headerLength(frame, at));
}

function wholeHeader(frame: Uint8Array, at: number): number {
  const whole = at + 20 <= frame.length && frame[at]! >> 4 === 4 && at + headerLength(frame, at) <= frame.length;
  return whole && headerLength(frame, at) >= 20 ? at : -1;
}

function headerLength(frame: Uint8Array, at: number): number {
  return (frame[at]! & 15) * 4;
}

function u16(frame: Uint8Array, at: number): number {
  return ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
}

/** Where the written time stamps of a header's timestamp options are (RFC 791 §3.1). */
function timestamps(frame: Uint8Array, header: number): number[] {
  const found: number[] = [];
  const end = header + headerLength(frame, header);
  let at = header + 20;
  while (at < end && frame[at] !== 0) {
    const length = frame[at] === 1 ? 1 : (frame[at + 1] ?? 0);
    if (length === 0 || at + length > end) break;
    if (frame[at] === TIMESTAMP && length >= 4) {
      // Flag 0: times alone; 1 and 3: an address before each.
      const slot = (frame[at + 3]! & 15) === 0 ? 4 : 8;
      const written = Math.min(frame[at + 2]! - 1, length);
      for (let next = at + 4 + slot; next <= at + written; next += slot) found.push(next - 4);
    }
    at += length;
  }
  return found;
}

/** Whether the time at `start` (ms since midnight UT) lies between arrival and departure. */
function inClock({ arrival, departure }: MaskContext, frame: Uint8Array, start: number): boolean {
  const value = u16(frame, start) * 0x10000 + u16(frame, start + 2);
  const first = Number((arrival / 1_000_000n) % BigInt(DAY_MS));
  const span = Number(departure / 1_000_000n - arrival / 1_000_000n);
  // Modulo a day: a packet may cross midnight.
  return value < DAY_MS && (value - first + DAY_MS) % DAY_MS <= span;
}

/** Whether the ones' complement sum over an IPv4 header is right (RFC 1071). */
export function headerChecksumOk(frame: Uint8Array, at: number): boolean {
  let sum = 0;
  for (let i = at; i < at + headerLength(frame, at); i += 2) sum += u16(frame, i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum === 0xffff;
}
