/**
 * Memory for what fragments carry, and what waits for a server behind the SYN proxy: blocks of one size, in chains.
 *
 * @module
 */
import { BLK_DATA, BLK_NEXT, BLOCK_SIZE } from '../src/abi/frames';
import { SB_BLOCK_FREE, SB_BLOCK_HIGH, SB_BLOCK_MAX, SB_BLOCKS } from '../src/abi/superblock';
import { field, setField } from './superblock';

/** Bytes that a block holds. */
const ROOM: u32 = BLOCK_SIZE - BLK_DATA;

/** A block that no chain goes on from; 0 when all are in use. */
function takeBlock(): usize {
  const free = <usize>field(SB_BLOCK_FREE);
  if (free != 0) {
    setField(SB_BLOCK_FREE, load<u32>(free, BLK_NEXT));
    store<u32>(free, 0, BLK_NEXT);
    return free;
  }
  const high = field(SB_BLOCK_HIGH);
  if (high == field(SB_BLOCK_MAX)) return 0;
  setField(SB_BLOCK_HIGH, high + 1);
  const block = <usize>field(SB_BLOCKS) + <usize>high * BLOCK_SIZE;
  store<u32>(block, 0, BLK_NEXT);
  return block;
}

/** A chain that holds `bytes` bytes, named by its first block; 0 when there are not so many blocks. */
export function takeChain(bytes: u32): usize {
  const chain = takeBlock();
  let last = chain;
  for (let held = ROOM; last != 0 && held < bytes; held += ROOM) {
    const block = takeBlock();
    store<u32>(last, <u32>block, BLK_NEXT);
    last = block;
  }
  if (last != 0) return chain;
  if (chain != 0) freeChain(chain);
  return 0;
}

/** Gives the blocks of a chain back. */
export function freeChain(chain: usize): void {
  let last = chain;
  for (let next = load<u32>(last, BLK_NEXT); next != 0; next = load<u32>(last, BLK_NEXT)) last = next;
  store<u32>(last, field(SB_BLOCK_FREE), BLK_NEXT);
  setField(SB_BLOCK_FREE, <u32>chain);
}

/** Writes `bytes` bytes from `from` into the chain, where its byte `at` is. */
export function writeChain(chain: usize, at: u32, from: usize, bytes: u32): void {
  let block = chain;
  let inside = at;
  for (; inside >= ROOM; inside -= ROOM) block = load<u32>(block, BLK_NEXT);
  for (let done: u32 = 0; done < bytes; ) {
    const part = min<u32>(ROOM - inside, bytes - done);
    memory.copy(block + BLK_DATA + inside, from + done, part);
    done += part;
    inside = 0;
    block = load<u32>(block, BLK_NEXT);
  }
}

/** Reads `bytes` bytes of the chain to `to`, behind the first `skipped`, which are no more than a block holds. */
export function readChain(chain: usize, skipped: u32, to: usize, bytes: u32): void {
  let block = chain;
  let inside = skipped;
  for (let done: u32 = 0; done < bytes; ) {
    const part = min<u32>(ROOM - inside, bytes - done);
    memory.copy(to + done, block + BLK_DATA + inside, part);
    done += part;
    inside = 0;
    block = load<u32>(block, BLK_NEXT);
  }
}
