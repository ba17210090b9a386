/**
 * The schedulers. Each gets the dests of a service in list order, newest first, and picks one or none.
 *
 * @module
 */
import type { Family } from '../packet/address.js';
import type { ReferenceFlag, ReferenceScheduler } from '../types.js';
import { destinationHash } from './dh.js';
import { failOver, overflow } from './highest.js';
import { LocalityLeastConnections } from './lblc.js';
import { ReplicatedLeastConnections } from './lblcr.js';
import { leastConnections, neverQueue, shortestExpectedDelay, weightedLeastConnections } from './least.js';
import { MAGLEV_SLOTS, Maglev, MH_SLOTS } from './mh.js';
import { RoundRobin } from './rr.js';
import type { Scheduler, SchedulerDest } from './scheduler.js';
import { sourceHash } from './sh.js';
import { twoChoices } from './twos.js';
import { WeightedRoundRobin } from './wrr.js';

export type { Scheduler, SchedulerDest } from './scheduler.js';

/** What a scheduler goes by beside dests and packets, as it stands at the time. */
export interface SchedulerSettings {
  /** Of the service. */
  family: Family;
  flags(): readonly ReferenceFlag[];
  /** Seconds of the switch `lblc_expiration` or `lblcr_expiration`. */
  expiration(name: 'lblc' | 'lblcr'): number;
}

/** The scheduler of that name for a service that has `dests`. */
export function createScheduler<D extends SchedulerDest>(
  name: ReferenceScheduler,
  dests: readonly D[],
  settings: SchedulerSettings,
): Scheduler<D> {
  const has = (flag: ReferenceFlag): boolean => settings.flags().includes(flag);
  switch (name) {
    case 'rr':
      return new RoundRobin<D>();
    case 'wrr':
      return new WeightedRoundRobin<D>(dests);
    case 'lc':
      return { pick: leastConnections };
    case 'wlc':
      return { pick: weightedLeastConnections };
    case 'sed':
      return { pick: shortestExpectedDelay };
    case 'nq':
      return { pick: neverQueue };
    case 'fo':
      return { pick: failOver };
    case 'ovf':
      return { pick: overflow };
    case 'twos':
      return { pick: twoChoices };
    case 'sh':
      return { pick: (list, key) => sourceHash(list, key, has('sh-port'), has('sh-fallback')) };
    case 'dh':
      return { pick: destinationHash };
    case 'mh':
      return new Maglev<D>(MH_SLOTS, settings.family, settings.flags);
    case 'maglev':
      return new Maglev<D>(MAGLEV_SLOTS, settings.family, settings.flags);
    case 'lblc':
      return new LocalityLeastConnections<D>(() => settings.expiration('lblc') * 1000);
    case 'lblcr':
      return new ReplicatedLeastConnections<D>(() => settings.expiration('lblcr') * 1000);
  }
}
