/**
 * Holds the core against a recording of the kernel, step by step, by the rules of `ipvs-wasm verify`.
 *
 * @module
 */
import { summary } from '../../src/decode.js';
import { type Comparison, compareFrames, type SentFrame, strayFrame } from '../../src/scenario/compare.js';
import { HostAnswers, type LocalInput } from '../../src/scenario/host.js';
import { Choices } from '../../src/scenario/masks.js';
import type { Done, Recording, Step } from './case.js';
import {
  accountFor,
  type Compared,
  cutShort,
  endsCase,
  fromPortZero,
  isBegunAnew,
  isOlderFromZero,
  servedBy,
} from './deviations.js';
import { isSame } from './identity.js';
import { aboutUnreachable, isReassemblyTimeout, LateAnswers } from './late.js';
import { type Played, play } from './play.js';
import { isSpontaneous } from './spontaneous.js';
import type { TableDifference } from './tables.js';
import type { Emitted } from './uml.js';

/** What came of it. */
export interface Judgement {
  /** Packets that were fed, up to the difference. */
  readonly packets: number;
  /** Frames of the kernel that ours equal. */
  readonly matched: number;
  /** Frames of the kernel's host stack. */
  readonly host: number;
  /** Frames that needed a mask, by its name. */
  readonly masked: ReadonlyMap<string, number>;
  /** Packets whose difference is a known one, by its name. */
  readonly accounted: ReadonlyMap<string, number>;
  /** Whether connections and counts were compared in the end. */
  readonly tables: boolean;
  /** The first difference that is not. */
  readonly difference: CaseDifference | undefined;
}

/** Where the core does something else. */
export interface CaseDifference {
  /** Index of the step in the recording. */
  readonly step: number;
  /** One line each. */
  readonly texts: readonly string[];
  /** What the core sent, and what it left to the host (`local`). */
  readonly ours: readonly string[];
  readonly sent: readonly SentFrame[];
  /** The same for differences of one kind: their text without numbers. */
  readonly signature: string;
}

/** How far the guest's clock is off at most, ns: it was set by a command, and its ticks are coarse. */
const CLOCK_ERROR = 400_000_000n;
const OUTPUTS = ['cli', 'srv'] as const;

/** What the core makes of the recording. */
export function judge(recording: Recording): Judgement {
  let played: Played;
  try {
    played = play(recording);
  } catch (error) {
    // A trap, or an error that is not about what it was given.
    return failure(recording, 0, `the core failed: ${error instanceof Error ? error.message : String(error)}`);
  }
  return new Judge(recording, played).run();
}

function failure({ done }: Recording, step: number, text: string): Judgement {
  const packets = done.slice(0, step).filter(({ step: { kind } }) => kind === 'frame').length;
  const none = new Map<string, number>();
  const difference = { step, texts: [text], ours: [], sent: [], signature: signatureOf([text]) };
  return { packets, matched: 0, host: 0, masked: none, accounted: none, tables: false, difference };
}

/** A frame of the kernel with its number in its capture, from 1. */
interface Heard extends Emitted {
  readonly number: number;
}

/** A frame of ours and the interface that it left by. */
interface Sent {
  readonly out: string | undefined;
  readonly frame: SentFrame;
}

function placeOf({ capture, frame }: { readonly capture: string; readonly frame: number }): string {
  return `${capture} ${frame}`;
}

function grouped<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}

class Judge {
  readonly #recording: Recording;
  readonly #addresses: ReadonlySet<string>;
  readonly #macs: ReadonlySet<string>;
  readonly #played: Played;
  readonly #local: ReadonlyMap<string, readonly LocalInput[]>;
  readonly #sent: ReadonlyMap<string, readonly Sent[]>;
  readonly #late: LateAnswers;
  readonly #choices = new Choices();
  readonly #served = new Set<string>();
  readonly #cut: [begin: string, end: string][] = [];
  /** How many packets came from a client's port 0 to a service, by these ends. */
  readonly #fromZero = new Map<string, number>();
  readonly #fed = { cli: 0, srv: 0 };
  readonly #heard = { cli: 0, srv: 0 };
  readonly #masked = new Map<string, number>();
  readonly #accounted = new Map<string, number>();
  #hasTables = false;
  #packets = 0;
  #matched = 0;
  #host = 0;

