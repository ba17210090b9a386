import { describe, expect, it } from 'vitest';
import { failOver, overflow } from '../../../src/reference/index.js';
import { dest } from './support.js';

describe('fo', () => {
  it('takes the highest weight, however busy; the first wins ties', () => {
    expect(failOver([dest('A', 1), dest('B', 3, 99), dest('C', 3)])?.name).toBe('B');
  });

  it('never takes weight 0 or an overloaded one', () => {
    const overloaded = { ...dest('B', 9), overloaded: true };
    expect(failOver([dest('A', 0), overloaded, dest('C', 1)])?.name).toBe('C');
    expect(failOver([dest('A', 0), overloaded])).toBeUndefined();
    expect(failOver([])).toBeUndefined();
  });
});

describe('ovf', () => {
  it('takes the highest weight while its active connections are not more than that', () => {
    expect(overflow([dest('A', 1), dest('B', 3, 3), dest('C', 2)])?.name).toBe('B');
    expect(overflow([dest('A', 1), dest('B', 3, 4), dest('C', 2)])?.name).toBe('C');
    expect(overflow([dest('A', 1), dest('B', 3, 4), dest('C', 2, 3)])?.name).toBe('A');
    expect(overflow([dest('A', 1, 2), dest('B', 3, 4), dest('C', 2, 3)])).toBeUndefined();
  });

  it('does not count inactive connections; the first wins ties', () => {
    expect(overflow([dest('A', 1), dest('B', 2, 0, 99), dest('C', 2)])?.name).toBe('B');
  });

  it('never takes weight 0 or an overloaded one', () => {
    const overloaded = { ...dest('B', 9), overloaded: true };
    expect(overflow([dest('A', 0), overloaded])).toBeUndefined();
  });
});
