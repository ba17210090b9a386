/**
 * Sequence numbers of a direction whose segments change their lengths: what has to be added to them, and taken off the
 * other direction's acknowledgements (layout in src/abi/connections.ts). As Linux's connection tracking, which knows of one such
 * change at a time: numbers before the last one have the sum of all changes before it.
 *
 * @module
 */
import { SEQ_AFTER, SEQ_BEFORE, SEQ_POSITION } from '../../src/abi/connections';

/** Whether `a` comes after `b` (RFC 9293 §3.4): numbers wrap. */
function isAfter(a: u32, b: u32): bool {
  return <i32>(a - b) > 0;
}

/** All numbers from the one at `number` on have `change` added. */
export function setChange(sequence: usize, number: u32, change: u32): void {
  store<u32>(sequence, number, SEQ_POSITION);
  store<u32>(sequence, change, SEQ_BEFORE);
  store<u32>(sequence, change, SEQ_AFTER);
}

/** Whether nothing has changed its length yet. */
export function isUnchanged(sequence: usize): bool {
  return load<u64>(sequence, SEQ_BEFORE) == 0;
}

/** Notes that the segment at `number` became longer by `bytes`; one that is sent again was noted before. */
export function noteChange(sequence: usize, number: u32, bytes: i32): void {
  const sum = load<i32>(sequence, SEQ_AFTER);
  if (load<i32>(sequence, SEQ_BEFORE) != sum && !isAfter(number, load<u32>(sequence, SEQ_POSITION))) return;
  store<u32>(sequence, number, SEQ_POSITION);
  store<i32>(sequence, sum, SEQ_BEFORE);
  store<i32>(sequence, sum + bytes, SEQ_AFTER);
}

/** By how much numbers behind the last change are more than those before it. */
export function shiftOf(sequence: usize): u32 {
  return load<u32>(sequence, SEQ_AFTER) - load<u32>(sequence, SEQ_BEFORE);
}

/** A number as the receiver would count without the last change. */
export function toReceiverBefore(sequence: usize, number: u32): u32 {
  return number + load<u32>(sequence, SEQ_BEFORE);
}

/** The number behind the last change, as the sender counts. */
export function firstByte(sequence: usize): u32 {
  return load<u32>(sequence, SEQ_POSITION) + 1;
}

/** A number as the receiver counts, of one as the sender does. */
export function toReceiver(sequence: usize, number: u32): u32 {
  const isBehind = isAfter(number, load<u32>(sequence, SEQ_POSITION));
  return number + (isBehind ? load<i32>(sequence, SEQ_AFTER) : load<i32>(sequence, SEQ_BEFORE));
}

/** A number as the sender counts, of one that the receiver acknowledges. */
export function toSender(sequence: usize, number: u32): u32 {
  const before = load<i32>(sequence, SEQ_BEFORE);
  const isBehind = isAfter(number - before, load<u32>(sequence, SEQ_POSITION));
  return number - (isBehind ? load<i32>(sequence, SEQ_AFTER) : before);
}
