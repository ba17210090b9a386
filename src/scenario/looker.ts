/**
 * Looks at a director's state while a scenario is replayed, at the times when the captured director was looked at.
 *
 * @module
 */
import type { IpvsadmTarget } from '../rules/program.js';
import { isOfCounters, listingDifferences, listingOf } from './compare-listings.js';
import { stateDifferences } from './compare-states.js';
import type { Look } from './listings.js';

/**
 * For how long the kernel lists counters that it has summed up before, ms: its estimator reads them every two seconds, but not
 * those of a dest that is deleted then, and comes back.
 */
const COUNTERS_LAG = 4100;
/** Words of the listing of counters that scenarios have. */
const COUNTERS = ['-Ln', '--stats', '--exact'];

/** What was looked at. */
export class Looker {
  readonly #target: IpvsadmTarget;
  readonly #own: ReadonlySet<string>;
  /** When counters are listed, ms. */
  readonly #times: readonly number[];
  /** Counters as they were before a step, and until when they were so. */
  #before: { until: number; text: string }[] = [];
  /** When the last step was, ms: a listing was made between that and the time that is noted for it. */
  #last = 0;
  looked = 0;
  readonly differences: string[] = [];

  /** @param own the director's addresses */
  constructor(
    target: IpvsadmTarget,
    own: ReadonlySet<string>,
    looks: readonly Look[],
    milliseconds: (time: bigint) => number,
  ) {
    this.#target = target;
    this.#own = own;
    this.#times = looks.filter(isOfCounters).map(({ time }) => milliseconds(time));
  }

  /** Something is about to happen at `now` (ms): keeps the counters that a later listing may still show. */
  step(now: number): void {
    this.#last = now;
    if (!this.#times.some((time) => time >= now && time - now <= COUNTERS_LAG)) return;
    this.#before.push({ until: now, text: listingOf(COUNTERS, this.#target, now) });
  }

  /** Compares one listing that was made up to `now` (ms). */
  look(look: Look, now: number, advance: () => void): void {
    if (this.#servesItself()) return;
    this.looked++;
    if (!('argv' in look)) {
      // It was looked at between the packet and what came next.
      if (stateDifferences(look, this.#target, this.#last).length === 0) return;
      advance();
      this.differences.push(...stateDifferences(look, this.#target, now));
      return;
    }
    const earlier = listingOf(look.argv, this.#target, this.#last);
    advance();
    const before = this.#before.filter(({ until }) => now - until <= COUNTERS_LAG).map(({ text }) => text);
    const got = listingOf(look.argv, this.#target, now);
    this.differences.push(...listingDifferences(look, got, earlier, before, this.#isNat()));
  }

  #isNat(): boolean {
    return this.#target.services().every(({ dests }) => dests.every(({ method }) => method === 'nat'));
  }

  /** The replies of a server on the director itself, and the connections of clients there, are in no capture. */
  #servesItself(): boolean {
    return this.#target.services().some(({ dests }) => dests.some(({ address }) => this.#own.has(address)));
  }
}
