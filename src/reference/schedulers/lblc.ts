/**
 * lblc: locality-based least connections.
 *
 * @module
 */
import { DestinationCache } from './cache.js';
import { weightedLeastConnections } from './least.js';
import type { Scheduler, SchedulerDest, SchedulerKey } from './scheduler.js';

/** Whether `dest` has more active connections than its weight while another one has less than half of its own. */
export function isOverburdened(dest: SchedulerDest, dests: readonly SchedulerDest[]): boolean {
  const isBusy = dest.activeConnections > dest.weight;
  return isBusy && dests.some((other) => other.activeConnections * 2 < other.weight);
}

/** lblc: the dest that was picked for the destination address last, while it will do; else as wlc. */
export class LocalityLeastConnections<D extends SchedulerDest> implements Scheduler<D> {
  readonly #cache = new DestinationCache<D>();
  readonly #expiration: () => number;

  /** @param expiration milliseconds after which an unused entry may be forgotten */
  constructor(expiration: () => number) {
    this.#expiration = expiration;
  }

  pick(dests: readonly D[], { destinationAddress, now }: SchedulerKey): D | undefined {
    const last = this.#cache.use(destinationAddress, now);
    if (last?.available === true && last.weight > 0 && !isOverburdened(last, dests)) return last;
    const dest = weightedLeastConnections(dests);
    if (dest !== undefined) this.#cache.set(destinationAddress, dest, now);
    return dest;
  }

  advance(now: number): void {
    this.#cache.advance(now, this.#expiration());
  }

  refersTo(dest: D): boolean {
    return this.#cache.values().includes(dest);
  }
}
