/**
 * Unpacks gzip so that nothing is lost before damage: a stream that is destroyed by an error forgets what it had already
 * unpacked, so each piece is written by itself and what came out is handed on before the next goes in.
 *
 * @module
 */

import { createGunzip } from 'node:zlib';

/** Written at once; no more than what one piece unpacks to can be lost at damage within it. */
const PIECE = 16384;

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
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length && failure === undefined; at += PIECE) {
        // A copy: zlib may still read it while the chunk's owner fills the next one.
        const piece = new Uint8Array(chunk.subarray(at, at + PIECE));
        await step((done) => stream.write(piece, done));
        yield* take();
      }
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
