/**
 * What may differ from the kernel's capture: only values that the director itself chose at random or read from its
 * clock, each by name. Everything else is compared byte for byte.
 *
 * @module
 */

import type { Layer } from '../decode/layers.js';
import { readU16, readUint } from '../decode/text.js';
import { type Difference, firstDifference } from '../decode.js';
import { adjusted, headerChecksumIsRight } from './checksum.js';
import { fieldOf, type Packet, packetOf } from './packet.js';

/** What is known about a frame that we sent, when it is held beside the captured one. */
export interface MaskContext {
  readonly expected: Uint8Array;
  readonly got: Uint8Array;
  /** The frame that was given to us last before we sent it. */
  readonly offered: Uint8Array;
  /** Why the packet was sent; of a further piece the reason of the first one. */
  readonly reason: string;
  /** Whether the packet is the director's own, not one that was given to it. */
  readonly made: boolean;
  /** Number of the packet: the same for all pieces of one that was cut. */
  readonly packet: number;
  /** When the packet that caused it arrived, ns since the epoch. */
  readonly arrival: bigint;
  /** When the captured frame left, ns since the epoch. */
  readonly departure: bigint;
}

/** A value that the director chose; where two have the same key, they must be equal in both directors. */
export interface Choice {
  readonly key: string;
  readonly expected: string;
  readonly got: string;
}

/** Bytes that need not be equal. */
interface MaskedRange {
  readonly start: number;
  readonly length: number;
  /** Bits of the first byte that may; default all. */
  readonly bits?: number;
  /** Where the checksum is that covers the range; it must be what follows from the value. */
  readonly checksum?: number;
  /** Whether 0 there stands for none, as in UDP. */
  readonly none?: boolean;
  /** What the value must be one and the same for. */
  readonly key?: string;
}

interface MaskRule {
  readonly name: string;
  /** The ranges that it allows to differ; empty when it does not apply. */
  ranges(context: MaskContext, got: Packet, expected: Packet): MaskedRange[];
}

const ICMP = 1;
const ICMP6 = 58;
const DAY_MS = 86_400_000;
/** Linux's default range of local ports, of which the source ports of GUE are (net.ipv4.ip_local_port_range). */
const [FIRST_PORT, LAST_PORT] = [32768, 60999];

