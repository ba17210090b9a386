/**
 * The connection index: buckets of one cache line, seven entries each (layout in src/abi/connections.ts).
 *
 * An entry is a 32-bit tag and a ref (the record's address, bit 0 the direction). An entry that
 * finds its bucket full goes to the next one, and every bucket that it went past counts it; so a
 * lookup that meets a bucket nobody went past ends there, and removal leaves no tombstones.
 *
 * @module
 */
import { BUCKET_ENTRIES, BUCKET_OVER, BUCKET_REFS, BUCKET_SIZE, BUCKET_TAGS } from '../../src/abi/connections';
import { SB_INDEX, SB_INDEX_BUCKETS, SUPERBLOCK } from '../../src/abi/superblock';

/** Lanes 1..7 of the two vectors over `over` and the tags. */
const TAG_LANES: u32 = 0xfe;
/** Distance from `over` to the ref of lane 0 (which has none): refs lie 28 bytes after their tags. */
const REF_OF_LANE: usize = 28;

/** Address of the bucket where an entry of this hash belongs. */
export function homeBucket(hash: u64): usize {
  const buckets = <u64>load<u32>(SUPERBLOCK, SB_INDEX_BUCKETS);
  return <usize>load<u32>(SUPERBLOCK, SB_INDEX) + <usize>(((hash >> 32) * buckets) >> 32) * BUCKET_SIZE;
}

/** Bit i is set where tag i - 1 equals the tag of `hash`. */
export function matchTags(bucket: usize, hash: u64): u32 {
  const tag = i32x4.splat(<i32>hash);
  const low = i32x4.bitmask(i32x4.eq(v128.load(bucket), tag));
  const high = i32x4.bitmask(i32x4.eq(v128.load(bucket, 16), tag));
  return (low | (high << 4)) & TAG_LANES;
}

/** Whether a look at its home bucket tells that no entry has this hash. */
export function hasNone(bucket: usize, hash: u64): bool {
  return matchTags(bucket, hash) == 0 && !isOverrun(bucket);
}

/** The ref at lane `lane` (1..7), 0 for a free entry. */
export function refAt(bucket: usize, lane: u32): u32 {
  return load<u32>(bucket + ((<usize>lane) << 2), REF_OF_LANE);
}

/** Changes the ref at lane `lane` (1..7) to another with the same hash. */
export function setRefAt(bucket: usize, lane: u32, ref: u32): void {
  store<u32>(bucket + ((<usize>lane) << 2), ref, REF_OF_LANE);
}

/** The bucket that follows, around the end. */
export function nextBucket(bucket: usize): usize {
  const base = <usize>load<u32>(SUPERBLOCK, SB_INDEX);
  const end = base + <usize>load<u32>(SUPERBLOCK, SB_INDEX_BUCKETS) * BUCKET_SIZE;
  const next = bucket + BUCKET_SIZE;
  return next == end ? base : next;
}

/** Whether entries went past this bucket. */
export function isOverrun(bucket: usize): bool {
  return load<u32>(bucket, BUCKET_OVER) != 0;
}

/** Puts an entry in. The plan has more entries than connections can take, so there is always room. */
export function insertEntry(hash: u64, ref: u32): void {
  let bucket = homeBucket(hash);
  for (;;) {
    for (let i: usize = 0; i < <usize>BUCKET_ENTRIES; i++) {
      const at = bucket + (i << 2);
      if (load<u32>(at, BUCKET_REFS) == 0) {
        store<u32>(at, <u32>hash, BUCKET_TAGS);
        store<u32>(at, ref, BUCKET_REFS);
        return;
      }
    }
    store<u32>(bucket, load<u32>(bucket, BUCKET_OVER) + 1, BUCKET_OVER);
    bucket = nextBucket(bucket);
  }
}

/** Takes the entry of `hash` and `ref` out; it must be in. */
export function removeEntry(hash: u64, ref: u32): void {
  let bucket = homeBucket(hash);
  for (;;) {
    for (let i: usize = 0; i < <usize>BUCKET_ENTRIES; i++) {
      const at = bucket + (i << 2);
      if (load<u32>(at, BUCKET_REFS) == ref) {
        store<u32>(at, 0, BUCKET_TAGS);
        store<u32>(at, 0, BUCKET_REFS);
        return;
      }
    }
    store<u32>(bucket, load<u32>(bucket, BUCKET_OVER) - 1, BUCKET_OVER);
    bucket = nextBucket(bucket);
  }
}
