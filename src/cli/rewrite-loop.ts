/**
 * The loop of `rewrite`: packets from scanners into bursts, what leaves to a sink. Nothing is allocated per packet.
 *
 * A burst holds at most 256 frames, and never frames of two different milliseconds: the core's clock ticks in
 * milliseconds, so that what comes out does not depend on how the frames were batched.
 *
 * @module
 */
import { REASON_COUNT, Verdict } from '../abi/verdict.js';
import { FrameCopier } from '../capture/copy.js';
import { PCAP_RECORD_LENGTH } from '../capture/pcap-reader.js';
import type { CaptureScanner } from '../capture/scanner.js';
import type { Director } from '../director.js';
import { BURST_MAX } from '../index.js';
import type { Inputs } from './inputs.js';
import type { Marks } from './marks.js';

/**
 * Bytes of the arena that are left for what the director makes of a burst, so that nothing depends on how many frames it
 * has: 256 answers of 2 KiB, and whatever fragments were held (1 MiB) or are given (1 MiB), put together and cut anew.
 */
export const MADE_ROOM = 6 << 20;

/** A frame on its way to a sink. The loop has one and fills it in anew: copy what is to be kept. */
export interface LoopFrame {
  bytes: Uint8Array;
  /** First byte in `bytes`, and the one after the last. */
  start: number;
  end: number;
  /** Length on the wire; more than `end - start` when the capture cut the frame off. */
  originalLength: number;
  /** Capture time of the offered frame. */
  seconds: number;
  nanoseconds: number;
  /** Number of the offered frame, from 1, over all captures. */
  packet: number;
  verdict: Verdict;
  reason: number;
  /** Interface it was offered on; -1 for a frame that the director made. */
  in: number;
  /** Interface it leaves by; -1 when it does not. */
  out: number;
  /** It lies in a scanner's window, behind the 16 bytes of its record's header, which nobody needs any more. */
  resident: boolean;
}

/** Where frames go. */
export interface FrameSink {
  /** Asks for `offered`; without it the loop keeps no copies of what came in. */
  readonly wantsOffered: boolean;
  /** A frame as it was offered, with its fate. */
  offered(frame: LoopFrame): void;
  /** A frame that leaves: verdict `forward`. Comes after the offered frame that caused it. */
  left(frame: LoopFrame): void;
  /** The frames given are about to be overwritten. */
  settle(): void;
}

/** What the loop reads: {@link Inputs}. */
export type LoopInputs = Pick<Inputs, 'merger' | 'next' | 'interfaceIndex' | 'lone' | 'packets' | 'windows'>;

/** See the module. */
export class RewriteLoop {
  /** Frames offered, and their bytes. */
  packets = 0;
  bytes = 0;
  /** Frames that left. */
  left = 0;
  /** Frames offered that the capture had cut off. */
  cut = 0;
  /** Time of the last frame, in whole milliseconds. */
  now = 0;
  /** Frames per reason: those offered, and those made by the director. */
  readonly reasons = new Float64Array(REASON_COUNT);
  readonly made = new Float64Array(REASON_COUNT);

