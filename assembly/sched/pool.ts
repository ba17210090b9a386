/**
 * Memory for the tables of schedulers: parts of any size, the first that fits. They come and go with services, not with
 * packets; of a cache that grows with packets whole pages do.
 *
 * @module
 */
import { SB_SCHED_FREE, SUPERBLOCK } from '../../src/abi/superblock';

/** Before each part: its size, and while it is free the address of the next free one (u32 each; 0 ends). */
const HEADER: usize = 16;
const NEXT: usize = 4;

/** A part of so many bytes, all 0; 0 when there is none left that is large enough. */
export function allocate(bytes: u32): usize {
  const size = (bytes + <u32>HEADER + 15) & ~15;
  let link = <usize>SUPERBLOCK + SB_SCHED_FREE;
  for (let at = <usize>load<u32>(link); at != 0; at = load<u32>(link)) {
    const found = load<u32>(at);
    if (found >= size) {
      let next = load<u32>(at, NEXT);
      let taken = found;
      if (found - size > <u32>HEADER) {
        const rest = at + size;
        store<u32>(rest, found - size);
        store<u32>(rest, next, NEXT);
        next = <u32>rest;
        taken = size;
      }
      store<u32>(link, next);
      store<u32>(at, taken);
      memory.fill(at + HEADER, 0, <usize>taken - HEADER);
      return at + HEADER;
    }
    link = at + NEXT;
  }
  return 0;
}

/** Gives a part back; it becomes one with free ones beside it. */
export function release(part: usize): void {
  const freed = part - HEADER;
  let before: usize = 0;
  let after = <usize>load<u32>(SUPERBLOCK, SB_SCHED_FREE);
  while (after != 0 && after < freed) {
    before = after;
    after = load<u32>(after, NEXT);
  }
  join(freed, after);
  if (before == 0) store<u32>(SUPERBLOCK, <u32>freed, SB_SCHED_FREE);
  else join(before, freed);
}

/** Makes `after` the free part that follows `at`: one with it, when they touch. */
function join(at: usize, after: usize): void {
  const touch = after != 0 && at + load<u32>(at) == after;
  store<u32>(at, touch ? load<u32>(after, NEXT) : <u32>after, NEXT);
  if (touch) store<u32>(at, load<u32>(at) + load<u32>(after));
}
