/**
 * Holds the frames that left one interface of ours against those that left the kernel's, in order.
 *
 * @module
 */
import { summary } from '../decode.js';
import type { HostAnswers, HostCause } from './host.js';
import { type Choices, type FrameMatch, type MaskContext, matchFrames, unmaskedDifference } from './masks.js';

/** A frame of a capture. */
export interface CapturedFrame {
  /** Number in its capture, from 1. */
  readonly number: number;
  /** ns since the epoch. */
  readonly time: bigint;
  readonly data: Uint8Array;
}

/** A frame that we sent. */
export interface SentFrame {
  readonly data: Uint8Array;
  readonly reason: string;
  /** The packet that it is all or a piece of. */
  readonly packet: SentPacket;
  /** What caused it. */
  readonly cause: {
    readonly capture: string;
    readonly frame: number;
    readonly time: bigint;
    readonly data: Uint8Array;
  };
}

/** A packet that we sent, whole or in pieces. */
export interface SentPacket {
  /** Different for each packet of a replay. */
  readonly number: number;
  /** Why it was sent. */
  readonly reason: string;
  /** Made by the director, not one that was given to it. */
  readonly made: boolean;
}

/** One way in which our output differs from the kernel's. */
export interface FrameDifference {
  /** `field`: a frame differs; `missing`: only the kernel sent it; `surplus`: only we did; `order`: two are swapped;
   * `interface`: it left by an interface without a capture. */
  readonly kind: 'field' | 'missing' | 'surplus' | 'order' | 'interface';
  readonly capture: string;
  /** Number of the captured frame, from 1; for a surplus frame the captured one before it (0: none). */
  readonly frame: number;
  /** One line for people. */
  readonly text: string;
  /** The captured frame, decoded. */
  readonly expected: string | undefined;
  /** Our frame, decoded. */
  readonly got: string | undefined;
  /** ns since the epoch, for the order of differences. */
  readonly time: bigint;
}

/** A frame of the host stack. */
export interface HostFrame {
  readonly capture: string;
  readonly frame: number;
  readonly text: string;
  /** The packet that it has to do with, and why we left that to the host; `undefined`: discovery of its own. */
  readonly cause: HostCause | undefined;
}

/** The outcome for one interface. */
export interface Comparison {
  readonly matched: number;
  readonly host: readonly HostFrame[];
  /** Frames by mask that was needed. */
  readonly masked: ReadonlyMap<string, number>;
  readonly differences: readonly FrameDifference[];
}

/** How far ahead a lost or added frame is looked for, so that one does not shift all that follow. */
const LOOK_AHEAD = 16;

/** Compares the capture `capture` with what we sent by the same interface. */
export function compareFrames(
  capture: string,
  expected: readonly CapturedFrame[],
  got: readonly SentFrame[],
  answers: HostAnswers,
  choices: Choices,
): Comparison {
  const masked = new Map<string, number>();
  const host: HostFrame[] = [];
  const differences: FrameDifference[] = [];
  let matched = 0;
  let [i, j] = [0, 0];
  const match = (theirs: CapturedFrame | undefined, ours: SentFrame | undefined): FrameMatch | undefined => {
    // A frame cannot have been caused by a packet that came after it.
    if (theirs === undefined || ours === undefined || ours.cause.time > theirs.time) return undefined;
    const found = matchFrames(contextOf(theirs, ours));
    return found === undefined || choices.conflict(found.choices) !== undefined ? undefined : found;
  };
  const missing = () => differences.push(missingFrame(capture, expected[i++]!));
  const surplus = () => differences.push(surplusFrame(capture, expected[i - 1]?.number ?? 0, got[j++]!));

  while (i < expected.length || j < got.length) {
    const [theirs, ours] = [expected[i], got[j]];
    const same = match(theirs, ours);
    if (same !== undefined) {
      matched++;
      choices.keep(same.choices);
      for (const name of same.masks) masked.set(name, (masked.get(name) ?? 0) + 1);
      i++;
      j++;
      continue;
    }
    const answer = theirs === undefined ? undefined : answers.take(theirs.data, theirs.time);
    if (theirs !== undefined && answer !== undefined) {
      host.push({ capture, frame: theirs.number, text: summary(theirs.data), ...answer });
      i++;
    } else if (theirs === undefined) surplus();
    else if (ours === undefined || ours.cause.time > theirs.time) missing();
    else if (match(theirs, got[j + 1]) !== undefined && match(expected[i + 1], ours) !== undefined) {
      differences.push(swapped(capture, theirs, expected[i + 1]!, ours));
      i += 2;
      j += 2;
    } else {
      let ahead = 1;
      for (; ahead <= LOOK_AHEAD; ahead++) {
        if (match(expected[i + ahead], ours) !== undefined) {
          for (let k = 0; k < ahead; k++) missing();
          break;
        }
        if (match(theirs, got[j + ahead]) !== undefined) {
          for (let k = 0; k < ahead; k++) surplus();
          break;
        }
      }
      if (ahead <= LOOK_AHEAD) continue;
      differences.push(differentFrame(capture, theirs, ours, choices));
      i++;
      j++;
    }
  }
  return { matched, host, masked, differences };
}

