/**
 * What a scheduler is, and what it sees.
 *
 * @module
 */
import type { Address } from '../packet/address.js';

/** What a scheduler sees of a dest. */
export interface SchedulerDest {
  address: Address;
  port: number;
  /** 0 takes no new connections. */
  weight: number;
  /** The last weight that was not 0; 0 if there was none since the dest was added. */
  lastWeight: number;
  /** At its upper threshold, and not yet below the lower one again. */
  overloaded: boolean;
  activeConnections: number;
  inactiveConnections: number;
  /** False from its deletion until it is added again. */
  available: boolean;
}

/** What a scheduler sees of the packet, and of the director at this time. */
export interface SchedulerKey {
  sourceAddress: Address;
  sourcePort: number;
  destinationAddress: Address;
  /** Milliseconds since the Unix epoch. */
  now: number;
  /** The next random number of the director, in 0..`below` - 1. */
  random(below: number): number;
}

/** A scheduler with its memory. `dests` is always the whole list, newest first. */
export interface Scheduler<D extends SchedulerDest> {
  /** The dest for a new connection. */
  pick(dests: readonly D[], key: SchedulerKey): D | undefined;
  /** A dest came, or one was edited. */
  changed?(dests: readonly D[]): void;
  /** `gone` was taken off the list; `before` is the list as it was. */
  deleted?(before: readonly D[], gone: D): void;
  /** It is `now`, in milliseconds; called before all else that happens then. */
  advance?(now: number): void;
  /** Whether it remembers `dest`, which may be deleted. */
  refersTo?(dest: D): boolean;
}

/** Whether a dest may be picked at all. */
export function isUsable(dest: SchedulerDest): boolean {
  return !dest.overloaded && dest.weight > 0;
}
