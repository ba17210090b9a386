import { describe, expect, it } from 'vitest';
import { RoundRobin } from '../../../src/reference/index.js';
import { dest, type Named, picks } from './support.js';

describe('rr', () => {
  it('begins at the head and goes round', () => {
    const list = [dest('C'), dest('B'), dest('A')];
    const rr = new RoundRobin<Named>();
    expect(picks(7, () => rr.pick(list))).toBe('CBACBAC');
  });

  it('skips what is unusable, and picks the last one again when only that is left', () => {
    const list = [dest('C', 0), { ...dest('B'), overloaded: true }, dest('A')];
    const rr = new RoundRobin<Named>();
    expect(picks(3, () => rr.pick(list))).toBe('AAA');
    list[2]!.weight = 0;
    expect(picks(2, () => rr.pick(list))).toBe('--');
  });

  it('goes on in front of a deleted last pick', () => {
    const [c, b, a] = [dest('C'), dest('B'), dest('A')];
    const rr = new RoundRobin<Named>();
    expect(picks(2, () => rr.pick([c, b, a]))).toBe('CB');
    rr.deleted([c, b, a], b);
    expect(picks(3, () => rr.pick([c, a]))).toBe('ACA');
  });

  it('begins anew when the last pick was the head and is deleted', () => {
    const [b, a] = [dest('B'), dest('A')];
    const rr = new RoundRobin<Named>();
    expect(picks(1, () => rr.pick([b, a]))).toBe('B');
    rr.deleted([b, a], b);
    expect(picks(1, () => rr.pick([a]))).toBe('A');
  });

  it('does not mind a new head', () => {
    const [c, b, a] = [dest('C'), dest('B'), dest('A')];
    const rr = new RoundRobin<Named>();
    expect(picks(1, () => rr.pick([b, a]))).toBe('B');
    expect(picks(3, () => rr.pick([c, b, a]))).toBe('ACB');
  });
});
