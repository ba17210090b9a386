/**
 * sh: source hashing.
 *
 * @module
 */
import { type Address, familyOf } from '../packet/address.js';
import { fold, hash32 } from './hash.js';
import { isUsable, type SchedulerDest, type SchedulerKey } from './scheduler.js';

const BUCKETS = 256;

/** The bucket of a client. */
export function sourceHashBucket(address: Address, port: number): number {
  return hash32(fold(address, familyOf(address)) + port, 8);
}

/** The dests over the buckets, each as often in a row as its weight (0 counts as 1), and again from the head. */
export function sourceHashTable<D extends SchedulerDest>(dests: readonly D[]): D[] {
  const round = dests.flatMap((dest) => new Array<D>(Math.min(Math.max(dest.weight, 1), BUCKETS)).fill(dest));
  return round.length === 0 ? [] : Array.from({ length: BUCKETS }, (_, bucket) => round[bucket % round.length]!);
}

/**
 * The dest in the client's bucket.
 *
 * @param withPort `sh-port`: the source port counts, too
 * @param fallback `sh-fallback`: instead of an unusable dest take the first usable one of the buckets that follow
 */
export function sourceHash<D extends SchedulerDest>(
  dests: readonly D[],
  key: SchedulerKey,
  withPort: boolean,
  fallback: boolean,
): D | undefined {
  const table = sourceHashTable(dests);
  const first = sourceHashBucket(key.sourceAddress, withPort ? key.sourcePort : 0);
  const candidates = [table[first]];
  if (fallback) {
    for (let i = 0; i < BUCKETS; i++) candidates.push(table[(first + ((first + i) % BUCKETS)) % BUCKETS]);
  }
  return candidates.find((dest) => dest !== undefined && isUsable(dest));
}
