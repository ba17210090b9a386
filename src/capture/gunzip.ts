/**
 * Unpacks gzip so that nothing is lost before damage.
 *
 * zlib's streams forget what they unpacked of the piece in which they met an error, and none can be copied. So two unpack
 * the same pieces, one of them a piece behind: when the one ahead fails, the one behind takes that piece byte by byte.
 * They run beside each other on threads of their own.
 *
 * @module
 */

import { createGunzip } from 'node:zlib';

/** Written at once, in bytes. */
const PIECE = 16384;

/** Whether bytes begin as a gzip file does (RFC 1952 §2.3.1: ID1, ID2). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Unpacks chunks. Throws the error of zlib after all that was unpacked before it: everything up to the byte of the packed
 * file at which zlib finds the damage.
 */
export async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const ahead = new Unpacker();
  const behind = new Unpacker();
  let held: Uint8Array = new Uint8Array(0);
  let given = 0;
  try {
    for await (const piece of pieces(chunks)) {
      const [unpacked] = await Promise.all([ahead.write(piece), behind.write(held)]);
      held = piece;
      for (const bytes of unpacked) {
        given += bytes.length;
        yield bytes;
      }
      if (ahead.failure !== undefined) break;
    }
    if (ahead.failure === undefined) yield* await ahead.end();
    else yield* bytewise(behind, held, given);
    if (ahead.failure !== undefined) throw ahead.failure;
  } finally {
    ahead.destroy();
    behind.destroy();
  }
}

/** What a piece unpacks to, as far as it goes, without the first `given` bytes of the whole. */
async function* bytewise(unpacker: Unpacker, piece: Uint8Array, given: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < piece.length && unpacker.failure === undefined; at++) {
    let start = unpacker.length;
    for (const bytes of await unpacker.write(piece.subarray(at, at + 1))) {
      const known = given - start;
      start += bytes.length;
      if (known < bytes.length) yield bytes.subarray(Math.max(0, known));
    }
  }
}

/** A stream of zlib that is written step by step. */
class Unpacker {
  failure: Error | undefined;
  /** Bytes unpacked so far. */
  length = 0;
  readonly #stream = createGunzip({ chunkSize: 65536 });
  #unpacked: Uint8Array[] = [];
  #failed = (): void => {};

  constructor() {
    this.#stream.on('data', (bytes: Uint8Array) => this.#unpacked.push(bytes));
    this.#stream.on('error', (error) => {
      this.failure = error;
      this.#failed();
    });
  }

  /** What came out by these bytes. An error is in `failure` then. */
  async write(bytes: Uint8Array): Promise<Uint8Array[]> {
    if (bytes.length > 0) await this.#step((done) => this.#stream.write(bytes, done));
    return this.#take();
  }

  /** What came out at last. */
  async end(): Promise<Uint8Array[]> {
    await this.#step((done) => this.#stream.once('end', done).end());
    return this.#take();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  /** Resolves when a step is done or the stream failed; a failed stream does not always call back. */
  #step(run: (done: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      this.#failed = resolve;
      if (this.failure === undefined) run(() => resolve());
      else resolve();
    });
  }

  #take(): Uint8Array[] {
    const taken = this.#unpacked;
    this.#unpacked = [];
    for (const { length } of taken) this.length += length;
    return taken;
  }
}

/** The bytes of chunks in pieces. Copies: they are read again when their chunk is refilled. */
async function* pieces(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += PIECE) yield new Uint8Array(chunk.subarray(at, at + PIECE));
  }
}
