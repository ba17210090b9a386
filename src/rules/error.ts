/**
 * The error of rules and network files: where in which file.
 *
 * @module
 */
import { IpvsError } from '../errors.js';

/** A line that does not parse, is not handled, or was refused by the director (then `cause` says why). */
export class RuleError extends IpvsError {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based column of the offending word; `undefined` when the whole line is meant. */
  readonly column: number | undefined;

  /** The message becomes `file:line:column: text`, the form that editors and terminals link. */
  constructor(file: string, line: number, column: number | undefined, text: string, options?: ErrorOptions) {
    super('BAD_INPUT', `${file}:${line}:${column === undefined ? '' : `${column}:`} ${text}`, options);
    this.file = file;
    this.line = line;
    this.column = column;
  }
}

/** Where a command stands. */
export interface RuleSource {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
}
