/**
 * Weights are measured by what divides them all.
 *
 * @module
 */

/** 0 counts as divisible by all. */
export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
