/** What every scheduler must do, whatever else it does. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SchedulerFlag, SchedulerName } from '../../src/types.js';
import { BINARIES } from '../support/core.js';
import { properties } from '../support/property.js';
import { addDests, dest, KEY, picks, service } from './lab.js';

const property = properties(import.meta.url);

const SCHEDULERS: readonly (readonly [SchedulerName, readonly SchedulerFlag[]])[] = [
  ['rr', []],
  ['wrr', []],
  ['wlc', []],
  ['sh', []],
  ['sh', ['sh-port']],
  ['sh', ['sh-fallback']],
  ['sh', ['sh-fallback', 'sh-port']],
  ['mh', []],
  ['mh', ['mh-fallback', 'mh-port']],
  ['maglev', []],
  ['lc', []],
  ['sed', []],
  ['nq', []],
  ['fo', []],
  ['ovf', []],
  ['twos', []],
  ['dh', []],
  ['lblc', []],
  ['lblcr', []],
];

/** Those that give all usable dests their share of clients; the others go by the service's address, or take the first that will do. */
const SPREADING: readonly SchedulerName[] = ['rr', 'wrr', 'lc', 'wlc', 'sh', 'mh', 'maglev', 'sed', 'nq', 'twos'];

describe.each(SCHEDULERS)('%s %s', (scheduler, flags) => {
  /** Refuses rather than look further: the client's bucket is the client's. */
  const strict =
    scheduler === 'dh' || (['sh', 'mh', 'maglev'].includes(scheduler) && !flags.some((flag) => /fallback/.test(flag)));
  const spreads = SPREADING.includes(scheduler);
  /** What is above a dest's weight is for the next one. */
  const overflows = scheduler === 'ovf';
  /** All go to one dest, and lblc stays there even above its threshold, as in the kernel. */
  const byDestination = scheduler === 'dh' || scheduler === 'lblc';

  describe.each(BINARIES)('%s', (binary) => {
    it('picks nothing where there is nothing', () => {
      expect(picks(service(binary, scheduler, flags), 3)).toEqual(['no-dest', 'no-dest', 'no-dest']);
    });

    it('picks nothing of weight 0', () => {
      const director = service(binary, scheduler, flags);
      addDests(director, [0, 0, 0]);
      expect(new Set(picks(director, 20))).toEqual(new Set(['no-dest']));
    });

    if (!overflows) {
      it('picks the only dest, again and again', () => {
        const director = service(binary, scheduler, flags);
        addDests(director, [7]);
        expect(new Set(picks(director, 50))).toEqual(new Set([0]));
      });
    }

    it('picks only what is usable', () => {
      const director = service(binary, scheduler, flags);
      addDests(director, [0, 3, 0, 1, 0]);
      const seen = new Set(picks(director, 200));
      if (strict || overflows) seen.delete('no-dest');
      if (spreads) expect(seen).toEqual(new Set([1, 3]));
      else for (const one of seen) expect([1, 3]).toContain(one);
    });

    if (spreads) {
      it('goes by every usable dest', () => {
        const director = service(binary, scheduler, flags);
        addDests(director, [1, 2, 3, 4]);
        expect(new Set(picks(director, 256))).toEqual(new Set([0, 1, 2, 3]));
      });
    }

    if (!byDestination) {
      it('leaves an overloaded dest alone until it is open again', () => {
        const director = service(binary, scheduler, flags);
        director.addDest(KEY, dest(0, { weight: 5, upperThreshold: 4 }));
        director.addDest(KEY, dest(1));
        const seen = picks(director, 200);
        expect(seen.filter((n) => n === 0)).toHaveLength(4);
        director.advance(61_000);
        expect(picks(director, 50, 200, 61_000)).toContain(0);
      });
    }

    it('is the same every time', () => {
      const run = (): unknown => {
        const director = service(binary, scheduler, flags);
        addDests(director, [3, 1, 2]);
        const first = picks(director, 40);
        director.editDest(KEY, dest(1, { weight: 4 }));
        director.deleteDest(KEY, dest(0));
        return [first, picks(director, 40, 40)];
      };
      expect(run()).toEqual(run());
    });

    it('forgets a deleted dest', () => {
      const director = service(binary, scheduler, flags);
      addDests(director, [1, 1, 1]);
      picks(director, 2);
      for (const [turn, n] of [1, 0].entries()) {
        director.deleteDest(KEY, dest(n));
        const seen = new Set(picks(director, 40, 10 + turn * 40));
        const left = turn === 0 ? [0, 2] : [2];
        if (spreads) expect(seen).toEqual(new Set(left));
        else for (const one of seen) expect([...left, 'no-dest']).toContain(one);
      }
      director.deleteDest(KEY, dest(2));
      expect(new Set(picks(director, 3, 200))).toEqual(new Set(['no-dest']));
    });
  });

  property(
    `picks a usable dest whenever it may (${scheduler} ${flags})`,
    fc.property(
      fc.constantFrom(...BINARIES),
      fc.array(fc.constantFrom(0, 0, 1, 2, 3, 10, 300, 65_535), { maxLength: 12 }),
      (binary, weights) => {
        const director = service(binary, scheduler, flags);
        addDests(director, weights);
        const usable = weights.flatMap((weight, n) => (weight > 0 ? [n] : []));
        for (const picked of picks(director, 12)) {
          if (typeof picked === 'number') expect(usable).toContain(picked);
          else if (!overflows && (!strict || weights.every((weight) => weight > 0))) expect(usable).toEqual([]);
        }
      },
    ),
  );
});
