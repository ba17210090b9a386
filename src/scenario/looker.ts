/**
 * Looks at a director's state while a scenario is replayed, at the times when the captured director was looked at.
 *
 * @module
 */
import type { IpvsadmTarget } from '../rules/program.js';
import type { Counters } from './compare-counters.js';
import { isOfCounters, linesOf, listingDifferences, listingOf } from './compare-listings.js';
import { stateDifferences } from './compare-states.js';
import type { Look } from './listings.js';

/** Words of the listing of counters that scenarios have. */
const COUNTERS = ['-Ln', '--stats', '--exact'];

/** The looks of one time: since when they may have been made, ms, and our listings then, by their words. */
interface Group {
  readonly time: bigint;
  readonly since: number;
  readonly earlier: ReadonlyMap<readonly string[], string>;
}

/** What was looked at. */
export class Looker {
  readonly #target: IpvsadmTarget;
  readonly #own: ReadonlySet<string>;
  /** Whether counters will be listed. */
  readonly #looksAtCounters: boolean;
  /** Counters as they were until each step. */
  readonly #counters: Counters[] = [];
  /** When the last step or look was, ms: a listing was made between that and the time that is noted for it. */
  #last = 0;
  readonly #looks: readonly Look[];
  #group: Group | undefined;
  looked = 0;
  readonly differences: string[] = [];

  /** @param own the director's addresses */
  constructor(target: IpvsadmTarget, own: ReadonlySet<string>, looks: readonly Look[]) {
    this.#target = target;
    this.#own = own;
    this.#looks = looks;
    this.#looksAtCounters = looks.some(isOfCounters);
  }

  /** Something is about to happen at `now` (ms): keeps the counters that a later listing may still show. */
  step(now: number): void {
    this.#last = now;
    this.#group = undefined;
    if (this.#looksAtCounters) this.#counters.push(this.#countersAt(now));
  }

  #countersAt(until: number): Counters {
    return { until, lines: linesOf(listingOf(COUNTERS, this.#target, until)) };
  }

  /** Compares one listing that was made up to `now` (ms). */
  look(look: Look, now: number, advance: () => void): void {
    if (this.#servesItself()) return;
    this.looked++;
    if (this.#group?.time !== look.time) this.#group = this.#groupOf(look.time);
    const { since, earlier } = this.#group;
    this.#last = now;
    if (!('argv' in look)) {
      // It was looked at between the packet and what came next.
      if (stateDifferences(look, this.#target, since).length === 0) return;
      advance();
      this.differences.push(...stateDifferences(look, this.#target, now));
      return;
    }
    advance();
    const got = listingOf(look.argv, this.#target, now);
    const counters = isOfCounters(look) ? [...this.#counters, this.#countersAt(now)] : [];
    this.differences.push(
      ...listingDifferences(look, { got, earlier: earlier.get(look.argv) ?? got, since, counters }),
    );
  }

  /** Before time passes for any of them. */
  #groupOf(time: bigint): Group {
    const since = this.#last;
    const all = this.#looks.flatMap((look) => (look.time === time && 'argv' in look ? [look.argv] : []));
    return { time, since, earlier: new Map(all.map((argv) => [argv, listingOf(argv, this.#target, since)])) };
  }

  /** The replies of a server on the director itself, and the connections of clients there, are in no capture. */
  #servesItself(): boolean {
    return this.#target.services().some(({ dests }) => dests.some(({ address }) => this.#own.has(address)));
  }
}
