/**
 * dh: destination hashing.
 *
 * @module
 */
import { type Address, familyOf } from '../packet/address.js';
import { fold, hash32 } from './hash.js';
import { isUsable, type SchedulerDest, type SchedulerKey } from './scheduler.js';

/** The bucket of an address, of 256. */
export function destinationHashBucket(address: Address): number {
  return hash32(fold(address, familyOf(address)), 8);
}

/** The dest in the bucket of the destination address; they fill the buckets in list order, each once a round. */
export function destinationHash<D extends SchedulerDest>(dests: readonly D[], key: SchedulerKey): D | undefined {
  const dest = dests[destinationHashBucket(key.destinationAddress) % dests.length];
  return dest !== undefined && isUsable(dest) ? dest : undefined;
}
