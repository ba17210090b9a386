/**
 * lblcr: locality-based least connections with replication.
 *
 * @module
 */
import { DestinationCache } from './cache.js';
import { isOverburdened } from './lblc.js';
import { isMoreFor, overhead, weightedLeastConnections } from './least.js';
import type { Scheduler, SchedulerDest, SchedulerKey } from './scheduler.js';

/** The dests that serve one destination address. */
interface Replicas<D> {
  /** Newest first. */
  dests: D[];
  changedAt: number;
}

/** lblcr: the least busy of the dests that serve the destination address, which become more while that is too much for it. */
export class ReplicatedLeastConnections<D extends SchedulerDest> implements Scheduler<D> {
  readonly #cache = new DestinationCache<Replicas<D>>();
  readonly #expiration: () => number;

  /** @param expiration milliseconds after which an unused entry may be forgotten, and one that did not change shrinks */
  constructor(expiration: () => number) {
    this.#expiration = expiration;
  }

  pick(dests: readonly D[], { destinationAddress, now }: SchedulerKey): D | undefined {
    const replicas = this.#cache.use(destinationAddress, now);
    const least = weightedLeastConnections(replicas?.dests.filter((each) => each.available) ?? []);
    // After the choice: the one that leaves may be the one that was chosen.
    if (replicas !== undefined) this.#shrink(replicas, now);
    if (least !== undefined && !isOverburdened(least, dests)) return least;
    const dest = weightedLeastConnections(dests);
    if (dest === undefined) return undefined;
    if (replicas === undefined) this.#cache.set(destinationAddress, { dests: [dest], changedAt: now }, now);
    else if (!replicas.dests.includes(dest)) {
      replicas.dests = [dest, ...replicas.dests];
      replicas.changedAt = now;
    }
    return dest;
  }

  /** One of several that have not changed for long leaves: the busiest for its weight. */
  #shrink(replicas: Replicas<D>, now: number): void {
    if (replicas.dests.length < 2 || now - replicas.changedAt <= this.#expiration()) return;
    let busiest: D | undefined;
    for (const dest of replicas.dests.filter((each) => each.weight > 0)) {
      if (busiest === undefined || isMoreFor(dest, overhead(dest), busiest, overhead(busiest))) busiest = dest;
    }
    if (busiest === undefined) return;
    replicas.dests = replicas.dests.filter((each) => each !== busiest);
    replicas.changedAt = now;
  }

  advance(now: number): void {
    this.#cache.advance(now, this.#expiration());
  }

  refersTo(dest: D): boolean {
    return this.#cache.values().some((replicas) => replicas.dests.includes(dest));
  }
}
