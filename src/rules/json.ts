/**
 * Listings as JSON.
 *
 * @module
 */

/** What stands around the digits of a counter until it is a number: counters do not fit in JavaScript's. */
const MARK = '\u0000';

/** The text of a listing, indented, with a line end. Counters of 64 bits are whole JSON numbers. */
export function jsonOf(listing: object): string {
  const text = JSON.stringify(
    listing,
    (_, value: unknown) => (typeof value === 'bigint' ? `${MARK}${value}${MARK}` : value),
    2,
  );
  return `${text.replaceAll(/"\\u0000(\d+)\\u0000"/g, '$1')}\n`;
}
