/**
 * Records that have others between them in memory, and none in a snapshot.
 *
 * @module
 */
import { addressOf, type Region } from '../region.js';

/** A copy of the first `count` records of `size` bytes, a multiple of 4, one behind the other. */
export function pack(view: DataView, region: Region, size: number, count: number): Uint8Array<ArrayBuffer> {
  const memory = new Uint32Array(view.buffer, 0, view.byteLength >>> 2);
  const packed = new Uint32Array((count * size) / 4);
  const length = size / 4;
  const apart = Math.min(region.apart ?? 0, count);
  for (let i = 0; i < apart; i++) {
    const at = addressOf(region, size, i) / 4;
    for (let word = 0; word < length; word++) packed[i * length + word] = memory[at + word]!;
  }
  const rest = addressOf(region, size, apart) / 4;
  packed.set(memory.subarray(rest, rest + (count - apart) * length), apart * length);
  return new Uint8Array(packed.buffer);
}

/** Writes such records to where they lie. */
export function unpack(view: DataView, region: Region, size: number, packed: Uint8Array): void {
  const memory = new Uint32Array(view.buffer, 0, view.byteLength >>> 2);
  const words = new Uint32Array(packed.buffer, packed.byteOffset, packed.length / 4);
  const length = size / 4;
  const apart = Math.min(region.apart ?? 0, words.length / length);
  for (let i = 0; i < apart; i++) {
    const at = addressOf(region, size, i) / 4;
    for (let word = 0; word < length; word++) memory[at + word] = words[i * length + word]!;
  }
  memory.set(words.subarray(apart * length), addressOf(region, size, apart) / 4);
}
