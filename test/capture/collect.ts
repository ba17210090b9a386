/**
 * Reads a whole capture into plain values, together with the error at its end.
 *
 * @module
 */

import { type CapturedPacket, CaptureError, type CaptureInputOptions, readCapture } from '../../src/capture/index.js';
import type { CaptureSource } from '../../src/capture/source.js';

export interface Collected {
  packets: CapturedPacket[];
  error: CaptureError | undefined;
}

/** Any error that is not a CaptureError is thrown on. */
export async function collect(source: CaptureSource, options?: CaptureInputOptions): Promise<Collected> {
  const packets: CapturedPacket[] = [];
  try {
    for await (const packet of readCapture(source, options)) packets.push({ ...packet, data: packet.data.slice() });
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    return { packets, error };
  }
  return { packets, error: undefined };
}

/** The bytes in chunks of the given lengths, over and over. */
export function* chunked(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length]!;
    yield bytes.slice(at, at + length);
    at += length;
  }
}