/** All masks. A tunnel with random fields of its own adds its rule here. */
const RULES: readonly MaskRule[] = [
  {
    // The director numbers its own ICMP packets from a counter of random start.
    name: 'icmp-id',
    ranges: ({ made }, got) => (made && got.version === 4 && got.protocol === ICMP ? [idOf(got)] : []),
  },
  {
    // NAT64 numbers what may be cut from the same counter, but for what came in fragments, which have a number.
    name: 'nat64-id',
    ranges(context, got) {
      // Errors of ICMPv6 become some of ICMP.
      const isError = context.reason === 'icmp-in' && got.protocol === ICMP;
      const isOurs = context.reason === 'nat64-in' || (isError && packetOf(context.offered)?.protocol !== ICMP);
      const isAtomic = !got.fragment && fieldOf(got.layers[0], 'ip.flags')?.includes('DF');
      if (!isOurs || got.version === 6 || isAtomic) return [];
      const came = fragmentIdOf(context.offered);
      const isKept = came !== undefined && (Number(came) & 0xffff) === readU16(context.expected, idOf(got).start);
      return isKept ? [] : [{ ...idOf(got), key: `nat64-id of packet ${context.packet}` }];
    },
  },
  {
    // Outer headers with DF have ID 0, unless cut; those without are numbered from the same kind of counter. All fragments
    // of an outer packet have the same one.
    name: 'outer-id',
    ranges(context, got) {
      const isAtomic = !got.fragment && fieldOf(got.layers[0], 'ip.flags')?.includes('DF');
      if (!isTunnel(context, got) || got.version === 6 || isAtomic) return [];
      return [{ ...idOf(got), key: `outer-id of packet ${context.packet}` }];
    },
  },
  {
    // A hash of the flow within, keyed anew at each boot: one port for each flow.
    name: 'gue-port',
    ranges(context, got, expected) {
      const [udp, gue] = ['udp', 'gue'].map((kind) => got.layers.find((one) => one.prefix === '' && one.kind === kind));
      // In a first fragment what is within cannot be told.
      const isGue = gue !== undefined ? isTunnel(context, got) : context.reason === 'tunnel-gue' && got.fragment;
      if (!isGue || udp === undefined) return [];
      const start = udp.start;
      const inRange = [context.expected, context.got].every(
        (frame) => readU16(frame, start) >= FIRST_PORT && readU16(frame, start) <= LAST_PORT,
      );
      if (!inRange || expected.layers.every((one) => one.kind !== 'udp' || one.start !== start)) return [];
      const flow = gue === undefined ? `packet ${context.packet}` : flowOf(got);
      return [{ start, length: 2, checksum: start + 6, none: true, key: `gue-port of ${flow}` }];
    },
  },
  {
    // A random number for each datagram that the director cuts, the same in all its fragments.
    name: 'fragment-id',
    ranges(context, got) {
      const header = got.layers.find((one) => one.prefix === '' && one.kind === 'fragment');
      const ident = fieldOf(header, 'ipv6.fraghdr.ident');
      if (header === undefined || ident === fragmentIdOf(context.offered)) return [];
      return [{ start: header.start + 4, length: 4, key: `fragment-id of packet ${context.packet}` }];
    },
  },
  {
    // Linux labels its own flows by a hash (net.ipv6.auto_flowlabels); ICMPv6 checksums do not cover it.
    name: 'flow-label',
    ranges({ made }, got) {
      if (!made || got.version === 4 || got.protocol !== ICMP6) return [];
      return [{ start: startOf(got) + 1, length: 3, bits: 0x0f }];
    },
  },
  {
    // IP timestamp option: the kernel wrote its own clock between the arrival and the departure of the packet.
    name: 'clock',
    ranges(context, got) {
      const found: MaskedRange[] = [];
      for (const ip of got.layers) {
        // What an answer quotes was written into before. Only the answer's checksum is of that, but that of a datagram was
        // set right when it was put together.
        const isQuoted = context.made && ip.prefix === 'quoted.';
        if (ip.kind !== 'ip' || (ip.prefix.includes('quoted.') && !isQuoted)) continue;
        const isNew = [context.expected, context.got].every((frame) => headerChecksumIsRight(frame, ip.start));
        const checksum = isQuoted && !isNew ? got.layers[0]!.payload + 2 : ip.start + 10;
        for (const start of timestamps(context.got, ip)) {
          if (start + 4 > Math.min(context.expected.length, context.got.length)) continue;
          if (inClock(context, context.expected, start) && inClock(context, context.got, start)) {
            found.push({ start, length: 4, checksum });
          }
        }
      }
      return found;
    },
  },
];

/** Names of all masks. */
export const MASKS: readonly string[] = RULES.map(({ name }) => name);

/** How a frame matched. */
export interface FrameMatch {
  /** Names of the masks that were needed, empty for equal frames. */
  readonly masks: readonly string[];
  /** What the director chose in it. */
  readonly choices: readonly Choice[];
}

/** Whether a frame of ours equals the captured one but for masked values; `undefined` when they differ otherwise. */
export function matchFrames(context: MaskContext): FrameMatch | undefined {
  const { got, masks, choices } = level(context);
  return equal(context.expected, got) ? { masks, choices } : undefined;
}

/** The first difference between two frames that do not match, masked values aside; `undefined`: there is none. */
export function unmaskedDifference(context: MaskContext): Difference | undefined {
  return firstDifference(context.expected, level(context).got);
}

/** What was chosen before, by key: the pieces of a packet have one ID, the packets of a flow one port. */
export class Choices {
  readonly #kept = new Map<string, Choice>();

  /** The first choice that is another one than before. */
  conflict(choices: readonly Choice[]): Choice | undefined {
    return choices.find(({ key, expected, got }) => {
      const kept = this.#kept.get(key);
      return kept !== undefined && (kept.expected !== expected || kept.got !== got);
    });
  }

  keep(choices: readonly Choice[]): void {
    for (const choice of choices) this.#kept.set(choice.key, choice);
  }
}

