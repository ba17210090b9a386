import { describe, expect, it } from 'vitest';
import { Random, twoChoices } from '../../../src/reference/index.js';
import { dest, keyOf } from './support.js';

/** A key whose random numbers are these. */
function drawing(...numbers: number[]): { key: ReturnType<typeof keyOf>; bounds: number[] } {
  const bounds: number[] = [];
  const random = (below: number): number => {
    bounds.push(below);
    return numbers.shift()!;
  };
  return { key: keyOf({ random }), bounds };
}

describe('twos', () => {
  const list = [dest('A', 2, 1), dest('B', 3, 1), dest('C', 1, 1)];

  it('draws twice from 0 to the sum of the weights', () => {
    const { key, bounds } = drawing(0, 0);
    expect(twoChoices(list, key)?.name).toBe('A');
    expect(bounds).toEqual([7, 7]);
  });

  it('a number belongs to the dest whose part of the sum it lies in; 0 to the first', () => {
    const only = (place: number) => twoChoices(list, drawing(place, place).key)?.name;
    expect([0, 1, 2, 3, 4, 5, 6].map(only).join('')).toBe('AAABBBC');
  });

  it('takes the second only if it has less to do for its weight', () => {
    // 1/2 of A, 1/3 of B, 1/1 of C.
    expect(twoChoices(list, drawing(1, 4).key)?.name).toBe('B');
    expect(twoChoices(list, drawing(4, 1).key)?.name).toBe('B');
    expect(twoChoices(list, drawing(6, 1).key)?.name).toBe('A');
    const equal = [dest('A', 1, 1), dest('B', 1, 0, 256)];
    expect(twoChoices(equal, drawing(1, 2).key)?.name).toBe('A');
    expect(twoChoices(equal, drawing(2, 1).key)?.name).toBe('B');
  });

  it('compares exactly', () => {
    const many = [dest('A', 65535, 8_000_000), dest('B', 65535, 7_999_999)];
    expect(twoChoices(many, drawing(1, 65536).key)?.name).toBe('B');
  });

  it('does not see weight 0 and overloaded ones, and draws nothing when there are no others', () => {
    const overloaded = { ...dest('B', 9), overloaded: true };
    const { key, bounds } = drawing(1, 1);
    expect(twoChoices([dest('A', 0), overloaded, dest('C', 1, 9)], key)?.name).toBe('C');
    expect(bounds).toEqual([2, 2]);
    expect(twoChoices([dest('A', 0), overloaded], keyOf({}))).toBeUndefined();
    expect(twoChoices([], keyOf({}))).toBeUndefined();
  });
});

describe('SplitMix64', () => {
  /** The upper halves of the first numbers. */
  const upper = (seed: bigint) => {
    const random = new Random(seed);
    return Array.from({ length: 3 }, () => random.draw(2 ** 32));
  };

  it('begins as others do', () => {
    // e220a8397b1dcdaf 6e789e6aa1b965f4 06c45d188009454f, known from the generator's publication.
    expect(upper(0n)).toEqual([0xe220a839, 0x6e789e6a, 0x06c45d18]);
    // 599ed017fb08fc85 2c73f08458540fa5 883ebce5a3f27c77
    expect(upper(1_234_567n)).toEqual([0x599ed017, 0x2c73f084, 0x883ebce5]);
  });

  it('takes 64 bits of the seed', () => {
    expect(upper(2n ** 64n + 5n)).toEqual(upper(5n));
    expect(upper(2n ** 63n)).not.toEqual(upper(0n));
  });

  it('draws evenly below a number', () => {
    const random = new Random(7n);
    const counts = [0, 0, 0];
    for (let i = 0; i < 3000; i++) counts[random.draw(3)]! += 1;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(100);
  });
});
