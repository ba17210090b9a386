/**
 * Whether a property has lived enough to mean something.
 *
 * @module
 */
import { expect } from 'vitest';
import type { ReasonName } from '../../src/reasons.js';
import type { Tally } from './twins.js';

/** Prints how often each reason was given; after 1000 lives all of `common` must be among them. */
export function expectSeen(name: string, tally: Tally, lives: number, common: readonly ReasonName[]): void {
  const lines = [...tally].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${count} × ${reason}`);
  console.log(`${name}: ${lines.join(', ')}`);
  // A property that failed, or the replay of one case, has not lived enough.
  if (lives < 1000) return;
  const seen = new Set([...tally.keys()].map((key) => key.split(' ').at(-1)));
  expect(common.filter((reason) => !seen.has(reason))).toEqual([]);
}
