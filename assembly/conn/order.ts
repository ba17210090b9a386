/**
 * The order in which records end that are due at once: which of their numbers, and of FullNAT's ports, are given next follows from it.
 *
 * @module
 */
import { now32 } from '../superblock';
import { Conn } from './record';

/** Whether one that is due ended before another; of one millisecond the one with the lower number, IPv4 first. */
function isBefore(one: Conn, other: Conn): bool {
  const now = now32();
  const late = now - one.touched - one.timeout;
  const otherLate = now - other.touched - other.timeout;
  return late == otherLate ? changetype<usize>(one) < changetype<usize>(other) : late > otherLate;
}

/**
 * Puts a list of due records, by `next` and 0 at its end, in the order in which they ended. Lists of one slot are so already, or nearly.
 */
export function inOrder(list: u32): u32 {
  let runs = cutRuns(list);
  while (runs != 0 && connAt(runs).prev != 0) runs = mergePairs(runs);
  return runs;
}

function connAt(address: u32): Conn {
  return changetype<Conn>(<usize>address);
}

/** Cuts a list into runs that are in order. The first records of these have the next run in `prev`. */
function cutRuns(list: u32): u32 {
  let runs: u32 = 0;
  let left = list;
  while (left != 0) {
    let first = left;
    let last = left;
    left = connAt(left).next;
    while (left != 0) {
      const next = connAt(left).next;
      if (isBefore(connAt(last), connAt(left))) {
        connAt(last).next = left;
        last = left;
      } else if (isBefore(connAt(left), connAt(first))) {
        connAt(left).next = first;
        first = left;
      } else {
        break;
      }
      left = next;
    }
    connAt(last).next = 0;
    connAt(first).prev = runs;
    runs = first;
  }
  return runs;
}

/** Makes one run of every two. */
function mergePairs(runs: u32): u32 {
  let merged: u32 = 0;
  let left = runs;
  while (left != 0) {
    const one = left;
    const other = connAt(one).prev;
    left = other == 0 ? 0 : connAt(other).prev;
    const first = other == 0 ? one : merge(one, other);
    connAt(first).prev = merged;
    merged = first;
  }
  return merged;
}

function merge(one: u32, other: u32): u32 {
  const isFirst = isBefore(connAt(one), connAt(other));
  const first = isFirst ? one : other;
  let last = first;
  let rest = isFirst ? other : one;
  // What comes behind `last` in its own run may come behind the other's first.
  for (let next = connAt(last).next; next != 0; next = connAt(last).next) {
    if (isBefore(connAt(next), connAt(rest))) {
      last = next;
      continue;
    }
    connAt(last).next = rest;
    last = rest;
    rest = next;
  }
  connAt(last).next = rest;
  return first;
}
