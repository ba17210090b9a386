/**
 * The director's random numbers: SplitMix64 (Steele, Lea and Flood, 2014, figure 17).
 *
 * @module
 */

/** The same numbers for the same seed. */
export class Random {
  #state: bigint;

  constructor(seed: bigint) {
    this.#state = BigInt.asUintN(64, seed);
  }

  /** The next number in 0..`below` - 1. */
  draw(below: number): number {
    this.#state = BigInt.asUintN(64, this.#state + 0x9e3779b97f4a7c15n);
    let mixed = this.#state;
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n);
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
    mixed ^= mixed >> 31n;
    return Number(((mixed >> 32n) * BigInt(below)) >> 32n);
  }
}
