/** Time: connections end when they are due, however the clock goes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { memoryFor, SMALL_PLAN } from '../support/core.js';
import { fromClient, lab, NETWORK, request, SERVERS } from '../support/lab.js';
import { ACK, SYN } from '../support/packets.js';
import { properties } from '../support/property.js';

const property = properties(import.meta.url);

/** A connection is gone at the latest a tick of the wheel after it was due. */
const LATENESS = 256;
const DAY = 86_400_000;
const YEAR = 365 * DAY;

const memory = memoryFor('release');
const ready = (): Director =>
  lab([{ address: SERVERS[0], method: 'dr' }], {
    memory,
    network: NETWORK,
    plan: { ...SMALL_PLAN, connections: 32 },
  });

const send = (director: Director, protocol: 'tcp' | 'udp', sport: number, now: number, flags = SYN): void => {
  director.send(fromClient(request(protocol, { sport, flags })), 'cli', now);
};

describe.each([
  ['the beginning of time', 0],
  ['today', 1_795_332_854_130],
  ['the moment at which 32 bits of milliseconds wrap', 2 ** 32 * 400 - 30_000],
  ['the moment at which 32 bits of ticks wrap', 2 ** 40 - 30_000],
])('at %s', (_, start) => {
  it.each([
    ['udp', 300],
    ['tcp', 60],
  ] as const)('a %s connection lives %i seconds, to the millisecond', (protocol, seconds) => {
    const director = ready();
    const due = start + seconds * 1000;
    send(director, protocol, 1000, start);
    expect(director.connections(due - 1)).toMatchObject([{ expires: 0.001 }]);
    director.advance(due - 1);
    expect(director.connectionCount).toBe(1);
    expect(director.connections(due)).toEqual([]);
    director.advance(due + LATENESS);
    expect(director.connectionCount).toBe(0);
  });

  it('every packet begins its time anew', () => {
    const director = ready();
    for (let i = 0; i < 10; i++) send(director, 'udp', 1000, start + i * 299_999);
    expect(director.connectionCount).toBe(1);
    expect(director.connections(start + 9 * 299_999)).toMatchObject([{ inPackets: 10, expires: 300 }]);
  });

  it('a packet one millisecond late finds no connection', () => {
    const director = ready();
    send(director, 'tcp', 1000, start);
    send(director, 'tcp', 1000, start + 60_000, ACK);
    expect(director.connections(start + 60_000)).toEqual([]);
    expect(director.counters()['not-opening']).toBe(1n);
  });
});

it.each([DAY, YEAR, 40 * YEAR, 250_000 * YEAR])('a jump of %i ms ends everything at once', (jump) => {
  const director = ready();
  for (let port = 1; port <= 20; port++) send(director, 'udp', port, 0);
  director.advance(jump);
  expect(director.connectionCount).toBe(0);
  send(director, 'udp', 7, jump);
  expect(director.connections(jump)).toMatchObject([{ expires: 300 }]);
});

it('a connection of 31 days outlives the longest step', () => {
  const director = ready();
  director.setTimeouts({ udp: 31 * 24 * 3600 });
  send(director, 'udp', 1, 0);
  director.advance(31 * DAY - 1);
  expect(director.connections(31 * DAY - 1)).toHaveLength(1);
  director.advance(31 * DAY + LATENESS);
  expect(director.connectionCount).toBe(0);
});

it('a clock that goes back counts as standing still', () => {
  const director = ready();
  send(director, 'udp', 1, 1_000_000);
  send(director, 'udp', 1, 10);
  director.advance(0);
  expect(director.connections(1_000_000)).toMatchObject([{ expires: 300, inPackets: 2 }]);
});

it.each([Number.NaN, -1, Number.POSITIVE_INFINITY, 2 ** 53])('%s is no time', (now) => {
  const director = ready();
  expect(() => director.advance(now)).toThrow(RangeError);
  expect(() => director.process(now)).toThrow(RangeError);
});

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ packet: fc.nat(11) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        wait: fc.oneof(
          fc.constantFrom(
            1,
            255,
            256,
            257,
            299_999,
            300_000,
            300_001,
            1_048_575,
            1_048_576,
            1_048_577,
            2 ** 31,
            2 ** 32,
            YEAR,
          ),
          fc.nat(400_000),
          fc.nat(2000),
        ),
      }),
    },
    { weight: 1, arbitrary: fc.record({ timeout: fc.constantFrom(1, 2, 299, 300, 4000, 2_678_400) }) },
  ),
  { maxLength: 60, size: 'max' },
);

property(
  'connections are there exactly as long as they should be',
  fc.property(fc.constantFrom(0, 1_795_332_854_130, 2 ** 32 * 7 - 1000, 2 ** 40 - 1000), steps, (start, life) => {
    const director = ready();
    /** Port to when it is due. */
    const due = new Map<number, number>();
    let now = start;
    let timeout = 300_000;
    for (const step of life) {
      if ('packet' in step) {
        send(director, 'udp', step.packet + 1, now);
        due.set(step.packet + 1, now + timeout);
      } else if ('timeout' in step) {
        director.setTimeouts({ udp: step.timeout });
        timeout = step.timeout * 1000;
      } else {
        now += step.wait;
        director.advance(now);
      }
      for (const [port, at] of due) if (at <= now) due.delete(port);
      const seen = director
        .connections(now)
        .map(({ clientPort, expires }) => [clientPort, now + Math.round(expires * 1000)]);
      expect(new Map(seen as [number, number][])).toEqual(new Map(due));
      expect(director.connectionCount).toBeGreaterThanOrEqual(due.size);
    }
    // A little later nothing that is due now is left, and nothing that is not due then is missing.
    director.advance(now + LATENESS);
    const left = director.connectionCount;
    expect(left).toBeGreaterThanOrEqual([...due.values()].filter((at) => at > now + LATENESS).length);
    expect(left).toBeLessThanOrEqual(due.size);
  }),
);
