/**
 * Frames of the guest, as far as these tests look at them.
 *
 * @module
 */
import { packetOf } from '../../../src/scenario/packet.js';
import { isSpontaneous } from '../spontaneous.js';
import type { Emitted } from '../uml.js';

/** Frames that left by an interface, but for what a host says by itself. */
export function framesOf(emitted: readonly Emitted[], by: string): Uint8Array[] {
  return emitted
    .filter(({ outInterface, data }) => outInterface === by && !isSpontaneous(data))
    .map(({ data }) => data);
}

/** The IP packets in them. */
export function packetsOf(emitted: readonly Emitted[], by: string): Uint8Array[] {
  return framesOf(emitted, by).map((frame) => packetOf(frame)?.whole ?? frame);
}

export function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}
