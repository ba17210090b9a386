/**
 * mh: Maglev hashing (Eisenbud et al., NSDI 2016, §3.4).
 *
 * @module
 */
import type { Address, Family } from '../packet/address.js';
import { greatestCommonDivisor } from './divisor.js';
import { fold } from './hash.js';
import { isUsable, type Scheduler, type SchedulerDest, type SchedulerKey } from './scheduler.js';
import { siphash13 } from './siphash.js';

/** Slots of `mh`, as Linux is built by default, and of `maglev`, as the paper has them. Both prime. */
export const MH_SLOTS = 4093;
export const MAGLEV_SLOTS = 65_537;

/** Most bits of the number of slots that a dest takes in a round. */
const TURN_BITS = 6;

/** Hashes with one of two keys. */
export function maglevHash(value: number, key: 1 | 2): number {
  const word = key === 1 ? 2_654_435_761n : 2_654_446_892n;
  const message = new Uint8Array(4);
  new DataView(message.buffer).setUint32(0, value, true);
  return Number(siphash13(message, [word, word]) & 0xffffffffn);
}

/** Where a dest's permutation of the slots begins, and how far it steps. */
export function maglevPermutation(
  dest: Pick<SchedulerDest, 'address' | 'port'>,
  family: Family,
  slots: number,
): { start: number; skip: number } {
  const value = fold(dest.address, family) + dest.port;
  return { start: maglevHash(value, 1) % slots, skip: (maglevHash(value, 2) % (slots - 1)) + 1 };
}

/** How many slots each dest takes in a round, by its last weight: a small number in about the same proportion. */
export function maglevTurns(dests: readonly SchedulerDest[]): number[] {
  const weights = dests.map((dest) => dest.lastWeight);
  const divisor = weights.reduce(greatestCommonDivisor, 0) || 1;
  const bits = (Math.max(0, ...weights) / divisor).toString(2).length;
  const shift = Math.max(0, bits - TURN_BITS);
  return weights.map((weight) => (weight === 0 ? 0 : Math.max(1, (weight / divisor) >> shift)));
}

/** The dest of each slot; none when no dest ever had a weight. */
export function maglevTable<D extends SchedulerDest>(dests: readonly D[], family: Family, slots: number): D[] {
  const table = new Map<number, D>();
  const turns = maglevTurns(dests);
  const walks = dests.map((dest) => maglevPermutation(dest, family, slots));
  while (turns.some((turn) => turn > 0) && table.size < slots) {
    for (const [i, dest] of dests.entries()) {
      const walk = walks[i]!;
      for (let turn = 0; turn < turns[i]! && table.size < slots; turn++) {
        while (table.has(walk.start)) walk.start = (walk.start + walk.skip) % slots;
        table.set(walk.start, dest);
      }
    }
  }
  return Array.from({ length: table.size }, (_, slot) => table.get(slot)!);
}

/** mh: the dest in the client's slot. */
export class Maglev<D extends SchedulerDest> implements Scheduler<D> {
  readonly #slots: number;
  readonly #family: Family;
  readonly #flags: () => readonly string[];
  /** `undefined`: to be filled. */
  #table: D[] | undefined;

  /** @param flags with `mh-port` the source port counts, too; with `mh-fallback` another dest stands in for an unusable one */
  constructor(slots: number, family: Family, flags: () => readonly string[]) {
    this.#slots = slots;
    this.#family = family;
    this.#flags = flags;
  }

  pick(dests: readonly D[], key: SchedulerKey): D | undefined {
    this.#table ??= maglevTable(dests, this.#family, this.#slots);
    const flags = this.#flags();
    const port = flags.includes('mh-port') ? key.sourcePort : 0;
    const first = this.#slot(key.sourceAddress, port, 0);
    const dest = this.#table[first];
    if (dest === undefined || isUsable(dest)) return dest;
    if (!flags.includes('mh-fallback') || !dests.some(isUsable)) return undefined;
    for (let i = 0; i < this.#slots; i++) {
      const next = this.#table[this.#slot(key.sourceAddress, port, (first + i) % this.#slots)]!;
      if (isUsable(next)) return next;
    }
    return undefined;
  }

  #slot(address: Address, port: number, offset: number): number {
    return maglevHash(fold(address, this.#family) + port + offset, 1) % this.#slots;
  }

  changed(): void {
    this.#table = undefined;
  }

  deleted(): void {
    this.#table = undefined;
  }
}
