/**
 * lc, wlc, sed and nq: the dest with the least to do.
 *
 * @module
 */
import { isUsable, type SchedulerDest } from './scheduler.js';

/** An active connection counts as 256 inactive ones. */
export function overhead(dest: SchedulerDest): number {
  return dest.activeConnections * 256 + dest.inactiveConnections;
}

/** Whether `a` of `first` is more for its weight than `b` of `second`; by cross products, for weights of 0. */
export function isMoreFor(first: SchedulerDest, a: number, second: SchedulerDest, b: number): boolean {
  return BigInt(a) * BigInt(second.weight) > BigInt(b) * BigInt(first.weight);
}

/** lc: the fewest connections; the first wins ties. */
export function leastConnections<D extends SchedulerDest>(dests: readonly D[]): D | undefined {
  const usable = dests.filter(isUsable);
  const fewest = Math.min(...usable.map(overhead));
  return usable.find((dest) => overhead(dest) === fewest);
}

/** wlc: the fewest connections for its weight; the first wins ties. */
export function weightedLeastConnections<D extends SchedulerDest>(dests: readonly D[]): D | undefined {
  return leastForWeight(dests, overhead);
}

/** sed: the shortest wait for its weight, as if the connection were there already; inactive ones count nothing. */
export function shortestExpectedDelay<D extends SchedulerDest>(dests: readonly D[]): D | undefined {
  return leastForWeight(dests, (dest) => dest.activeConnections + 1);
}

/** nq: the first that is idle, else as sed. */
export function neverQueue<D extends SchedulerDest>(dests: readonly D[]): D | undefined {
  const idle = dests.find((dest) => isUsable(dest) && dest.activeConnections === 0);
  return idle ?? shortestExpectedDelay(dests);
}

function leastForWeight<D extends SchedulerDest>(dests: readonly D[], cost: (dest: D) => number): D | undefined {
  let best: D | undefined;
  for (const dest of dests.filter(isUsable)) {
    if (best === undefined || isMoreFor(best, cost(best), dest, cost(dest))) best = dest;
  }
  return best;
}
