/**
 * One line on a terminal that says how far a long job is.
 *
 * @module
 */
import type { Io } from './io.js';

const WIDTH = 30;
/** Milliseconds between two drawings. */
const EVERY = 100;

/** A progress bar on the messages' stream; silent when that is no terminal. */
export class Progress {
  readonly #io: Io;
  readonly #clock: () => number;
  #next: number;
  #shown = false;

  /** `clock` gives milliseconds; the first line appears when the job has lasted a while. */
  constructor(io: Io, clock: () => number = () => performance.now()) {
    this.#io = io;
    this.#clock = clock;
    this.#next = clock() + EVERY;
  }

  /** `done` and `total` in bytes; `total` 0 when it is not known (a pipe). */
  update(done: number, total: number, packets: number): void {
    if (!this.#io.interactive) return;
    const now = this.#clock();
    if (now < this.#next) return;
    this.#next = now + EVERY;
    this.#shown = true;
    this.#io.err(`\r\x1b[K${progressLine(done, total, packets)}`);
  }

  /** Removes the line. */
  end(): void {
    if (this.#shown) this.#io.err('\r\x1b[K');
    this.#shown = false;
  }
}

/** The text of the line: a bar when the size is known, else what was done so far. */
export function progressLine(done: number, total: number, packets: number): string {
  const counted = `${grouped(packets)} packets`;
  if (total <= 0) return `${megabytes(done)} ${counted}`;
  const part = Math.min(1, done / total);
  const full = Math.round(part * WIDTH);
  const percent = `${Math.floor(part * 100)}%`.padStart(5);
  return `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}]${percent}  ${megabytes(done)} of ${megabytes(total)}  ${counted}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** `1234567` as `1 234 567`. */
export function grouped(value: number | bigint): string {
  return value.toString().replace(/\B(?=(\d{3})+$)/g, ' ');
}
