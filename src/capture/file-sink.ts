/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A synchronous sink that writes a file or standard output.
 *
 * @module
 */

import { closeSync, openSync, writeSync } from 'node:fs';
import { naming } from './source.js';

const STDOUT = 1;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes all bytes to a file descriptor, waiting when it is a pipe that is full.
 *
 * @throws what `fs` throws, `EPIPE` when the reader of a pipe has gone
 */
export function writeAll(fd: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      // A pipe that another program made non-blocking: its reader is behind.
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Atomics.wait(sleeper, 0, 0, 1);
    }
  }
}

/** Writes chunks to a file; `-` is standard output, which stays open. */
export class FileSink implements Disposable {
  readonly #path: string;
  readonly #fd: number;
  #open: boolean;

  /** Opens the file anew. Throws what `fs` throws. */
  constructor(path: string) {
    this.#path = path === '-' ? 'standard output' : path;
    this.#open = path !== '-';
    this.#fd = path === '-' ? STDOUT : openSync(path, 'w');
  }

  /** The sink for a writer. Throws what `fs` throws (`EPIPE` when the reader of a pipe has gone). */
  readonly write = (chunk: Uint8Array): void => naming(this.#path, () => writeAll(this.#fd, chunk));

  close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
