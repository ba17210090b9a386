/**
 * Timestamps of pcapng: 64-bit ticks of an interface's own length (if_tsresol), as seconds and nanoseconds in plain numbers.
 *
 * @module
 */

/** Nanoseconds in a second. */
export const NANOSECONDS = 1e9;
/** The first second whose nanoseconds since 1970 do not fit in 64 bits (in 2554). */
export const MAX_SECONDS = 18446744073;

const HALF = 0x10000;
const WORD = 0x100000000;

/** Splits an interface's ticks; `seconds` and `nanoseconds` are the result of the last `split()`. */
export class TickClock {
  seconds = 0;
  nanoseconds = 0;
  /** Ticks in a second where that is a power of ten up to 10^9, else 0: those go through bigint. */
  readonly #decimal: number;
  readonly #unit: bigint;
  readonly #offset: number;

  /**
   * @param resolution if_tsresol: 10^-n, or 2^-n with the highest bit set
   * @param offset if_tsoffset, in seconds
   */
  constructor(resolution: number, offset: number) {
    const exponent = resolution & 0x7f;
    const binary = (resolution & 0x80) !== 0;
    this.#decimal = !binary && exponent <= 9 ? 10 ** exponent : 0;
    this.#unit = (binary ? 2n : 10n) ** BigInt(exponent);
    this.#offset = Number.isSafeInteger(offset) ? offset : Number.NaN;
  }

  /** Whether plain numbers hold the time of the last `split()`: its seconds, and if_tsoffset, are below 2^53. */
  get isExact(): boolean {
    return Number.isSafeInteger(this.seconds);
  }

  /** Splits the ticks `high * 2^32 + low`. */
  split(high: number, low: number): void {
    const unit = this.#decimal;
    if (unit === 0) {
      this.#splitBig(high, low);
      return;
    }
    // Long division by digits of 16 bits: each dividend stays below 2^53, so that plain numbers are exact.
    const seconds0 = Math.floor(high / unit);
    let rest = (high - seconds0 * unit) * HALF + (low >>> 16);
    const seconds1 = Math.floor(rest / unit);
    rest = (rest - seconds1 * unit) * HALF + (low & 0xffff);
    const seconds2 = Math.floor(rest / unit);
    rest -= seconds2 * unit;
    this.seconds = seconds0 * WORD + seconds1 * HALF + seconds2 + this.#offset;
    this.nanoseconds = rest * (NANOSECONDS / unit);
  }

  #splitBig(high: number, low: number): void {
    const ticks = (BigInt(high) << 32n) | BigInt(low);
    this.seconds = Number(ticks / this.#unit) + this.#offset;
    this.nanoseconds = Number(((ticks % this.#unit) * 1_000_000_000n) / this.#unit);
  }
}
