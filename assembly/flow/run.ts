/**
 * Runs of fragments: each fragment of a run begins where the one before it ends, and came in after all that lay before it.
 *
 * A datagram's runs form a treap (Seidel, Aragon 1996): a search tree by offset, and a heap by rank. Ranks are keyed, so that
 * nobody who does not know the key can choose an order of fragments that makes the tree a list.
 *
 * A run is named by its first fragment, a fragment by its first block; the tree by the address where its root is kept.
 *
 * @module
 */
import { BLK_END, BLK_FOLLOWING, BLK_LEFT, BLK_LENGTH, BLK_OFFSET, BLK_RIGHT } from '../../src/abi/frames';
import { SB_KEY1, SUPERBLOCK } from '../../src/abi/superblock';

/** Where in the datagram the fragment begins. */
export function offsetOf(fragment: usize): u32 {
  return load<u16>(fragment, BLK_OFFSET);
}

/** Payload bytes of the fragment. */
export function lengthOf(fragment: usize): u32 {
  return load<u16>(fragment, BLK_LENGTH);
}

/** The next fragment of its run; 0 ends. */
export function following(fragment: usize): usize {
  return load<u32>(fragment, BLK_FOLLOWING);
}

/** Where in the datagram the run ends. */
export function endOf(run: usize): u32 {
  return load<u16>(run, BLK_END);
}

/** Multiply-shift hashing (Dietzfelbinger et al. 1997). */
function rankOf(run: usize): u32 {
  return <u32>((<u64>run * (load<u64>(SUPERBLOCK, SB_KEY1) | 1)) >> 32);
}

/** The run that has bytes of [offset, end); 0 when none has. */
export function findRun(root: usize, offset: u32, end: u32): usize {
  let run = <usize>load<u32>(root);
  while (run != 0) {
    if (end <= offsetOf(run)) run = load<u32>(run, BLK_LEFT);
    else if (offset >= endOf(run)) run = load<u32>(run, BLK_RIGHT);
    else break;
  }
  return run;
}

/** Makes `fragment`, which shares bytes with no run, a run of its own. */
export function startRun(root: usize, fragment: usize): void {
  const offset = offsetOf(fragment);
  const rank = rankOf(fragment);
  store<u32>(fragment, 0, BLK_FOLLOWING);
  store<u16>(fragment, offset + lengthOf(fragment), BLK_END);

  let link = root;
  let run = <usize>load<u32>(link);
  while (run != 0 && rankOf(run) >= rank) {
    link = run + (offsetOf(run) < offset ? BLK_RIGHT : BLK_LEFT);
    run = load<u32>(link);
  }
  store<u32>(link, <u32>fragment);
  // What was there is divided at the offset.
  let left = fragment + BLK_LEFT;
  let right = fragment + BLK_RIGHT;
  while (run != 0) {
    if (offsetOf(run) < offset) {
      store<u32>(left, <u32>run);
      left = run + BLK_RIGHT;
      run = load<u32>(left);
    } else {
      store<u32>(right, <u32>run);
      right = run + BLK_LEFT;
      run = load<u32>(right);
    }
  }
  store<u32>(left, 0);
  store<u32>(right, 0);
}

/** Appends `fragment` to the run, whose last fragment is `last` and ends where `fragment` begins. */
export function extendRun(run: usize, last: usize, fragment: usize): void {
  store<u32>(fragment, 0, BLK_FOLLOWING);
  store<u32>(last, <u32>fragment, BLK_FOLLOWING);
  store<u16>(run, offsetOf(fragment) + lengthOf(fragment), BLK_END);
}

/** Takes the run of the lowest offset out; 0 when there is none. Taking all out takes time for each once. */
export function takeFirstRun(root: usize): usize {
  let run = <usize>load<u32>(root);
  if (run == 0) return 0;
  for (let left = <usize>load<u32>(run, BLK_LEFT); left != 0; left = load<u32>(run, BLK_LEFT)) {
    store<u32>(run, load<u32>(left, BLK_RIGHT), BLK_LEFT);
    store<u32>(left, <u32>run, BLK_RIGHT);
    run = left;
  }
  store<u32>(root, load<u32>(run, BLK_RIGHT));
  return run;
}
