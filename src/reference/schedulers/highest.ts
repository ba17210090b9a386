/**
 * fo and ovf: the dest with the highest weight.
 *
 * @module
 */
import { isUsable, type SchedulerDest } from './scheduler.js';

/** fo: the highest weight; the first wins ties. */
export function failOver<D extends SchedulerDest>(dests: readonly D[]): D | undefined {
  const usable = dests.filter(isUsable);
  const highest = Math.max(...usable.map((dest) => dest.weight));
  return usable.find((dest) => dest.weight === highest);
}

/** ovf: the same among those whose active connections are not more than their weight. */
export function overflow<D extends SchedulerDest>(dests: readonly D[]): D | undefined {
  return failOver(dests.filter((dest) => dest.activeConnections <= dest.weight));
}
