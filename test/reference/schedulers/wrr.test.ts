import { describe, expect, it } from 'vitest';
import { WeightedRoundRobin } from '../../../src/reference/index.js';
import { dest, type Named, picks } from './support.js';

describe('wrr', () => {
  const [a, b, c] = [dest('A', 4), dest('B', 3), dest('C', 2)];

  it('picks as documented when the level begins at the top', () => {
    const wrr = new WeightedRoundRobin([a, b, c]);
    expect(picks(18, () => wrr.pick([a, b, c]))).toBe('AABABCABCAABABCABC');
  });

  it('begins at the lowest level when the dests come one by one', () => {
    const wrr = new WeightedRoundRobin<Named>();
    const list: Named[] = [];
    for (const each of [a, b, c]) {
      list.unshift(each);
      wrr.changed(list);
    }
    expect(picks(21, () => wrr.pick(list))).toBe('CBA' + 'ABACBACBA' + 'ABACBACBA');
  });

  it('goes down in steps of the greatest common divisor', () => {
    const [x, y] = [dest('X', 6), dest('Y', 4)];
    const wrr = new WeightedRoundRobin([x, y]);
    expect(picks(10, () => wrr.pick([x, y]))).toBe('XXYXYXXYXY');
  });

  it('keeps the level on a change when it still fits, on the grid of the new step', () => {
    const [x, y] = [dest('X', 6), dest('Y', 2)];
    const wrr = new WeightedRoundRobin([x, y]);
    // Top 5, step 2. Two picks of X at levels 5 and 3.
    expect(picks(2, () => wrr.pick([x, y]))).toBe('XX');
    y.weight = 3;
    wrr.changed([x, y]);
    // Step 3, level 3 -> 4, from the head: X alone reaches it; then both at level 1.
    expect(picks(4, () => wrr.pick([x, y]))).toBe('XXYX');
  });

  it('begins at the top when the level no longer fits', () => {
    const [x, y] = [dest('X', 9), dest('Y', 1)];
    const wrr = new WeightedRoundRobin([x, y]);
    expect(picks(1, () => wrr.pick([x, y]))).toBe('X');
    x.weight = 2;
    wrr.changed([x, y]);
    expect(picks(4, () => wrr.pick([x, y]))).toBe('XXYX');
  });

  it('skips overloaded dests, and none is left when all are', () => {
    const list = [dest('X', 2), dest('Y', 1)];
    const wrr = new WeightedRoundRobin(list);
    list[0]!.overloaded = true;
    expect(picks(3, () => wrr.pick(list))).toBe('YYY');
    list[1]!.overloaded = true;
    expect(picks(2, () => wrr.pick(list))).toBe('--');
  });

  it('a vain walk that began above the lowest level ends at the head, at the top', () => {
    const list = [dest('X', 3), dest('Y', 3), dest('Z', 1)];
    const wrr = new WeightedRoundRobin(list);
    expect(picks(1, () => wrr.pick(list))).toBe('X');
    for (const each of list) each.overloaded = true;
    expect(picks(1, () => wrr.pick(list))).toBe('-');
    for (const each of list) each.overloaded = false;
    expect(picks(2, () => wrr.pick(list))).toBe('XY');
  });

  it('a vain walk that began in the lowest level ends where it began', () => {
    const list = [dest('X', 2), dest('Y', 1), dest('Z', 1)];
    const wrr = new WeightedRoundRobin(list);
    expect(picks(2, () => wrr.pick(list))).toBe('XX');
    for (const each of list) each.overloaded = true;
    expect(picks(1, () => wrr.pick(list))).toBe('-');
    for (const each of list) each.overloaded = false;
    expect(picks(2, () => wrr.pick(list))).toBe('YZ');
  });

  it('a vain walk that began at the head ends there, at the top', () => {
    const wrr = new WeightedRoundRobin<Named>();
    const list = [dest('X', 1)];
    wrr.changed(list);
    list.push(dest('Y', 3));
    wrr.changed(list);
    for (const each of list) each.overloaded = true;
    expect(picks(1, () => wrr.pick(list))).toBe('-');
    for (const each of list) each.overloaded = false;
    expect(picks(4, () => wrr.pick(list))).toBe('YYXY');
  });

  it('has none when all weights are 0', () => {
    const list = [dest('X', 0)];
    const wrr = new WeightedRoundRobin(list);
    expect(picks(2, () => wrr.pick(list))).toBe('--');
    expect(picks(1, () => new WeightedRoundRobin<Named>().pick([]))).toBe('-');
  });

  it('a deletion sends it back to the head', () => {
    const [x, y, z] = [dest('X'), dest('Y'), dest('Z')];
    const wrr = new WeightedRoundRobin([x, y, z]);
    expect(picks(2, () => wrr.pick([x, y, z]))).toBe('XY');
    wrr.deleted([x, y, z], x);
    expect(picks(2, () => wrr.pick([y, z]))).toBe('YZ');
  });
});
