/** The connection index: a model of it, in so few buckets that they overflow all the time. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BUCKET_ENTRIES, BUCKET_SIZE, SB_INDEX, SB_INDEX_BUCKETS, SUPERBLOCK } from '../../src/abi/memory.js';
import { innerCore } from '../support/core.js';
import { properties } from '../support/property.js';

const property = properties(import.meta.url);
const { call, bytes, view } = innerCore();
const INDEX = 0x8000;

/** An empty index of so many buckets. */
function empty(buckets: number): void {
  view.setUint32(SUPERBLOCK + SB_INDEX, INDEX, true);
  view.setUint32(SUPERBLOCK + SB_INDEX_BUCKETS, buckets, true);
  bytes.fill(0xa5, INDEX - 64, INDEX + (buckets + 1) * BUCKET_SIZE);
  bytes.fill(0, INDEX, INDEX + buckets * BUCKET_SIZE);
}

/** A hash with this tag whose home is bucket `home` of `buckets`. */
function hashOf(home: number, buckets: number, tag: number): bigint {
  const high = Math.ceil((home * 2 ** 32) / buckets);
  return (BigInt(high) << 32n) | BigInt(tag);
}

it('finds in the first bucket what was put there, and nothing else', () => {
  empty(4);
  const hash = hashOf(2, 4, 7);
  call.insertEntry(hash, 64);
  expect(view.getUint32(INDEX + 2 * BUCKET_SIZE + 4, true)).toBe(7);
  expect(call.findEntry(hash, 64)).toBe(1);
  expect(call.findEntry(hash, 128)).toBe(0);
  expect(call.findEntry(hashOf(2, 4, 8), 64)).toBe(0);
  expect(call.findEntry(hashOf(1, 4, 7), 64)).toBe(0);
});

it('goes on to the next bucket, around the end, and comes back when there is room', () => {
  empty(2);
  const hash = hashOf(1, 2, 1);
  for (let i = 1; i <= BUCKET_ENTRIES + 1; i++) call.insertEntry(hash, i * 64);
  expect(call.findEntry(hash, BUCKET_ENTRIES * 64)).toBe(1);
  expect(call.findEntry(hash, (BUCKET_ENTRIES + 1) * 64)).toBe(2);
  call.removeEntry(hash, 64);
  expect(call.findEntry(hash, (BUCKET_ENTRIES + 1) * 64)).toBe(2);
  call.insertEntry(hash, 9 * 64);
  expect(call.findEntry(hash, 9 * 64)).toBe(1);
  call.removeEntry(hash, (BUCKET_ENTRIES + 1) * 64);
  expect(call.findEntry(hash, (BUCKET_ENTRIES + 1) * 64)).toBe(0);
});

const commands = fc.array(
  fc.record({ remove: fc.boolean(), home: fc.nat(15), tag: fc.constantFrom(0, 1, 2, 0xffff_ffff), pick: fc.nat(1000) }),
  { maxLength: 120, size: 'max' },
);

property(
  'is a map from hash and ref to whether they are in',
  fc.property(fc.integer({ min: 1, max: 5 }), commands, (buckets, life) => {
    empty(buckets);
    const there = new Map<number, bigint>();
    const gone = new Map<number, bigint>();
    let made = 0;
    const remove = (pick: number): void => {
      const [ref, hash] = [...there][pick % there.size] as [number, bigint];
      call.removeEntry(hash, ref);
      there.delete(ref);
      gone.set(ref, hash);
    };
    for (const { remove: wants, home, tag, pick } of life) {
      // The plan has more entries than there can be: one always stays free.
      const full = there.size === buckets * BUCKET_ENTRIES - 1;
      if (full || (wants && there.size > 0)) {
        remove(pick);
      } else {
        const ref = ++made * 64 + (pick % 2);
        const hash = hashOf(home % buckets, buckets, tag);
        call.insertEntry(hash, ref);
        there.set(ref, hash);
      }
      for (const [ref, hash] of there) if (call.findEntry(hash, ref) === 0) throw new Error(`${ref} is lost`);
      for (const [ref, hash] of gone) if (call.findEntry(hash, ref) !== 0) throw new Error(`${ref} is still there`);
    }
    while (there.size > 0) remove(0);
    const region = bytes.subarray(INDEX, INDEX + buckets * BUCKET_SIZE);
    expect(
      region.every((byte) => byte === 0),
      'an index that was emptied is empty',
    ).toBe(true);
    const fence = [
      ...bytes.subarray(INDEX - 64, INDEX),
      ...bytes.subarray(region.byteOffset + region.length, region.byteOffset + region.length + 64),
    ];
    expect(
      fence.every((byte) => byte === 0xa5),
      'nothing beside it changed',
    ).toBe(true);
  }),
);
