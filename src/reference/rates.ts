/**
 * What goes through a service or dest each second, as a moving average: Linux's estimator in its own fixed point numbers.
 *
 * @module
 */
import type { ReferenceStats } from './types.js';

const COUNTS = ['connections', 'inPackets', 'outPackets'] as const;
const BYTES = ['inBytes', 'outBytes'] as const;
const ALL = [...COUNTS, ...BYTES] as const;

const none = (): ReferenceStats => ({ connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n });

/** Bits behind the point. */
const bitsOf = (key: keyof ReferenceStats): bigint => (key === 'inBytes' || key === 'outBytes' ? 5n : 10n);

export class Rates {
  readonly #averages = none();
  readonly #before = none();

  /** To be called every two seconds. */
  update(stats: ReferenceStats): void {
    for (const key of ALL) {
      const aSecond = ((stats[key] - this.#before[key]) << bitsOf(key)) / 2n;
      this.#averages[key] += (aSecond - this.#averages[key]) >> 2n;
    }
    Object.assign(this.#before, stats);
  }

  /** Sets the averages to 0, and `stats`; what these have beyond the last update still counts in the next. */
  zero(stats: ReferenceStats): void {
    for (const key of ALL) this.#before[key] -= stats[key];
    Object.assign(this.#averages, none());
    Object.assign(stats, none());
  }

  /** Nearly rounded: the half is rounded down. */
  shown(): ReferenceStats {
    const shown = none();
    for (const key of ALL) shown[key] = (this.#averages[key] + (1n << (bitsOf(key) - 1n)) - 1n) >> bitsOf(key);
    return shown;
  }
}
