/**
 * Where the bytes of a capture come from: a file, standard input, memory, or chunks of any iterable; plain or gzip.
 *
 * @module
 */

import { closeSync, fstatSync, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';

/** A path, `-` for standard input, bytes in memory, or chunks of bytes (for instance a `ReadableStream`). */
export type CaptureSource = string | Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Bytes that are read in order into memory of the reader's choice. */
export interface ByteSource {
  /** Reads at least one byte into `target` from index `offset` on; returns how many, 0 at the end. */
  read(target: Uint8Array, offset: number): number | Promise<number>;
  close(): void | Promise<void>;
}

const CHUNK = 65536;

/** Runs what reads or writes an open file; an error of the system gets the path, which it lacks where a descriptor is used. */
export function naming<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw named(path, error);
  }
}

function named(path: string, error: unknown): unknown {
  return error instanceof Error && 'syscall' in error && !('path' in error) ? Object.assign(error, { path }) : error;
}

const readAsync = promisify(read);

/** Opens a source, as it is: without a look at gzip. Throws what `fs` throws when a file does not open. */
export function openBytes(source: CaptureSource): ByteSource {
  if (source === '-') return new ChunkSource(process.stdin);
  if (typeof source === 'string') return new FileSource(source);
  return new ChunkSource(source instanceof Uint8Array ? [source] : source);
}

/** A file. Plain ones are read synchronously (fastest by far); pipes and devices are not, as they may block for long. */
class FileSource implements ByteSource {
  readonly #path: string;
  readonly #fd: number;
  readonly #plain: boolean;
  #open = true;

  constructor(path: string) {
    this.#path = path;
    this.#fd = openSync(path, 'r');
    this.#plain = fstatSync(this.#fd).isFile();
  }

  read(target: Uint8Array, offset: number): number | Promise<number> {
    const length = target.length - offset;
    if (this.#plain) return naming(this.#path, () => readSync(this.#fd, target, offset, length, null));
    return readAsync(this.#fd, target, offset, length, null).then(
      ({ bytesRead }) => bytesRead,
      (error: unknown) => {
        throw named(this.#path, error);
      },
    );
  }

  close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }
}

/** Chunks, handed out in pieces as large as the reader has room for. */
export class ChunkSource implements ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #taken = 0;

  constructor(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#chunks = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  }

  async read(target: Uint8Array, offset: number): Promise<number> {
    while (this.#taken === this.#chunk.length) {
      const { done, value } = await this.#chunks.next();
      if (done === true) return 0;
      this.#chunk = value;
      this.#taken = 0;
    }
    const piece = this.#chunk.subarray(this.#taken, this.#taken + target.length - offset);
    target.set(piece, offset);
    this.#taken += piece.length;
    return piece.length;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/**
 * The chunks of a source: first those given, then what it still has. Each chunk is good until the next is asked for.
 * The source is closed at the end.
 */
export async function* chunksOf(head: Uint8Array, rest: ByteSource): AsyncGenerator<Uint8Array> {
  try {
    yield head;
    const chunk = new Uint8Array(CHUNK);
    for (;;) {
      const length = await rest.read(chunk, 0);
      if (length === 0) return;
      yield chunk.subarray(0, length);
    }
  } finally {
    await rest.close();
  }
}
