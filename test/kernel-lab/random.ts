/**
 * Random choices that a seed repeats.
 *
 * @module
 */

/** A source of random choices. */
export class Random {
  #state: number;

  /** Any number; it counts modulo 2^32. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to 2^32-1. */
  word(): number {
    // A Weyl sequence, mixed twice.
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  }

  /** 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor((this.word() / 0x1_0000_0000) * count);
  }

  /** True once in `of` times. */
  once(of: number): boolean {
    return this.below(of) === 0;
  }

  /** One of them. @throws RangeError when there is none */
  of<T>(values: readonly T[]): T {
    if (values.length === 0) throw new RangeError('expected something to choose from');
    return values[this.below(values.length)] as T;
  }

  /** One of them, each as likely as its weight says. */
  weighted<T>(values: readonly (readonly [weight: number, value: T])[]): T {
    let at = this.below(values.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of values) {
      if (at < weight) return value;
      at -= weight;
    }
    throw new RangeError('expected something to choose from');
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}
