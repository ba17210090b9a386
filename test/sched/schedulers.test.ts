/** What each scheduler does of its own: the figures of the kernel, and of its captures. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { surroundings } from '../../src/scenario/commands.js';
import { applyEvent, eventsOf, parseScenario } from '../../src/scenario/events.js';
import { BINARIES, createDirector } from '../support/core.js';
import { picks as kernelPicks } from '../support/fixtures.js';
import { ACK, FIN, RST, SYN, tcp } from '../support/packets.js';
import { addDests, dest, KEY, pick, picks, service } from './lab.js';

const SCENARIOS = [
  'sched-rr',
  'sched-wrr',
  'sched-lc',
  'sched-wlc',
  'sched-nq',
  'sched-fo',
  'sched-sh',
  'sched-sh-port',
  'sched-sh-fallback',
  'sched-mh',
  'sched-mh-port',
  'sched-mh-port-fallback',
];
const FLAGS: Record<string, number> = { S: SYN, A: ACK, F: FIN, R: RST };

/** How many of each. */
function tally(list: readonly (number | string)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const each of list) counts[each] = (counts[each] ?? 0) + 1;
  return counts;
}

describe.each(BINARIES)('%s', (binary) => {
  describe.each(SCENARIOS)('%s', (scenario) => {
    it('picks what the kernel picked', () => {
      const network = {
        interfaces: [
          { name: 'cli', kind: 'raw', addresses: ['10.0.0.1/24', '10.0.0.100/32'] },
          { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/24'] },
        ],
        routes: [{ dst: '10.9.0.0/16', dev: 'cli' }],
      } as const;
      const director = createDirector(binary, { network, plan: { connections: 1024, arenaBytes: 65_536 } });
      const file = new URL(`../fixtures/kernel/${scenario}/scenario.json`, import.meta.url);
      const events = eventsOf(parseScenario(readFileSync(file, 'utf8')));
      const around = surroundings(network);
      const expected: (number | null)[] = [];
      const seen: (number | null)[] = [];
      for (const { t_ns, src: source, sport, dst: destination, dport, what, rs } of kernelPicks(scenario)) {
        while (events[0] !== undefined && events[0].time <= t_ns) {
          applyEvent(director, events.shift() as (typeof events)[number], around);
        }
        const flags = [...what].reduce((sum, letter) => sum | (FLAGS[letter] ?? 0), 0);
        const [outcome] = director.send(
          tcp({ source, destination, sport, dport, flags }),
          'cli',
          Number(t_ns / 1_000_000n),
        );
        const server = outcome?.connection?.destAddress.split('.')[3];
        seen.push(server === undefined ? null : Number(server) - 20);
        expected.push(rs);
      }
      expect(expected.filter((rs) => rs !== null).length).toBeGreaterThan(100);
      expect(seen).toEqual(expected);
    });
  });

  describe('rr', () => {
    it('begins with the dest added last and goes back to the one before', () => {
      const director = service(binary, 'rr');
      addDests(director, [1, 1, 1]);
      expect(picks(director, 7)).toEqual([2, 1, 0, 2, 1, 0, 2]);
    });

    it('goes on where it was when dests come, change and go', () => {
      const director = service(binary, 'rr');
      addDests(director, [1, 1, 1]);
      expect(picks(director, 2)).toEqual([2, 1]);
      director.addDest(KEY, dest(3));
      director.editDest(KEY, dest(2, { weight: 9 }));
      expect(picks(director, 3, 10)).toEqual([0, 3, 2]);
      // The one last picked goes: on with the one behind it.
      director.deleteDest(KEY, dest(2));
      expect(picks(director, 3, 20)).toEqual([1, 0, 3]);
      // The one last picked is the head and goes.
      director.deleteDest(KEY, dest(3));
      expect(picks(director, 2, 30)).toEqual([1, 0]);
    });

    it('gives all the same share', () => {
      const director = service(binary, 'rr');
      addDests(director, [1, 5, 100]);
      expect(tally(picks(director, 150))).toEqual({ 0: 50, 1: 50, 2: 50 });
    });
  });

  describe('wrr', () => {
    it('A4 B3 C2, built one by one: C B A, then A, B A, C B A and again', () => {
      const director = service(binary, 'wrr');
      addDests(director, [4, 3, 2]);
      const letters = picks(director, 21).map((n) => 'ABC'[n as number]);
      expect(letters.join('')).toBe('CBAABACBACBAABACBACBA');
    });

    it('A4 B3 C2, when the scheduler is set last: from the heaviest on', () => {
      const director = service(binary, 'rr');
      addDests(director, [4, 3, 2]);
      director.editService({ ...KEY, scheduler: 'wrr' });
      const letters = picks(director, 18).map((n) => 'ABC'[n as number]);
      expect(letters.join('')).toBe('ABACBACBAABACBACBA'.slice(0, 18));
    });

    it.each([[[4, 3, 2]], [[1, 2, 3]], [[10, 20, 30]], [[7, 0, 2]], [[5, 5, 5, 1]]])(
      '%j: shares over a cycle are the weights',
      (weights) => {
        const director = service(binary, 'wrr');
        addDests(director, weights);
        const divisor = weights.reduce(function gcd(a: number, b: number): number {
          return b === 0 ? a : gcd(b, a % b);
        });
        const cycle = weights.reduce((sum, weight) => sum + weight, 0) / divisor;
        // What it was built with counts on to the end of the first round.
        picks(director, cycle);
        const shares = tally(picks(director, cycle * 3, 100));
        expect(shares).toEqual(
          Object.fromEntries(weights.flatMap((weight, n) => (weight === 0 ? [] : [[n, (weight / divisor) * 3]]))),
        );
      },
    );
  });

  describe('wlc', () => {
    it('gives ties to the earlier in the list', () => {
      const director = service(binary, 'wlc');
      addDests(director, [1, 1, 1]);
      expect(picks(director, 6)).toEqual([2, 1, 0, 2, 1, 0]);
      director.addDest(KEY, dest(3, { weight: 2 }));
      expect(picks(director, 4, 10)).toEqual([3, 3, 3, 3]);
      // 4 by weight 2 is 2 by weight 1.
      expect(pick(director, '192.0.2.50')).toBe(3);
    });

    it('an active connection weighs as much as 256 inactive ones', () => {
      const director = service(binary, 'wlc');
      addDests(director, [1, 1]);
      expect(picks(director, 1)).toEqual([1]);
      // Dest 0 gets connections, each of them reset at once: they stay, inactive.
      for (let i = 0; i < 256; i++) {
        expect(pick(director, '198.51.100.1', 1000 + i)).toBe(0);
        director.send(
          tcp({ source: '198.51.100.1', destination: KEY.address, sport: 1000 + i, dport: 80, flags: ACK }),
          'cli',
          0,
        );
        director.send(
          tcp({ source: '198.51.100.1', destination: KEY.address, sport: 1000 + i, dport: 80, flags: RST }),
          'cli',
          0,
        );
      }
      expect(pick(director, '198.51.100.2'), '256 = 1 × 256: the earlier').toBe(1);
      expect(pick(director, '198.51.100.3')).toBe(0);
    });

    it('has no trouble with the largest weights', () => {
      const director = service(binary, 'wlc');
      addDests(director, [65_535, 65_534]);
      expect(tally(picks(director, 100))).toEqual({ 0: 50, 1: 50 });
    });
  });

  describe('sh', () => {
    const CLIENTS = ['10.0.0.2', '10.0.0.3', '192.0.2.1', '203.0.113.77'];

    it.each([
      ['by address', [], [137, 235, 50, 57]],
      ['by address and port 40000', ['sh-port'], [45, 143, 214, 221]],
    ] as const)('finds the kernel’s bucket %s', (_, flags, expected) => {
      const director = service(binary, 'sh', flags);
      // With 256 dests of weight 1, bucket i is the i-th of the list: the i-th from the end of those added.
      addDests(director, new Array(256).fill(1));
      expect(CLIENTS.map((client) => 255 - (pick(director, client, 40_000) as number))).toEqual(expected);
    });

    it('a client stays with its server, by any port', () => {
      const director = service(binary, 'sh');
      addDests(director, [1, 2, 3]);
      const first = pick(director, '192.0.2.7', 1000);
      for (let port = 1001; port < 1040; port++) expect(pick(director, '192.0.2.7', port)).toBe(first);
    });

    it('with sh-port, ports go to different servers, and each to its own', () => {
      const director = service(binary, 'sh', ['sh-port']);
      addDests(director, [1, 2, 3]);
      const first = Array.from({ length: 40 }, (_, i) => pick(director, '192.0.2.7', i + 1000));
      expect(new Set(first).size).toBe(3);
      director.advance(1e9);
      expect(Array.from({ length: 40 }, (_, i) => pick(director, '192.0.2.7', i + 1000, 1e9))).toEqual(first);
    });

    it('refuses the clients of an unusable server; with sh-fallback they go to another, the rest stays', () => {
      const strict = service(binary, 'sh');
      addDests(strict, [1, 1, 1]);
      const before = picks(strict, 60);
      strict.editDest(KEY, dest(1, { weight: 0 }));
      strict.advance(1e9);
      const refused = picks(strict, 60, 0, 1e9);
      expect(refused).toEqual(before.map((n) => (n === 1 ? 'no-dest' : n)));
      strict.editService({ ...KEY, scheduler: 'sh', flags: ['sh-fallback'] });
      const fallen = picks(strict, 60, 0, 1e9);
      expect(fallen).toEqual(before.map((n, i) => (n === 1 ? fallen[i] : n)));
      expect(new Set(fallen)).toEqual(new Set([0, 2]));
    });
  });
});
