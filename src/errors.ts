/**
 * The errors of the API: one class, told apart by `code`.
 *
 * @module
 */

/** What went wrong. Wrong argument kinds throw `TypeError`, wrong sizes `RangeError`; these are about state and input. */
export type ErrorCode =
  /** The binary is not one of this version (its ABI version or hash differs), or the memory holds something else. */
  | 'ABI_MISMATCH'
  /** An embedder's memory is too small for the plan. */
  | 'MEMORY_TOO_SMALL'
  /** The director was closed. */
  | 'CLOSED'
  | 'SERVICE_EXISTS'
  | 'NO_SUCH_SERVICE'
  | 'DEST_EXISTS'
  | 'NO_SUCH_DEST'
  | 'LOCAL_ADDRESS_EXISTS'
  | 'NO_SUCH_LOCAL_ADDRESS'
  /** A table of the plan is full (services, dests, interfaces, routes, neighbours), or too small for a snapshot. */
  | 'TABLE_FULL'
  /** An interface, route or neighbour does not fit the rest of the network. */
  | 'BAD_NETWORK'
  /** A burst is full, or a frame does not fit in its arena. */
  | 'BURST_FULL'
  /** A burst was judged and not reset. */
  | 'BURST_JUDGED'
  /** A capture is damaged or of an unknown kind. */
  | 'BAD_CAPTURE'
  /** A rule, a network file or a scenario does not parse. */
  | 'BAD_INPUT'
  /** A snapshot is damaged, of another version, or none at all. */
  | 'BAD_SNAPSHOT';

/** An error of this library, with a stable `code`. */
export class IpvsError extends Error {
  override readonly name = 'IpvsError';
  readonly code: ErrorCode;
  /** With TABLE_FULL: the option of the plan that is too small for it, such as `dests`. */
  readonly option: string | undefined;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { option?: string }) {
    super(message, options);
    this.code = code;
    this.option = options?.option;
  }
}
