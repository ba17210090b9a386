/**
 * twos: the power of two random choices.
 *
 * @module
 */
import { isMoreFor, overhead } from './least.js';
import { isUsable, type SchedulerDest, type SchedulerKey } from './scheduler.js';

/** twos: draws two dests, likelier by weight, and takes the second one if it has less to do for its weight. */
export function twoChoices<D extends SchedulerDest>(dests: readonly D[], key: SchedulerKey): D | undefined {
  const usable = dests.filter(isUsable);
  if (usable.length === 0) return undefined;
  const sum = usable.reduce((total, dest) => total + dest.weight, 0);
  // 0..sum: 0 falls to the first, too.
  const first = at(usable, key.random(sum + 1));
  const second = at(usable, key.random(sum + 1));
  return isMoreFor(first, overhead(first), second, overhead(second)) ? second : first;
}

/** The dest in whose part of the sum of all weights `place` lies. */
function at<D extends SchedulerDest>(usable: readonly D[], place: number): D {
  let end = 0;
  return usable.find((dest) => {
    end += dest.weight;
    return place <= end;
  })!;
}
