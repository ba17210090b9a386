/**
 * Unpacks gzip so that nothing is lost before damage: a stream that is destroyed by an error forgets what it had already
 * unpacked, so each piece is written by itself and what came out is handed on before the next goes in.
 *
 * @module
 */

import { createGunzip } from 'node:zlib';

/** Written at once, in bytes; of a damaged piece, what it unpacked to before the damage is lost. */
const PIECE = 4096;
/** CRC32 and ISIZE (RFC 1952 §2.3.1) come in a piece of their own, so that their being wrong loses nothing. */
const TRAILER = 8;

/** Whether bytes begin as a gzip file does (RFC 1952 §2.3.1: ID1, ID2). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Unpacks chunks. Throws the error of zlib after all that was unpacked before it. */
export async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const stream = createGunzip({ chunkSize: 65536 });
  let unpacked: Uint8Array[] = [];
  let failure: Error | undefined;
  let failed = (): void => {};
  stream.on('data', (bytes: Uint8Array) => unpacked.push(bytes));
  stream.on('error', (error) => {
    failure = error;
    failed();
  });

  /** Resolves when a step is done or the stream failed; a failed stream does not always call back. */
  const step = (run: (done: () => void) => void): Promise<void> =>
    new Promise((resolve) => {
      failed = resolve;
      if (failure === undefined) run(() => resolve());
      else resolve();
    });
  const take = (): Uint8Array[] => {
    const taken = unpacked;
    unpacked = [];
    return taken;
  };

  try {
    for await (const piece of pieces(chunks)) {
      await step((done) => stream.write(piece, done));
      yield* take();
      if (failure !== undefined) break;
    }
    if (failure === undefined) {
      await step((done) => stream.once('end', done).end());
      yield* take();
    }
    if (failure !== undefined) throw failure;
  } finally {
    stream.destroy();
  }
}

/** The bytes of chunks in pieces, the last of them the trailer's. Copies: zlib may still read one while its chunk is refilled. */
async function* pieces(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += PIECE) {
      const bytes = Buffer.concat([held, chunk.subarray(at, at + PIECE)]);
      const cut = Math.max(0, bytes.length - TRAILER);
      if (cut > 0) yield bytes.subarray(0, cut);
      held = bytes.subarray(cut);
    }
  }
  yield held;
}
