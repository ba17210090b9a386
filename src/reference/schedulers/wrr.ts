/**
 * wrr: weighted round robin.
 *
 * @module
 */
import { greatestCommonDivisor } from './divisor.js';
import { isUsable, type Scheduler, type SchedulerDest } from './scheduler.js';

/** wrr: walks over the list at falling weight levels, and takes every dest whose weight reaches the level. */
export class WeightedRoundRobin<D extends SchedulerDest> implements Scheduler<D> {
  #last: D | undefined;
  /** The present level; the highest one; the step between two. */
  #level = 0;
  #top = 0;
  #step = 1;

  constructor(dests: readonly D[] = []) {
    this.#measure(dests);
    this.#level = this.#top;
  }

  pick(dests: readonly D[]): D | undefined {
    if (!dests.some(isUsable)) {
      // The walk comes by every dest at every level in vain and rests at the head, at the top level. One that
      // began within the lowest level comes back to where it began, and rests there.
      if (this.#top > 0 && (this.#last === undefined || this.#level > this.#step)) {
        this.#last = undefined;
        this.#level = this.#top;
      }
      return undefined;
    }
    let ahead = this.#last === undefined ? dests : dests.slice(dests.indexOf(this.#last) + 1);
    for (;;) {
      const dest = ahead.find((each) => !each.overloaded && each.weight >= this.#level);
      if (dest !== undefined) {
        this.#last = dest;
        return dest;
      }
      ahead = dests;
      this.#level -= this.#step;
      if (this.#level <= 0) this.#level = this.#top;
    }
  }

  changed(dests: readonly D[]): void {
    this.#last = undefined;
    this.#measure(dests);
    if (this.#level > this.#top || this.#level === 0) this.#level = this.#top;
    else if (this.#step > 1) this.#level = Math.floor(this.#level / this.#step) * this.#step + 1;
  }

  deleted(before: readonly D[], gone: D): void {
    this.changed(before.filter((dest) => dest !== gone));
  }

  #measure(dests: readonly D[]): void {
    const weights = dests.map((dest) => dest.weight);
    this.#step = weights.reduce(greatestCommonDivisor, 0) || 1;
    this.#top = Math.max(0, ...weights) - (this.#step - 1);
  }
}
