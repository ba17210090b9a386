/** Where a director of ours is not Linux 6.1 (docs/deviations.md): the defence. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SMALL_PLAN } from '../../support/core.js';
import { tcp } from '../../support/packets.js';
import { begin, CLIENT, director, end, fate, T0, VIP } from './lab.js';

beforeEach(begin);
afterEach(end);

describe('the defence', () => {
  const fill = (count: number, now = T0) => {
    for (let n = 0; n < count; n++)
      fate(tcp({ source: CLIENT, destination: VIP, sport: 1000 + n, dport: 80 }), 'cli', now);
  };

  test('what amemthresh is compared with: the free part of the table', () => {
    director.setSysctl({ secure_tcp: 1 });
    fill(SMALL_PLAN.connections * 0.75);
    director.advance(T0 + 1000);
    expect(director.getSysctl().secure_tcp).toBe(1);
    fill(SMALL_PLAN.connections * 0.75 + 1, T0 + 1000);
    director.advance(T0 + 2000);
    expect(director.getSysctl().secure_tcp).toBe(2);
  });

  test('what drop_entry looks at: a 32nd of the records', () => {
    director.setSysctl({ drop_entry: 3 });
    fill(SMALL_PLAN.connections);
    director.advance(T0 + 1000);
    const ended = Number(director.counters()['drop-entry']);
    expect(ended).toBeGreaterThan(0);
    expect(ended).toBeLessThanOrEqual(SMALL_PLAN.connections / 32);
  });

  test('when the defence looks: in each full second, and for up to 64 of them at once', () => {
    director.setSysctl({ drop_entry: 3 });
    director.setTimeouts({ tcp: 1_000_000 });
    fill(SMALL_PLAN.connections, T0 + 1);
    director.advance(T0 + 999);
    expect(director.counters()['drop-entry']).toBe(0n);
    director.advance(T0 + 50_000);
    expect(director.counters()['drop-entry']).toBeGreaterThan(30n);
  });
});
