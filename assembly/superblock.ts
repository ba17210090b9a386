/**
 * The state that all of the core shares: it lives in memory, never in globals, so that a second
 * instance over the same memory sees it.
 *
 * @module
 */
import { SB_COUNTERS, SB_IP_ID, SB_NET_GENERATION, SB_NOW, SB_RANDOM, SUPERBLOCK } from '../src/abi/superblock';
import { COUNTER_SIZE } from '../src/abi/tables';

/** Reads the u32 field at `offset` (an SB_ constant). */
export function field(offset: usize): u32 {
  return load<u32>(<usize>SUPERBLOCK + offset);
}

/** Writes the u32 field at `offset` (an SB_ constant). */
export function setField(offset: usize, value: u32): void {
  store<u32>(<usize>SUPERBLOCK + offset, value);
}

/** The time of this burst, in milliseconds. */
export function now(): u64 {
  return load<u64>(SUPERBLOCK, SB_NOW);
}

/** The low half of `now`: what records store. Ages are differences, so that it may wrap. */
export function now32(): u32 {
  return load<u32>(SUPERBLOCK, SB_NOW);
}

/** Changes whenever cached hops and address checks are void. */
export function netGeneration(): u32 {
  return load<u32>(SUPERBLOCK, SB_NET_GENERATION);
}

/** Identification for the next datagram that the director originates (RFC 6864: any value will do). */
export function nextIpId(): u32 {
  const id = load<u32>(SUPERBLOCK, SB_IP_ID);
  store<u32>(SUPERBLOCK, id + 1, SB_IP_ID);
  return id & 0xffff;
}

/** Counts a verdict under its reason. */
export function countReason(reason: u32): void {
  const counter = <usize>load<u32>(SUPERBLOCK, SB_COUNTERS) + <usize>reason * COUNTER_SIZE;
  store<u64>(counter, load<u64>(counter) + 1);
}

/** A random number from 0 to `most`, both included: the next of SplitMix64 (Steele, Lea, Flood 2014), scaled. */
export function drawUpTo(most: u32): u32 {
  const state = load<u64>(SUPERBLOCK, SB_RANDOM) + 0x9e3779b97f4a7c15;
  store<u64>(SUPERBLOCK, state, SB_RANDOM);
  let mixed = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  mixed ^= mixed >> 31;
  return <u32>(((mixed >> 32) * (<u64>most + 1)) >> 32);
}
