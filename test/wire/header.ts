/**
 * Headers at odd addresses in memory that is all 0xa5, so that what is left unwritten, or written beyond, shows.
 *
 * @module
 */
import { expect } from 'vitest';
import { type InnerCore, innerCore } from '../support/core.js';
import { toHex } from '../support/packets.js';

/** Not aligned: headers lie where they lie. */
export const AT = 0x20_03;
const WORDS = 0x1000;
const FENCE = 16;

export const core: InnerCore = innerCore();

/** The u32s that a `read` function finds in the header `bytes`. */
export function deconstruct(bytes: Uint8Array, read: (address: number, to: number) => void, count: number): number[] {
  core.bytes.fill(0xa5, AT - FENCE, AT + bytes.length + FENCE);
  core.bytes.set(bytes, AT);
  read(AT, WORDS);
  expect(toHex(core.bytes.slice(AT, AT + bytes.length)), 'reading changes nothing').toBe(toHex(bytes));
  return Array.from({ length: count }, (_, i) => core.view.getUint32(WORDS + i * 4, true));
}

/** The `length` bytes that a `write` function makes of u32s; nothing around them may change. */
export function construct(words: number[], write: (address: number, from: number) => void, length: number): string {
  core.bytes.fill(0xa5, AT - FENCE, AT + length + FENCE);
  words.forEach((word, i) => {
    core.view.setUint32(WORDS + i * 4, word, true);
  });
  write(AT, WORDS);
  const fence = 'a5'.repeat(FENCE);
  expect(toHex(core.bytes.slice(AT - FENCE, AT)), 'before the header').toBe(fence);
  expect(toHex(core.bytes.slice(AT + length, AT + length + FENCE)), 'after the header').toBe(fence);
  return toHex(core.bytes.slice(AT, AT + length));
}
