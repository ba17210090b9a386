/**
 * rr: round robin.
 *
 * @module
 */
import { isUsable, type Scheduler, type SchedulerDest } from './scheduler.js';

/** rr: the next usable dest behind the last pick. */
export class RoundRobin<D extends SchedulerDest> implements Scheduler<D> {
  /** `undefined`: before the head of the list. */
  #last: D | undefined;

  pick(dests: readonly D[]): D | undefined {
    const at = this.#last === undefined ? -1 : dests.indexOf(this.#last);
    const dest = [...dests.slice(at + 1), ...dests.slice(0, at + 1)].find(isUsable);
    if (dest !== undefined) this.#last = dest;
    return dest;
  }

  /** When the last pick goes, its predecessor takes its place. */
  deleted(before: readonly D[], gone: D): void {
    if (gone === this.#last) this.#last = before[before.indexOf(gone) - 1];
  }
}
