/**
 * Memory for frames that the core makes: what the burst leaves of the arena, handed out until the next burst.
 *
 * @module
 */
import { HEADROOM } from '../../src/abi/frames';
import { SB_ARENA_END, SB_ARENA_NEXT } from '../../src/abi/superblock';
import { field, setField } from '../superblock';

/** Frames start on a cache line of their own. */
const LINE: u32 = 64;

/** Room for `bytes` bytes behind HEADROOM bytes; its address, 0 when there is none. */
export function takeRoom(bytes: u32): usize {
  const start = ((<u64>field(SB_ARENA_NEXT) + LINE - 1) & ~(<u64>LINE - 1)) + HEADROOM;
  const end = start + bytes;
  if (end > <u64>field(SB_ARENA_END)) return 0;
  setField(SB_ARENA_NEXT, <u32>end);
  return <usize>start;
}