  constructor(recording: Recording, played: Played) {
    const { interfaces } = recording.network;
    this.#recording = recording;
    this.#addresses = new Set(
      interfaces.flatMap(({ addresses = [] }) => addresses.map((text) => text.replace(/\/.*/, ''))),
    );
    this.#macs = new Set(interfaces.flatMap(({ mac }) => mac ?? []));
    this.#played = played;
    this.#late = new LateAnswers(played);
    this.#local = grouped(played.local, placeOf);
    const sent = [...played.sent].flatMap(([out, frames]) => frames.map((frame) => ({ out, frame })));
    this.#sent = grouped(sent, ({ frame }) => placeOf(frame.cause));
  }

  run(): Judgement {
    const { stopped, looks, tables } = this.#played;
    let schedulesIcmp = this.#recording.setup.reduce((was, { step }) => schedulesBy(step) ?? was, false);
    for (const [index, done] of this.#recording.done.entries()) {
      schedulesIcmp = schedulesBy(done.step) ?? schedulesIcmp;
      if (stopped !== undefined && done.time >= stopped.time) {
        return this.#result(index, [`the core refuses: ${stopped.message}`], []);
      }
      if (done.step.kind === 'pause') {
        const texts = this.#unasked(done.emitted);
        if (texts.length > 0) return this.#result(index, texts, []);
      }
      const seen = this.#unexplained(looks.get(index));
      if (seen.length > 0) return this.#result(index, seen, []);
      if (done.step.kind !== 'frame') continue;
      this.#packets++;
      const { texts, sent, known } = this.#judge(done.step, done);
      if (texts.length > 0) {
        if (known === undefined) return this.#result(index, texts, sent);
        this.#account(known);
      }
      const { frame } = done.step;
      this.#cut.push(...cutShort(frame));
      for (const ends of fromPortZero(frame)) this.#fromZero.set(ends, (this.#fromZero.get(ends) ?? 0) + 1);
      const end = endsCase(this.#compared(frame, done.emitted, sent), schedulesIcmp);
      if (end !== undefined) {
        this.#account(end);
        return this.#result(undefined, [], []);
      }
      for (const ends of sent.flatMap((one) => servedBy(one) ?? [])) this.#served.add(ends);
    }
    this.#hasTables = tables !== undefined;
    const differ = this.#unexplained(tables);
    if (differ.length > 0) return this.#result(this.#recording.done.length - 1, differ, []);
    return this.#result(undefined, [], []);
  }

  /** What differs in the tables, if no deviation explains it. */
  #unexplained(tables: readonly TableDifference[] = []): string[] {
    const left = tables.filter((one) => !isBegunAnew(one, this.#cut));
    if (left.length < tables.length) this.#account('a cut packet of a connection');
    if (!isOlderFromZero(left, this.#fromZero)) return left.map(({ text }) => text);
    this.#account('an older connection from port 0');
    return [];
  }

  #account(name: string): void {
    this.#accounted.set(name, (this.#accounted.get(name) ?? 0) + 1);
  }

  #result(step: number | undefined, texts: readonly string[], sent: readonly SentFrame[]): Judgement {
    const ours = sent.map(({ reason }) => reason);
    const difference = step === undefined ? undefined : { step, texts, ours, sent, signature: signatureOf(texts) };
    return {
      packets: this.#packets,
      matched: this.#matched,
      host: this.#host,
      masked: this.#masked,
      accounted: this.#accounted,
      tables: this.#hasTables,
      difference,
    };
  }

  /** What differs in what a frame caused, and the deviation that explains it. */
  #judge(
    { inInterface, frame }: Extract<Step, { kind: 'frame' }>,
    { time, emitted: all }: Done,
  ): { texts: string[]; sent: SentFrame[]; known: string | undefined } {
    const place = placeOf({ capture: `${inInterface}-in`, frame: ++this.#fed[inInterface] });
    const ours = this.#sent.get(place) ?? [];
    const emitted = this.#causedBy(this.#numbered(all), ours);
    const { counts, texts } = this.#compare(place, time, emitted, ours);
    for (const count of counts) this.#count(count);
    const sent = ours.map((one) => one.frame);
    const known = texts.length === 0 ? undefined : accountFor(this.#compared(frame, emitted, sent));
    return { texts, sent, known };
  }

  #compared(frame: Uint8Array, emitted: readonly Emitted[], sent: readonly SentFrame[]): Compared {
    const { release } = this.#recording;
    return { frame, emitted, sent, own: this.#addresses, release, served: this.#served };
  }

  /** What is wrong with what the kernel sent while nothing came: next hops may be given up, and fragments. */
  #unasked(emitted: readonly Emitted[]): string[] {
    return this.#numbered(emitted)
      .filter(({ data, time }) => !isSpontaneous(data) && !this.#late.take(data, time) && !isReassemblyTimeout(data))
      .map(({ outInterface, data }) => `${outInterface}-out: nothing came, and the kernel sent ${summary(data)}`);
  }

  /** Numbers as in the captures that are saved. */
  #numbered(emitted: readonly Emitted[]): Heard[] {
    return emitted.map((one) => {
      const wire = OUTPUTS.find((name) => name === one.outInterface) ?? 'srv';
      return { ...one, number: ++this.#heard[wire] };
    });
  }

  /** What the kernel sent because of a frame, not just then. `ours`: what the core sent. */
  #causedBy(emitted: readonly Heard[], ours: readonly Sent[]): Heard[] {
    const said = ours.flatMap(({ frame }) => aboutUnreachable(frame.data));
    return emitted.filter(({ data, time }) => {
      if (isSpontaneous(data)) return false;
      const about = aboutUnreachable(data);
      const isOurs = said.some((one) => about.some((quoted) => isSame(one, quoted)));
      return isOurs || !this.#late.take(data, time);
    });
  }

  /** Holds what the two sent because of a frame beside each other. */
  #compare(
    place: string,
    time: bigint,
    emitted: readonly Heard[],
    ours: readonly Sent[],
  ): { counts: Comparison[]; texts: string[] } {
    // No server listens on the director itself: it answers packets for one as any others.
    const local = (this.#local.get(place) ?? []).map((input) => ({ ...input, reason: 'local' }));
    const answers = new HostAnswers(local, this.#addresses, this.#macs);
    const strays = ours.filter(({ out }) => !OUTPUTS.some((known) => known === out));
    const counts = OUTPUTS.map((wire) => {
      const expected = emitted
        .filter(({ outInterface }) => outInterface === wire)
        .map(({ number, data, time: at }) => ({ number, time: at + CLOCK_ERROR, data }));
      const got = ours
        .filter(({ out }) => out === wire)
        .map(({ frame }) => ({ ...frame, cause: { ...frame.cause, time: time - CLOCK_ERROR } }));
      return compareFrames(`${wire}-out`, expected, got, answers, this.#choices);
    });
    const differences = [
      ...strays.map(({ out, frame }) => strayFrame(out, frame)),
      ...counts.flatMap((one) => one.differences),
    ];
    return { counts, texts: differences.map(({ text }) => text) };
  }

  #count({ matched, host, masked }: Comparison): void {
    this.#matched += matched;
    this.#host += host.length;
    for (const [name, count] of masked) this.#masked.set(name, (this.#masked.get(name) ?? 0) + count);
  }
}

/** What a step sets schedule_icmp to. */
function schedulesBy(step: Step): boolean | undefined {
  const value = step.kind === 'sysctl' ? /^net\/ipv4\/vs\/schedule_icmp=(\d)$/.exec(step.text)?.[1] : undefined;
  return value === undefined ? undefined : value !== '0';
}

/** Numbers and addresses make no difference. */
function signatureOf(texts: readonly string[]): string {
  return (texts[0] ?? '').replace(/[\da-f]*[:.]?[\da-f.:]*\d[\da-f.:]*/g, '#');
}
