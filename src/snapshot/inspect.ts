/**
 * Reading records where they lie in a snapshot, before anything is made of them.
 *
 * @module
 */
import { IpvsError } from '../errors.js';
import type { Plan } from '../plan.js';
import { addressOf, numberOf, type Region } from '../region.js';
import type { Snapshot } from './format.js';
import { TABLES, type TableName } from './tables.js';

/** A table's records, as they lie in a snapshot. */
export class Records {
  readonly count: number;
  readonly base: number;
  readonly used: Uint8Array;
  /** How many are in use. */
  readonly inUse: number;
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  readonly #size: number;
  readonly #region: Region;

  constructor(
    { sections }: Snapshot,
    plan: Plan,
    readonly name: TableName,
  ) {
    const { size, used, mask } = TABLES[name];
    const { base, bytes } = sections[name];
    this.base = base;
    this.#size = size;
    this.#region = plan[name];
    this.bytes = bytes;
    this.words = wordsOf(bytes);
    this.count = bytes.length / size;
    this.used = new Uint8Array(this.count);
    for (let i = 0; i < this.count; i++) this.used[i] = (bytes[i * size + used]! & mask) === 0 ? 0 : 1;
    this.inUse = this.used.reduce((sum, each) => sum + each, 0);
  }

  /** Number of the record in use at an address. */
  at(address: number, what: string, used = 1): number {
    const index = numberOf(this.#region, this.#size, address);
    if (this.used[index] !== used)
      fail(`${what} is ${address}, where no ${used ? '' : 'free '}record of ${this.name} is`);
    return index;
  }

  word(index: number, field: number): number {
    return this.words[(index * this.#size + field) >>> 2]!;
  }

  byte(index: number, field: number): number {
    return this.bytes[index * this.#size + field]!;
  }

  /** Address of record `index`. */
  address(index: number): number {
    return addressOf(this.#region, this.#size, index);
  }
}

export type AllRecords = Readonly<Record<TableName, Records>>;

export function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
}

/** @throws IpvsError BAD_SNAPSHOT. */
export function fail(what: string): never {
  throw new IpvsError('BAD_SNAPSHOT', `snapshot inconsistent: ${what}`);
}
