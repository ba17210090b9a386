/**
 * Source hashing: a table of 256 buckets, filled from the list by weight; a client always finds
 * the same bucket.
 *
 * @module
 */
import { ServiceFlag } from '../../src/abi/protocol';
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { isUsable } from './index';

const BUCKETS: u32 = 256;
/** The kernel's 32-bit golden ratio multiplier (hash_32). */
const GOLDEN_RATIO: u32 = 0x61c88647;

/** Deals the buckets out in list order, to each dest as many at a time as its weight says. */
export function fillSh(service: Service): void {
  const table = service.table;
  let at = service.dests;
  let dealt: i32 = 0;
  for (let i: usize = 0; i < BUCKETS; i++) {
    store<u32>(table + (i << 2), <u32>at);
    if (at == 0) continue;
    const dest = changetype<Dest>(at);
    if (++dealt >= dest.weight) {
      at = dest.next == 0 ? service.dests : dest.next;
      dealt = 0;
    }
  }
}

/** Bucket of a key: the top eight bits of its product, moved on by `offset`. */
function bucketOf(key: u32, offset: u32): u32 {
  return (offset + ((key * GOLDEN_RATIO) >> 24)) & (BUCKETS - 1);
}

/** The dest of the client's bucket; 0 when it is not usable and sh-fallback finds no other. */
export function pickSh(service: Service, client: u32, clientPortBE: u32): usize {
  const port = service.flags & ServiceFlag.Sched2 ? <u32>bswap<u16>(<u16>clientPortBE) : 0;
  const key = client + port;
  const first = bucketOf(key, 0);
  let at = entry(service, first);
  if (at == 0 || isUsable(changetype<Dest>(at))) return at;
  if ((service.flags & ServiceFlag.Sched1) == 0) return 0;
  for (let i: u32 = 0; i < BUCKETS; i++) {
    at = entry(service, bucketOf(key, (i + first) & (BUCKETS - 1)));
    if (isUsable(changetype<Dest>(at))) return at;
  }
  return 0;
}

function entry(service: Service, bucket: u32): usize {
  return load<u32>(service.table + ((<usize>bucket) << 2));
}
