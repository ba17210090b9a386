/**
 * Choices drawn beforehand: what is made of them is made anew from the same numbers. Smaller numbers make more ordinary
 * things, so that a counter-example shrinks to what matters.
 *
 * @module
 */
import fc from 'fast-check';

/** What choices are made by, each 0..65535. */
export type Drawn = readonly number[];

/** `count` of them. */
export function drawn(count: number): fc.Arbitrary<Drawn> {
  return fc.noBias(fc.array(fc.nat(0xffff), { minLength: count, maxLength: count }));
}

export class Choices {
  readonly #drawn: Drawn;
  #at = 0;

  constructor(numbers: Drawn) {
    this.#drawn = numbers;
  }

  /** 0..65535; 0 when all are used up. */
  word(): number {
    return this.#drawn[this.#at++] ?? 0;
  }

  /** 0..`count` - 1. */
  below(count: number): number {
    return this.word() % count;
  }

  /** True once in `of` times, and never as the ordinary. */
  once(of: number): boolean {
    return this.below(of) === of - 1;
  }

  /** One of them; the first is the ordinary one. */
  of<T>(values: readonly [T, ...T[]] | readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  /** One of them or nothing: `one` in `of` times. */
  maybe<T>(of: number, values: readonly T[]): T | undefined {
    return this.once(of) ? this.of(values) : undefined;
  }
}
