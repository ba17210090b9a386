/**
 * Frames as a capture file.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { PcapWriter } from '../../src/capture/index.js';

/** A frame and when it was on the wire, ns since the epoch. */
export interface TimedFrame {
  readonly time: bigint;
  readonly data: Uint8Array;
}

const SECOND = 1_000_000_000n;

export function writePcap(file: string, frames: readonly TimedFrame[]): void {
  const chunks: Uint8Array[] = [];
  const writer = new PcapWriter((chunk) => {
    chunks.push(chunk.slice());
  });
  for (const { time, data } of frames) {
    writer.write(Number(time / SECOND), Number(time % SECOND), data, 0, data.length);
  }
  writer.flushSync();
  writeFileSync(file, Buffer.concat(chunks));
}
