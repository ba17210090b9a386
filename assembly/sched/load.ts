/**
 * What schedulers compare: how busy dests are, and their weights.
 *
 * @module
 */
import { Dest } from '../service/dest';

/** Whether a dest may be given a new connection. */
export function isUsable(dest: Dest): bool {
  return !dest.isOverloaded && dest.weight > 0;
}

/** An active connection weighs as much as 256 inactive ones. */
export function overhead(dest: Dest): i64 {
  return ((<i64>dest.active) << 8) + <i64>dest.inactive;
}

/** sed and nq: how many connections would be active with the new one. */
export function expected(dest: Dest): i64 {
  return <i64>dest.active + 1;
}

/** Whether a load is the lesser one for its dest's weight: compared crosswise, so that a weight of 0 never wins. */
export function isLess(load: i64, dest: Dest, than: i64, other: Dest): bool {
  return than * <i64>dest.weight > load * <i64>other.weight;
}

/** Greatest common divisor of two numbers that are not both 0. */
export function commonDivisor(a: i32, b: i32): i32 {
  while (b != 0) {
    const rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}
