/**
 * The schedulers' names and flags.
 *
 * @module
 */
import type { SchedulerFlag, SchedulerName } from './types.js';

/** The flags that each scheduler looks at, in ipvsadm's order. */
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

/** The bits of a service that a scheduler may look at, by the names that they have with every scheduler. */
export const NUMBERED_FLAGS: readonly SchedulerFlag[] = ['flag-1', 'flag-2', 'flag-3'];

/** All flags, in ipvsadm's order. */
export const SCHEDULER_FLAGS: readonly SchedulerFlag[] = [
  ...new Set([...Object.values(FLAGS).flat(), ...NUMBERED_FLAGS]),
];

/** The flags that a scheduler looks at, in ipvsadm's order; those of `mh` for `maglev`, too. */
export function flagsOf(scheduler: SchedulerName): readonly SchedulerFlag[] {
  return FLAGS[scheduler];
}

/** The names of the three bits with a scheduler: its own, where it looks at them. */
export function bitNamesOf(scheduler: SchedulerName): readonly SchedulerFlag[] {
  const own = FLAGS[scheduler];
  return [...own, ...NUMBERED_FLAGS.slice(own.length)];
}