/** Our frame with every masked value replaced by the kernel's. */
interface Levelled {
  readonly got: Uint8Array;
  /** Names of the masks that were needed. */
  readonly masks: readonly string[];
  readonly choices: readonly Choice[];
}

function level(context: MaskContext): Levelled {
  const { expected } = context;
  const got = context.got.slice();
  const masks = new Set<string>();
  const choices: Choice[] = [];
  const [theirs, ours] = [packetOf(expected), packetOf(context.got)];
  if (theirs === undefined || ours === undefined) return { got, masks: [], choices };
  if (theirs.version !== ours.version || startOf(theirs) !== startOf(ours)) return { got, masks: [], choices };
  for (const { name, ranges } of RULES) {
    for (const { start, length, bits = 0xff, checksum, none, key } of ranges(context, ours, theirs)) {
      const [before, after] = [got.slice(start, start + length), expected.slice(start, start + length)];
      after[0] = (after[0]! & bits) | (before[0]! & ~bits);
      if (key !== undefined) choices.push({ key, expected: hexOf(after), got: hexOf(before) });
      if (equal(before, after)) continue;
      got.set(after, start);
      masks.add(name);
      if (checksum === undefined || (none && readU16(got, checksum) === 0)) continue;
      // What starts at an odd place is summed up as the second byte of a word, whose first byte stays.
      const pad = (bytes: Uint8Array) => ((start - checksum) % 2 === 0 ? bytes : Uint8Array.of(0, ...bytes));
      const value = adjusted(readU16(got, checksum), pad(before), pad(after)) || (none ? 0xffff : 0);
      got.set([value >> 8, value & 255], checksum);
    }
  }
  return { got, masks: [...masks], choices };
}

/** Whether the two have the same bytes. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function hexOf(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString('hex')}`;
}

function startOf({ layers }: Packet): number {
  return layers[0]!.start;
}

function idOf(packet: Packet): MaskedRange {
  const start = startOf(packet);
  return { start: start + 4, length: 2, checksum: start + 10 };
}

/** Whether the director put the packet into a tunnel: so it does with requests, and with errors that follow them. */
function isTunnel({ reason }: MaskContext, { protocol }: Packet): boolean {
  // Of an error that is not in a tunnel every piece is ICMP.
  return reason.startsWith('tunnel-') || (reason === 'icmp-in' && protocol !== ICMP && protocol !== ICMP6);
}

/** What a flow within a tunnel is told by: addresses, ports or SPI, and IPv6 flow label. */
function flowOf({ layers }: Packet): string {
  const names = ['ip.src', 'ip.dst', 'ip.proto', 'ipv6.src', 'ipv6.dst', 'ipv6.flow', 'ipv6.nxt', 'ipv6.hopopts.nxt'];
  for (const kind of ['tcp', 'udp', 'sctp']) names.push(`${kind}.srcport`, `${kind}.dstport`);
  for (const kind of ['ah', 'esp']) names.push(`${kind}.spi`);
  return layers
    .filter(({ prefix }) => prefix === 'inner.')
    .flatMap((layer) => names.map((name) => fieldOf(layer, name)))
    .filter((value) => value !== undefined)
    .join(' ');
}

/** The identification in the fragment header of a frame that was given to us. */
function fragmentIdOf(frame: Uint8Array): string | undefined {
  const header = packetOf(frame)?.layers.find((one) => one.prefix === '' && one.kind === 'fragment');
  return fieldOf(header, 'ipv6.fraghdr.ident');
}

const TIMESTAMP = 68;

/** Where the written time stamps of a header's timestamp options are (RFC 791 §3.1). */
function timestamps(frame: Uint8Array, ip: Layer): number[] {
  const found: number[] = [];
  // A quoted header may be cut.
  const end = ip.start + ((frame[ip.start] ?? 0) & 15) * 4;
  let at = ip.start + 20;
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
  const value = readUint(frame, start, 4);
  const first = Number((arrival / 1_000_000n) % BigInt(DAY_MS));
  const span = Number(departure / 1_000_000n - arrival / 1_000_000n);
  // Modulo a day: a packet may cross midnight.
  return value < DAY_MS && (value - first + DAY_MS) % DAY_MS <= span;
}
