/**
 * Merges captures by time. Packets of equal time come in the order in which their captures were named; within one capture
 * the order of the file is kept, whatever its times are. A damaged capture ends at its damage, the others go on.
 *
 * @module
 */

import { CaptureError } from './capture-error.js';
import { type CapturedPacket, CaptureInput, type CaptureInputOptions, packetOf } from './reader.js';
import type { CaptureInterface, CaptureScanner } from './scanner.js';
import type { CaptureSource } from './source.js';

/** A capture to be merged. */
export interface MergeInput extends CaptureInputOptions {
  readonly source: CaptureSource;
  /** All its packets count as received on this interface. Without it its own interfaces keep their names, or are `if0`, `if1`, … */
  readonly name?: string;
}

/** A packet of merged captures: `interfaceIndex` and `interfaceName` are those of the merger. */
export interface MergedPacket extends CapturedPacket {
  /** Index of its capture among the inputs. */
  readonly input: number;
  readonly interfaceName: string;
}

/** A merged interface always has a name. */
export interface MergedInterface extends CaptureInterface {
  readonly name: string;
}

enum Head {
  /** Delivered, or not read yet: the scanner must go on. */
  Taken,
  /** The scanner stands at a packet. */
  Ready,
  /** The window is used up. */
  Starved,
  /** The capture is at its end. */
  Ended,
}

/** Merges captures in place, without allocating per packet; used as `CaptureInput` is. */
export class CaptureMerger {
  /** The interfaces of packets delivered so far: one for each name and link type. */
  readonly interfaces: MergedInterface[] = [];
  /** The damage found so far, one at most for each capture, in the order in which it was met. */
  readonly damages: CaptureError[] = [];
  /** Index among the inputs of the capture whose packet `next()` found. */
  input = 0;
  /** Index into `interfaces` of that packet's. */
  interfaceIndex = 0;
  readonly #inputs: CaptureInput[];
  readonly #names: (string | undefined)[];
  readonly #heads: Head[];
  /** For each input, its interfaces' indices into `interfaces`. */
  readonly #indices: number[][];

  private constructor(inputs: CaptureInput[], names: (string | undefined)[]) {
    this.#inputs = inputs;
    this.#names = names;
    this.#heads = inputs.map(() => Head.Taken);
    this.#indices = inputs.map(() => []);
  }

  /** Opens all captures. Throws as `CaptureInput.open` does, and `RangeError` without any. */
  static async open(inputs: readonly MergeInput[]): Promise<CaptureMerger> {
    if (inputs.length === 0) throw new RangeError('expected at least one capture');
    const opened: CaptureInput[] = [];
    try {
      for (const { source, ...options } of inputs) opened.push(await CaptureInput.open(source, options));
    } catch (error) {
      await closeAll(opened);
      throw error;
    }
    return new CaptureMerger(
      opened,
      inputs.map(({ name }) => name),
    );
  }

  /** The scanner that stands at the packet. */
  get scanner(): CaptureScanner {
    return this.#inputs[this.input]!.scanner;
  }

  /**
   * Goes on to the next packet in time.
   *
   * @returns false when bytes are needed, or at the end: `fill()` tells
   */
  next(): boolean {
    let first = -1;
    let starved = false;
    for (let i = 0; i < this.#inputs.length; i++) {
      if (this.#heads[i] === Head.Taken) this.#scan(i);
      if (this.#heads[i] === Head.Starved) starved = true;
      else if (this.#heads[i] === Head.Ready && (first < 0 || this.#isBefore(i, first))) first = i;
    }
    if (starved || first < 0) return false;
    this.#heads[first] = Head.Taken;
    this.input = first;
    const own = this.scanner.interfaceIndex;
    this.interfaceIndex = this.#indices[first]![own] ?? this.#addInterface(first, own);
    return true;
  }

  /**
   * Reads more bytes where they are needed. Views of packets before are no longer good.
   *
   * @returns false when all captures are at their end
   * @throws CaptureError at the end of all, the first of `damages` when there are any
   */
  async fill(): Promise<boolean> {
    for (let i = 0; i < this.#inputs.length; i++) {
      const input = this.#inputs[i]!;
      while (this.#heads[i] === Head.Starved) {
        try {
          if (await input.fill()) this.#scan(i);
          else this.#heads[i] = Head.Ended;
        } catch (error) {
          this.#endAt(i, error);
        }
      }
    }
    if (this.#heads.some((head) => head !== Head.Ended)) return true;
    if (this.damages.length > 0) throw this.damages[0];
    return false;
  }

  /**
   * Ends the capture of the packet that `next()` found: what the packet says beside its bytes is damaged.
   *
   * @throws `error` when it is no CaptureError
   */
  endDamaged(error: unknown): void {
    this.#endAt(this.input, error);
  }

  /** Closes all captures. */
  async close(): Promise<void> {
    await closeAll(this.#inputs);
  }

  #scan(i: number): void {
    try {
      this.#heads[i] = this.#inputs[i]!.scanner.next() ? Head.Ready : Head.Starved;
    } catch (error) {
      this.#endAt(i, error);
    }
  }

  #endAt(i: number, error: unknown): void {
    if (!(error instanceof CaptureError)) throw error;
    this.#heads[i] = Head.Ended;
    this.damages.push(error);
  }

  #isBefore(i: number, j: number): boolean {
    const a = this.#inputs[i]!.scanner;
    const b = this.#inputs[j]!.scanner;
    return a.seconds < b.seconds || (a.seconds === b.seconds && a.nanoseconds < b.nanoseconds);
  }

  #addInterface(input: number, own: number): number {
    const described = this.#inputs[input]!.scanner.interfaces[own]!;
    const name = this.#names[input] ?? described.name ?? `if${own}`;
    let index = this.interfaces.findIndex((other) => other.name === name && other.linkType === described.linkType);
    if (index < 0) {
      index = this.interfaces.length;
      this.interfaces.push({ ...described, index, name });
    }
    this.#indices[input]![own] = index;
    return index;
  }
}

/**
 * The packets of several captures in the order of time.
 *
 * @throws CaptureError at the end, for the damage met first: after its every packet before that, and all packets of the others
 */
export async function* mergeCaptures(inputs: readonly MergeInput[]): AsyncGenerator<MergedPacket, void, undefined> {
  const merger = await CaptureMerger.open(inputs);
  try {
    do {
      while (merger.next()) {
        const { input, interfaceIndex } = merger;
        const interfaceName = merger.interfaces[interfaceIndex]!.name;
        let packet: CapturedPacket;
        try {
          packet = packetOf(merger.scanner);
        } catch (error) {
          merger.endDamaged(error);
          continue;
        }
        yield { ...packet, input, interfaceIndex, interfaceName };
      }
    } while (await merger.fill());
  } finally {
    await merger.close();
  }
}

async function closeAll(inputs: readonly CaptureInput[]): Promise<void> {
  for (const input of inputs) await input.close();
}
