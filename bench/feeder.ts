/**
 * Lays the next frames of a scenario into a contender's slots, as a receiving host would have done: the same copying,
 * by the same code, for all contenders in this process. Its cost is measured apart and left out.
 *
 * @module
 */
import { type Copy, copier } from './copier.js';
import type { Frames } from './rivals/world.js';

/** Bytes from slot to slot: not a power of two, which would put all headers into the same few cache sets. */
export const SLOT_BYTES = 2112;
/** Bytes before a frame that an encapsulation may write. */
export const HEADROOM = 128;
/** Milliseconds that pass a frame: what a frame costs, about. */
export const TICK = 1e-4;
/** Most frames of a burst. */
export const BURST_MAX = 256;

const PAGE = 65_536;

/** Bytes that a feeder needs: the slots, then the frames they are filled from. */
export function feederBytes(frames: Frames): number {
  return BURST_MAX * SLOT_BYTES + frames.words.byteLength;
}

/** A memory with a feeder in it and nothing else. */
export function ownMemory(frames: Frames): WebAssembly.Memory {
  const pages = Math.ceil(feederBytes(frames) / PAGE);
  return new WebAssembly.Memory({ initial: pages, maximum: pages });
}

export class Feeder {
  /** Address of the first slot's frame. */
  readonly first: number;
  readonly #copy: Copy;
  readonly #frames: Frames;
  readonly #source: number;
  #next = 0;

  /**
   * @param base where in `memory` the feeder's bytes begin
   * @param headroom bytes before a slot's frame
   */
  constructor(frames: Frames, memory: WebAssembly.Memory, base = 0, headroom = HEADROOM) {
    this.first = base + headroom;
    this.#copy = copier(memory);
    this.#frames = frames;
    this.#source = base + BURST_MAX * SLOT_BYTES;
    new Int32Array(memory.buffer, this.#source, frames.words.length).set(frames.words);
  }

  /** Address of slot `i`'s frame. */
  slot(i: number): number {
    return this.first + i * SLOT_BYTES;
  }

  /** The next `count` frames, into slots 0 to `count` - 1. */
  feed(count: number): void {
    const { stride } = this.#frames;
    if (this.#next + count > this.#frames.count) this.#next = 0;
    this.#copy(this.#source + this.#next * stride, this.first, stride, SLOT_BYTES, count);
    this.#next += count;
  }
}