function contextOf(theirs: CapturedFrame, ours: SentFrame): MaskContext {
  return {
    expected: theirs.data,
    got: ours.data,
    offered: ours.cause.data,
    reason: ours.packet.reason,
    made: ours.packet.made,
    packet: ours.packet.number,
    arrival: ours.cause.time,
    departure: theirs.time,
  };
}

function differentFrame(capture: string, theirs: CapturedFrame, ours: SentFrame, choices: Choices): FrameDifference {
  const context = contextOf(theirs, ours);
  // A choice that is not the same as before: its values are told, whatever they were.
  const field = unmaskedDifference(context) ?? choices.conflict(matchFrames(context)?.choices ?? []);
  const name = field === undefined ? '' : 'key' in field ? field.key : field.name;
  const what = `${name} expected ${field?.expected}, got ${field?.got}`;
  return {
    kind: 'field',
    capture,
    frame: theirs.number,
    text: `${capture} frame ${theirs.number}: ${what} (${causeText(ours)})`,
    expected: summary(theirs.data),
    got: summary(ours.data),
    time: theirs.time,
  };
}

function missingFrame(capture: string, theirs: CapturedFrame): FrameDifference {
  const expected = summary(theirs.data);
  const text = `${capture} frame ${theirs.number} missing: ${expected}`;
  return { kind: 'missing', capture, frame: theirs.number, text, expected, got: undefined, time: theirs.time };
}

function surplusFrame(capture: string, after: number, ours: SentFrame): FrameDifference {
  const got = summary(ours.data);
  const text = `${capture} surplus frame after frame ${after}: ${got} (${causeText(ours)})`;
  return { kind: 'surplus', capture, frame: after, text, expected: undefined, got, time: ours.cause.time };
}

function swapped(capture: string, first: CapturedFrame, second: CapturedFrame, ours: SentFrame): FrameDifference {
  return {
    kind: 'order',
    capture,
    frame: first.number,
    text: `${capture} frames ${first.number} and ${second.number} in the wrong order (${causeText(ours)})`,
    expected: summary(first.data),
    got: summary(ours.data),
    time: first.time,
  };
}

/** The difference that a frame makes which left by an interface that was not captured. */
export function strayFrame(outInterface: string | undefined, ours: SentFrame): FrameDifference {
  const got = summary(ours.data);
  const name = outInterface ?? 'no interface';
  return {
    kind: 'interface',
    capture: `${name}-out`,
    frame: 0,
    text: `a frame left by ${name}, which has no capture: ${got} (${causeText(ours)})`,
    expected: undefined,
    got,
    time: ours.cause.time,
  };
}

function causeText({ cause, reason }: SentFrame): string {
  return `${reason}, from ${cause.capture} frame ${cause.frame}`;
}
