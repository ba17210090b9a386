import { describe, expect, test } from 'vitest';
import type { Io } from '../../src/cli/io.js';
import { grouped, Progress, progressLine } from '../../src/cli/progress.js';

function setUp(interactive: boolean): { progress: Progress; said: string[]; pass(ms: number): void } {
  const said: string[] = [];
  let now = 0;
  const io: Io = {
    out: () => {},
    err: (text) => said.push(text),
    color: false,
    interactive,
    stop: new AbortController().signal,
  };
  return {
    progress: new Progress(io, () => now),
    said,
    pass: (ms) => {
      now += ms;
    },
  };
}

describe('Progress', () => {
  test('draws at most every 100 ms, and removes its line', () => {
    const { progress, said, pass } = setUp(true);
    progress.update(1, 4, 1);
    expect(said).toEqual([]);
    pass(100);
    progress.update(1, 4, 1);
    progress.update(2, 4, 2);
    expect(said).toHaveLength(1);
    expect(said[0]).toBe(`\r\x1b[K[${'#'.repeat(8)}${'.'.repeat(22)}]  25%  0.0 MB of 0.0 MB  1 packets`);
    progress.end();
    expect(said[1]).toBe('\r\x1b[K');
    progress.end();
    expect(said).toHaveLength(2);
  });

  test('is silent where there is no terminal', () => {
    const { progress, said, pass } = setUp(false);
    pass(1000);
    progress.update(1, 4, 1);
    progress.end();
    expect(said).toEqual([]);
  });
});

describe('progressLine', () => {
  test('has no bar when the size is not known', () => {
    expect(progressLine(2_500_000, 0, 1234)).toBe('2.5 MB 1 234 packets');
  });

  test('is full at the end, and no longer than a line', () => {
    const line = progressLine(76e6, 76e6, 1_000_000);
    expect(line).toBe(`[${'#'.repeat(30)}] 100%  76.0 MB of 76.0 MB  1 000 000 packets`);
    expect(line.length).toBeLessThan(80);
  });
});

test('grouped', () => {
  expect([0, 999, 1000, 1234567].map(grouped)).toEqual(['0', '999', '1 000', '1 234 567']);
  expect(grouped(10n ** 6n)).toBe('1 000 000');
});
