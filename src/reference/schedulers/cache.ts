/**
 * What lblc and lblcr remember about destination addresses.
 *
 * @module
 */
import { type Address, familyOf } from '../packet/address.js';
import { fold, hash32 } from './hash.js';

const BUCKETS = 1024;

/** Entries above which idle ones go. */
const MANY = 16_384;

/** Milliseconds between two rounds, and how long an entry was not used that counts as idle. */
const ROUND = 60_000;
const IDLE = 360_000;

/** Rounds from one that looks for entries that have expired to the next, those not counted in which idle ones go. */
const ROUNDS = 30;

interface Entry<V> {
  address: Address;
  bucket: number;
  value: V;
  usedAt: number;
}

/** The bucket of an address; they matter only for which idle entries go first. */
export function cacheBucket(address: Address): number {
  return hash32(fold(address, familyOf(address)), 10);
}

/** Remembers something about each address. */
export class DestinationCache<V> {
  readonly #entries = new Map<Address, Entry<V>>();
  /** When the next round is; the first comes after the first time that is heard of. */
  #nextRound: number | undefined;
  /** Of the next round, 1..`ROUNDS`. */
  #round = 1;
  /** The bucket behind which the next search for idle entries begins. */
  #lastBucket = 0;

  /** What is remembered; that uses it. */
  use(address: Address, now: number): V | undefined {
    const entry = this.#entries.get(address);
    if (entry !== undefined) entry.usedAt = now;
    return entry?.value;
  }

  set(address: Address, value: V, now: number): void {
    this.#entries.set(address, { address, bucket: cacheBucket(address), value, usedAt: now });
  }

  values(): V[] {
    return [...this.#entries.values()].map((entry) => entry.value);
  }

  /** Does the rounds that are due at `now`; entries expire `expiration` milliseconds after their last use. */
  advance(now: number, expiration: number): void {
    this.#nextRound ??= now + ROUND;
    while (this.#nextRound <= now && this.#entries.size > 0) {
      this.#doRound(this.#nextRound, expiration);
      this.#nextRound += ROUND;
    }
    if (this.#nextRound > now) return;
    // With nothing to look at, rounds are only counted.
    const missed = Math.floor((now - this.#nextRound) / ROUND) + 1;
    this.#round = ((this.#round - 1 + missed) % ROUNDS) + 1;
    this.#nextRound += missed * ROUND;
  }

  #doRound(now: number, expiration: number): void {
    if (this.#round === ROUNDS) {
      for (const entry of this.#entries.values()) {
        if (now - entry.usedAt >= expiration) this.#entries.delete(entry.address);
      }
      this.#round = 1;
    } else if (this.#entries.size > MANY) this.#thinOut(now);
    else this.#round += 1;
  }

  /** Forgets idle entries, bucket by bucket, until there are few enough. */
  #thinOut(now: number): void {
    let surplus = Math.min(Math.floor(((this.#entries.size - MANY) * 4) / 3), MANY / 2);
    const order = ({ bucket }: Entry<V>): number => (bucket - this.#lastBucket - 1 + BUCKETS) % BUCKETS;
    const idle = [...this.#entries.values()].filter((entry) => now - entry.usedAt >= IDLE);
    idle.sort((a, b) => order(a) - order(b));
    for (const entry of idle) {
      // The bucket in which enough have gone is emptied all the same.
      if (surplus <= 0 && entry.bucket !== this.#lastBucket) break;
      this.#entries.delete(entry.address);
      surplus -= 1;
      if (surplus <= 0) this.#lastBucket = entry.bucket;
    }
  }
}