  readonly #director: Director;
  readonly #inputs: LoopInputs;
  readonly #sink: FrameSink;
  readonly #burstFrames: number;
  readonly #marks: Marks | undefined;
  /** Into the director's memory. */
  readonly #copier: FrameCopier;
  #pending = 0;
  /** Frames of the bursts before. */
  #judged = 0;
  readonly #seconds = new Float64Array(BURST_MAX);
  readonly #nanoseconds = new Float64Array(BURST_MAX);
  readonly #originalLengths = new Float64Array(BURST_MAX);
  readonly #in = new Int32Array(BURST_MAX);
  /** Address of a frame that is judged where it was read, -1 for one that was copied. */
  readonly #places = new Int32Array(BURST_MAX);
  /** The frames as they were offered, for a sink that wants them. */
  readonly #copies = new FrameStore();
  readonly #frame: LoopFrame = {
    bytes: new Uint8Array(0),
    start: 0,
    end: 0,
    originalLength: 0,
    seconds: 0,
    nanoseconds: 0,
    packet: 0,
    verdict: Verdict.None,
    reason: 0,
    in: -1,
    out: -1,
    resident: false,
  };

  /**
   * @param burstFrames 1 to 256; less than 256 shows that the outcome does not depend on it.
   * @param marks firewall marks of what is received; default none.
   */
  constructor(director: Director, inputs: LoopInputs, sink: FrameSink, burstFrames = BURST_MAX, marks?: Marks) {
    this.#director = director;
    this.#copier = new FrameCopier(director.burst.bytes);
    this.#inputs = inputs;
    this.#sink = sink;
    this.#burstFrames = burstFrames;
    this.#marks = marks;
  }

  /**
   * Runs until the inputs need more bytes or are at their end, and judges all that came. Throws the `CaptureError` of
   * damage in a lone capture, and what the inputs throw; what came before it waits for `flush`.
   */
  run(): void {
    const { merger, lone, packets } = this.#inputs;
    while (this.#inputs.next()) {
      const index = this.#inputs.interfaceIndex();
      if (index < 0) continue;
      this.#offer(index, merger.scanner);
      if (lone === undefined) continue;
      // At its end the merger comes to the same finding: the window is used up.
      while (lone.next()) {
        this.#offer(index, lone);
        packets[0]!++;
      }
    }
    this.flush();
  }

  #offer(index: number, scanner: CaptureScanner): void {
    const { merger, windows } = this.#inputs;
    const { buffer, dataStart, dataEnd, seconds, nanoseconds, originalLength } = scanner;
    const now = wholeMillis(seconds, nanoseconds);
    const { burst } = this.#director;
    const length = dataEnd - dataStart;
    if (
      this.#pending > 0 &&
      (now !== this.now || this.#pending === this.#burstFrames || !burst.hasRoom(length + MADE_ROOM))
    ) {
      this.flush();
    }
    this.now = now;
    const at = this.#pending++;
    const window = windows[merger.input]!;
    const mark = this.#marks?.of(buffer, dataStart, dataEnd, index) ?? 0;
    if (this.#sink.wantsOffered) this.#copies.add(buffer, dataStart, dataEnd);
    if (window >= 0) {
      burst.place(window + dataStart, length, PCAP_RECORD_LENGTH, index, 0, mark);
      this.#places[at] = window + dataStart;
    } else {
      this.#copier.copy(buffer, dataStart, dataEnd, burst.reserveAt(length, index));
      burst.commit(length, 0, mark);
      this.#places[at] = -1;
    }
    this.#seconds[at] = seconds;
    this.#nanoseconds[at] = nanoseconds;
    this.#originalLengths[at] = originalLength;
    this.#in[at] = index;
    this.packets++;
    this.bytes += length;
    if (length < originalLength) this.cut++;
  }

  /** Judges the pending frames and hands on what became of them. */
  flush(): void {
    const given = this.#pending;
    if (given === 0) return;
    // First: when the sink throws, none of them may go through the director again.
    this.#pending = 0;
    const { burst } = this.#director;
    const total = this.#director.process(this.now);
    const frame = this.#frame;
    let made = given;
    // What was due to be sent.
    frame.packet = 0;
    frame.seconds = this.#seconds[0]!;
    frame.nanoseconds = this.#nanoseconds[0]!;
    for (; made < total && burst.cause(made) < 0; made++) this.#sendMade(made);
    for (let i = 0; i < given; i++) {
      frame.seconds = this.#seconds[i]!;
      frame.nanoseconds = this.#nanoseconds[i]!;
      frame.packet = this.#judged + i + 1;
      frame.in = this.#in[i]!;
      this.#fate(i);
      this.reasons[frame.reason]!++;
      if (this.#sink.wantsOffered) {
        frame.bytes = this.#copies.bytes;
        frame.start = this.#copies.startOf(i);
        frame.end = this.#copies.startOf(i + 1);
        frame.originalLength = this.#originalLengths[i]!;
        this.#sink.offered(frame);
      }
      if (frame.verdict === Verdict.Forward) this.#leave(i, this.#places[i]!);
      // What the director made because of this frame leaves before what the next one causes, as without bursts.
      for (; made < total && burst.cause(made) === i; made++) this.#sendMade(made);
    }
    burst.reset();
    this.#copies.clear();
    this.#judged += given;
  }

  #sendMade(i: number): void {
    const frame = this.#frame;
    this.#fate(i);
    this.made[frame.reason]!++;
    frame.in = -1;
    if (frame.verdict === Verdict.Forward) this.#leave(i, -1);
  }

  #fate(i: number): void {
    const { burst } = this.#director;
    const frame = this.#frame;
    frame.verdict = burst.verdict(i);
    frame.reason = burst.reason(i);
    frame.out = frame.verdict === Verdict.Forward ? burst.out(i) : -1;
  }

  #leave(i: number, place: number): void {
    const { burst } = this.#director;
    const frame = this.#frame;
    frame.bytes = burst.bytes;
    frame.start = burst.address(i);
    frame.originalLength = burst.frameLength(i);
    frame.end = frame.start + frame.originalLength;
    frame.resident = frame.start === place;
    this.left++;
    this.#sink.left(frame);
  }
}

/** A time in whole milliseconds, rounded down: the core's clock. */
export function wholeMillis(seconds: number, nanoseconds: number): number {
  return seconds * 1000 + Math.floor(nanoseconds / 1e6);
}

/** The frames of a burst, one after the other in a buffer that grows. */
class FrameStore {
  bytes = new Uint8Array(1 << 16);
  #copier = new FrameCopier(this.bytes);
  #used = 0;
  #count = 0;
  readonly #starts = new Int32Array(BURST_MAX + 1);

  startOf(i: number): number {
    return this.#starts[i]!;
  }

  add(from: Uint8Array, start: number, end: number): void {
    const need = this.#used + end - start;
    if (need > this.bytes.length) {
      const larger = new Uint8Array(Math.max(need, 2 * this.bytes.length));
      larger.set(this.bytes.subarray(0, this.#used));
      this.bytes = larger;
      this.#copier = new FrameCopier(larger);
    }
    this.#copier.copy(from, start, end, this.#used);
    this.#used = need;
    this.#starts[++this.#count] = need;
  }

  clear(): void {
    this.#used = 0;
    this.#count = 0;
  }
}
