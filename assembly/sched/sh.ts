/**
 * Source and destination hashing: a table of 256 buckets, filled from the list; an address always finds the same bucket.
 *
 * @module
 */
import { ServiceFlag } from '../../src/abi/protocol';
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { hash32 } from './hash';
import { isUsable } from './load';

const BITS: u32 = 8;
const BUCKETS: u32 = 1 << BITS;
/** A u32 for each bucket: the address of its dest, 0 when there is none. */
export const SH_TABLE_SIZE: u32 = BUCKETS * 4;

/** Deals the buckets out in list order; `byWeight`: to each dest as many at a time as its weight says, else one. */
export function fillSh(service: Service, byWeight: bool): void {
  const table = service.table;
  let at = service.dests;
  let dealt: i32 = 0;
  for (let i: usize = 0; i < BUCKETS; i++) {
    store<u32>(table + (i << 2), <u32>at);
    if (at == 0) continue;
    const dest = changetype<Dest>(at);
    if (++dealt >= dest.weight || !byWeight) {
      at = dest.next == 0 ? service.dests : dest.next;
      dealt = 0;
    }
  }
}

/** sh: the dest of the client's bucket; 0 when it is not usable and sh-fallback finds no other. */
export function pickSh(service: Service, client: u32, clientPort: u32): usize {
  const key = service.flags & ServiceFlag.Sched2 ? client + clientPort : client;
  const first = hash32(key, BITS);
  const found = entry(service, first);
  if (found != 0 || (service.flags & ServiceFlag.Sched1) == 0) return found;
  for (let i: u32 = 0; i < BUCKETS; i++) {
    const at = entry(service, (first + first + i) & (BUCKETS - 1));
    if (at != 0) return at;
  }
  return 0;
}

/** dh: the dest of the destination address's bucket; 0 when it is not usable. */
export function pickDh(service: Service, destination: u32): usize {
  return entry(service, hash32(destination, BITS));
}

/** The dest in a bucket, if it is usable. */
function entry(service: Service, bucket: u32): usize {
  const at = <usize>load<u32>(service.table + ((<usize>bucket) << 2));
  return at != 0 && isUsable(changetype<Dest>(at)) ? at : 0;
}
