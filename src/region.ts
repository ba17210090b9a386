/**
 * Where a table's records lie.
 *
 * @module
 */

/** A table of records of one size. */
export interface Region {
  /** Address of the first one. */
  readonly base: number;
  readonly count: number;
  /** Behind each of so many records, the first ones, lies one of another table, as long as they are. Default 0. */
  readonly apart?: number;
}

/** Address of record `number`. assembly/conn/place.ts has the same for the core. */
export function addressOf({ base, apart = 0 }: Omit<Region, 'count'>, size: number, number: number): number {
  return base + (number + Math.min(number, apart)) * size;
}

/** Number of the record at an address; no integer from 0 on where none of the table can be. */
export function numberOf({ base, apart = 0 }: Omit<Region, 'count'>, size: number, address: number): number {
  const place = (address - base) / size;
  return place <= 2 * apart ? place / 2 : place - apart;
}
