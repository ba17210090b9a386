/**
 * Where what lay at an address lies in a memory that is laid out otherwise.
 *
 * @module
 */
import { IpvsError } from '../errors.js';

/** Bytes that lay at `from` and lie at `to` now. `numbers`: of records of `size` bytes, the new number of each. */
export interface Move {
  readonly from: number;
  readonly to: number;
  readonly length: number;
  readonly size?: number;
  readonly numbers?: Uint32Array;
}

/** All that has moved. */
export class Relocation {
  /** Whether everything lies where it lay. */
  readonly isNone: boolean;
  readonly #moves: readonly Move[];

  constructor(moves: readonly Move[]) {
    this.#moves = moves;
    this.isNone = moves.every(({ from, to, numbers }) => from === to && numbers === undefined);
  }

  /** The new address; 0 stays 0. @throws IpvsError BAD_SNAPSHOT for one where nothing lay. */
  of(address: number): number {
    if (address === 0) return 0;
    for (const { from, to, length, size = 1, numbers } of this.#moves) {
      const offset = address - from;
      if (offset < 0 || offset >= length) continue;
      if (numbers === undefined) return to + offset;
      return to + numbers[Math.floor(offset / size)]! * size + (offset % size);
    }
    throw new IpvsError('BAD_SNAPSHOT', `snapshot damaged: nothing lies at address ${address}`);
  }
}
