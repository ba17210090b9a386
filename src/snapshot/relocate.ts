/**
 * Where what lay at an address lies in a memory that is laid out otherwise.
 *
 * @module
 */
import { IpvsError } from '../errors.js';
import { addressOf, numberOf, type Region } from '../region.js';

/** Bytes that lay at `from` and lie at `to` now, together unless it says how their `records` do. */
export interface Move {
  readonly from: number;
  readonly to: number;
  readonly length: number;
  readonly records?: RecordsMove;
}

/** Records of `size` bytes, of which each has the new number that `numbers` has for it, or keeps its own. */
export interface RecordsMove {
  readonly size: number;
  readonly from: Region;
  readonly to: Region;
  readonly numbers?: Uint32Array;
}

function stays({ from, to, records }: Move): boolean {
  if (from !== to || records === undefined) return from === to;
  return records.numbers === undefined && records.from.apart === records.to.apart;
}

/** All that has moved. */
export class Relocation {
  /** Whether everything lies where it lay. */
  readonly isNone: boolean;
  readonly #moves: readonly Move[];

  constructor(moves: readonly Move[]) {
    this.#moves = moves;
    this.isNone = moves.every(stays);
  }

  /** The new address; 0 stays 0. @throws IpvsError BAD_SNAPSHOT for one where nothing lay. */
  of(address: number): number {
    if (address === 0) return 0;
    for (const { from, to, length, records } of this.#moves) {
      const offset = address - from;
      if (offset < 0 || offset >= length) continue;
      if (records === undefined) return to + offset;
      const { size, numbers } = records;
      const within = offset % size;
      const number = numberOf(records.from, size, address - within);
      // What lies between two records is of another table.
      if (!Number.isInteger(number)) continue;
      return addressOf(records.to, size, numbers === undefined ? number : numbers[number]!) + within;
    }
    throw new IpvsError('BAD_SNAPSHOT', `snapshot damaged: nothing lies at address ${address}`);
  }
}
