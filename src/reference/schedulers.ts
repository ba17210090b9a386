/**
 * The schedulers. Each gets the dests of a service in list order, newest first, and picks one or none.
 *
 * @module
 */

import type { Address } from './packet/address.js';

/** What a scheduler sees of a dest. */
export interface SchedulerDest {
  /** 0 takes no new connections. */
  weight: number;
  /** At its upper threshold, and not yet below the lower one again. */
  overloaded: boolean;
  activeConnections: number;
  inactiveConnections: number;
}

/** What a scheduler sees of the packet. */
export interface SchedulerKey {
  sourceAddress: Address;
  sourcePort: number;
}

/** A scheduler with its memory. `dests` is always the whole list, newest first. */
export interface Scheduler<D extends SchedulerDest> {
  /** The dest for a new connection. */
  pick(dests: readonly D[], key: SchedulerKey): D | undefined;
  /** A dest came, or one was edited. */
  changed(dests: readonly D[]): void;
  /** `gone` was taken off the list; `before` is the list as it was. */
  deleted(before: readonly D[], gone: D): void;
}

/** Whether a dest may be picked at all. */
export function isUsable(dest: SchedulerDest): boolean {
  return !dest.overloaded && dest.weight > 0;
}

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

  changed(): void {}

  /** When the last pick goes, its predecessor takes its place. */
  deleted(before: readonly D[], gone: D): void {
    if (gone === this.#last) this.#last = before[before.indexOf(gone) - 1];
  }
}

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

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** wlc: the fewest connections for its weight, an active one counting as 256 inactive ones; the first wins ties. */
export function weightedLeastConnections<D extends SchedulerDest>(dests: readonly D[]): D | undefined {
  let best = dests.find(isUsable);
  for (const dest of dests) {
    if (best === undefined || dest.overloaded) continue;
    // overhead / weight is compared by cross products, so a weight of 0 never wins.
    if (BigInt(overhead(best)) * BigInt(dest.weight) > BigInt(overhead(dest)) * BigInt(best.weight)) best = dest;
  }
  return best;
}

function overhead(dest: SchedulerDest): number {
  return dest.activeConnections * 256 + dest.inactiveConnections;
}

const BUCKETS = 256;

/** sh: the bucket of a client, by multiplicative hashing with 2^32 divided by the golden ratio squared. */
export function sourceHashBucket(address: Address, port: number): number {
  return Number((((folded(address) + BigInt(port)) * 0x61c88647n) % 2n ** 32n) >> 24n);
}

/** An IPv6 address counts as the exclusive or of its four words. */
function folded(address: Address): bigint {
  if (typeof address === 'number') return BigInt(address);
  return [0n, 32n, 64n, 96n].reduce((word, shift) => word ^ ((address >> shift) & 0xffffffffn), 0n);
}

/** sh: the dests over the buckets, each as often in a row as its weight (0 counts as 1), and again from the head. */
export function sourceHashTable<D extends SchedulerDest>(dests: readonly D[]): D[] {
  const round = dests.flatMap((dest) => new Array<D>(Math.min(Math.max(dest.weight, 1), BUCKETS)).fill(dest));
  return round.length === 0 ? [] : Array.from({ length: BUCKETS }, (_, bucket) => round[bucket % round.length]!);
}

/**
 * sh: the dest in the client's bucket.
 *
 * @param withPort `sh-port`: the source port counts, too
 * @param fallback `sh-fallback`: instead of an unusable dest take the first usable one of the buckets that follow
 */
export function sourceHash<D extends SchedulerDest>(
  dests: readonly D[],
  key: SchedulerKey,
  withPort: boolean,
  fallback: boolean,
): D | undefined {
  const table = sourceHashTable(dests);
  const first = sourceHashBucket(key.sourceAddress, withPort ? key.sourcePort : 0);
  const candidates = [table[first]];
  if (fallback) {
    for (let i = 0; i < BUCKETS; i++) candidates.push(table[(first + ((first + i) % BUCKETS)) % BUCKETS]);
  }
  return candidates.find((dest) => dest !== undefined && isUsable(dest));
}

/** The scheduler of that name for a list of dests. */
export function createScheduler<D extends SchedulerDest>(
  name: 'rr' | 'wrr' | 'wlc' | 'sh',
  dests: readonly D[],
  flags: () => readonly string[],
): Scheduler<D> {
  if (name === 'rr') return new RoundRobin<D>();
  if (name === 'wrr') return new WeightedRoundRobin<D>(dests);
  const stateless = { changed(): void {}, deleted(): void {} };
  if (name === 'wlc') return { ...stateless, pick: weightedLeastConnections };
  return {
    ...stateless,
    pick: (list, key) => sourceHash(list, key, flags().includes('sh-port'), flags().includes('sh-fallback')),
  };
}
