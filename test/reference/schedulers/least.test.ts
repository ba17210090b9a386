import { describe, expect, it } from 'vitest';
import {
  leastConnections,
  neverQueue,
  shortestExpectedDelay,
  weightedLeastConnections,
} from '../../../src/reference/index.js';
import { dest } from './support.js';

describe('lc', () => {
  it('takes the fewest connections, whatever the weight', () => {
    expect(leastConnections([dest('A', 100, 2), dest('B', 1, 1), dest('C', 1, 3)])?.name).toBe('B');
  });

  it('counts an active connection as 256 inactive ones', () => {
    expect(leastConnections([dest('A', 1, 1), dest('B', 1, 0, 255)])?.name).toBe('B');
    expect(leastConnections([dest('A', 1, 1), dest('B', 1, 0, 257)])?.name).toBe('A');
  });

  it('lets the first win ties', () => {
    expect(leastConnections([dest('A', 1, 1), dest('B', 1, 0, 256)])?.name).toBe('A');
  });

  it('never takes weight 0 or an overloaded one', () => {
    const overloaded = { ...dest('B'), overloaded: true };
    expect(leastConnections([dest('A', 0), overloaded, dest('C', 1, 9)])?.name).toBe('C');
    expect(leastConnections([dest('A', 0), overloaded])).toBeUndefined();
    expect(leastConnections([])).toBeUndefined();
  });
});

describe('wlc', () => {
  it('takes the fewest connections for the weight', () => {
    expect(weightedLeastConnections([dest('A', 1, 2), dest('B', 3, 5)])?.name).toBe('B');
    expect(weightedLeastConnections([dest('A', 1, 2), dest('B', 3, 7)])?.name).toBe('A');
  });

  it('counts an active connection as 256 inactive ones', () => {
    expect(weightedLeastConnections([dest('A', 1, 1), dest('B', 1, 0, 255)])?.name).toBe('B');
    expect(weightedLeastConnections([dest('A', 1, 1), dest('B', 1, 0, 257)])?.name).toBe('A');
  });

  it('lets the first win ties', () => {
    expect(weightedLeastConnections([dest('A', 2, 2), dest('B', 1, 1)])?.name).toBe('A');
    expect(weightedLeastConnections([dest('A', 1, 0, 256), dest('B', 1, 1)])?.name).toBe('A');
  });

  it('never takes weight 0 or an overloaded one', () => {
    const overloaded = { ...dest('B'), overloaded: true };
    expect(weightedLeastConnections([dest('A', 0), overloaded, dest('C', 1, 9)])?.name).toBe('C');
    expect(weightedLeastConnections([dest('C', 1, 9), overloaded, dest('A', 0)])?.name).toBe('C');
    expect(weightedLeastConnections([dest('A', 0), overloaded])).toBeUndefined();
  });

  it('compares exactly', () => {
    const many = 2 ** 31;
    expect(weightedLeastConnections([dest('A', 65535, many), dest('B', 65535, many, -1)])?.name).toBe('B');
  });
});

describe('sed', () => {
  it('counts the connection to come', () => {
    // (1 + 1) / 1 against (4 + 1) / 3, then (5 + 1) / 3: a tie.
    expect(shortestExpectedDelay([dest('A', 1, 1), dest('B', 3, 4)])?.name).toBe('B');
    expect(shortestExpectedDelay([dest('A', 1, 1), dest('B', 3, 5)])?.name).toBe('A');
    // wlc would take the idle one.
    expect(shortestExpectedDelay([dest('A', 1), dest('B', 3, 1)])?.name).toBe('B');
  });

  it('does not count inactive connections', () => {
    expect(shortestExpectedDelay([dest('A', 1, 0, 1000), dest('B', 1, 0)])?.name).toBe('A');
  });

  it('never takes weight 0 or an overloaded one', () => {
    const overloaded = { ...dest('B'), overloaded: true };
    expect(shortestExpectedDelay([dest('A', 0), overloaded, dest('C', 1, 9)])?.name).toBe('C');
    expect(shortestExpectedDelay([dest('C', 1, 9), overloaded, dest('A', 0)])?.name).toBe('C');
    expect(shortestExpectedDelay([dest('A', 0), overloaded])).toBeUndefined();
  });
});

describe('nq', () => {
  it('takes the first idle one, however small its weight', () => {
    expect(neverQueue([dest('A', 9, 1), dest('B', 1, 0, 99), dest('C', 9)])?.name).toBe('B');
  });

  it('goes on as sed when none is idle', () => {
    expect(neverQueue([dest('A', 1, 1), dest('B', 3, 4)])?.name).toBe('B');
    expect(neverQueue([dest('A', 1, 1), dest('B', 3, 5)])?.name).toBe('A');
  });

  it('never takes weight 0 or an overloaded one, idle or not', () => {
    const overloaded = { ...dest('B'), overloaded: true };
    expect(neverQueue([dest('A', 0), overloaded, dest('C', 1, 9)])?.name).toBe('C');
    expect(neverQueue([dest('A', 0), overloaded])).toBeUndefined();
  });
});
