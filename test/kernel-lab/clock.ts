/**
 * Time as captures have it.
 *
 * @module
 */

/** ns since the epoch; never goes back. */
export function clock(): bigint {
  const { timeOrigin } = performance;
  const origin = BigInt(Math.floor(timeOrigin)) * 1_000_000n + BigInt(Math.round((timeOrigin % 1) * 1e6));
  return origin + BigInt(Math.round(performance.now() * 1e6));
}
