/**
 * The schedulers' names and flags.
 *
 * @module
 */
import type { SchedulerFlag, SchedulerName } from './types.js';

/** The flags that each scheduler has, in ipvsadm's order. */
const FLAGS: Readonly<Record<SchedulerName, readonly SchedulerFlag[]>> = {
  rr: [],
  wrr: [],
  lc: [],
  wlc: [],
  lblc: [],
  lblcr: [],
  dh: [],
  sh: ['sh-fallback', 'sh-port'],
  mh: ['mh-fallback', 'mh-port'],
  maglev: ['mh-fallback', 'mh-port'],
  sed: [],
  nq: [],
  fo: [],
  ovf: [],
  twos: [],
};

/** All schedulers. */
export const SCHEDULER_NAMES = Object.keys(FLAGS) as readonly SchedulerName[];

/** All flags, in ipvsadm's order. */
export const SCHEDULER_FLAGS: readonly SchedulerFlag[] = [...new Set(Object.values(FLAGS).flat())];

/** The flags that a scheduler has, in ipvsadm's order; those of `mh` for `maglev`, too. */
export function flagsOf(scheduler: SchedulerName): readonly SchedulerFlag[] {
  return FLAGS[scheduler];
}
