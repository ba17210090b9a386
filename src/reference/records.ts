/**
 * The numbers of what the table of connections holds, connections and templates, by family.
 *
 * @module
 */

import type { Connection } from './connection.js';
import type { Limits } from './connections.js';
import { type Family, familyOf } from './packet/address.js';
import type { Template } from './templates.js';

/** What has a number of its own while it lives. */
export type Entry = Connection | Template;

/** A new entry gets the number that became free last, else the next one that nobody had yet. */
export class Records {
  readonly #limits: Limits;
  readonly #entries: Record<Family, (Entry | undefined)[]> = { 4: [], 6: [] };
  readonly #free: Record<Family, number[]> = { 4: [], 6: [] };

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** How many of that family there may be; without a limit, how many there were at once. */
  planned(family: Family): number {
    const limit = this.#limits[family];
    return Number.isFinite(limit) ? limit : this.#entries[family].length;
  }

  /** How many there are. */
  count(family: Family): number {
    return this.#entries[family].length - this.#free[family].length;
  }

  isFull(family: Family): boolean {
    return this.count(family) >= this.#limits[family];
  }

  /** How many 4,096ths of a family are free, rounded down, of the one that has fewer. */
  room(): number {
    const rooms = ([4, 6] as const).map((family) => {
      const limit = this.#limits[family];
      return Number.isFinite(limit) ? Math.floor(((limit - this.count(family)) * 4096) / limit) : 4096;
    });
    return Math.min(...rooms);
  }

  at(family: Family, number: number): Entry | undefined {
    return this.#entries[family][number];
  }

  /** All by number, those of IPv4 first. */
  list(): Entry[] {
    return [...this.#entries[4], ...this.#entries[6]].filter((each) => each !== undefined);
  }

  enter(entry: Entry): void {
    const family = familyOfEntry(entry);
    this.#entries[family][this.#free[family].pop() ?? this.#entries[family].length] = entry;
  }

  leave(entry: Entry): void {
    const family = familyOfEntry(entry);
    const number = this.#entries[family].indexOf(entry);
    if (number < 0) return;
    this.#entries[family][number] = undefined;
    this.#free[family].push(number);
  }
}

function familyOfEntry(entry: Entry): Family {
  return familyOf('key' in entry ? entry.key.client : entry.clientAddress);
}
