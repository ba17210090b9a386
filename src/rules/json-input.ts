/**
 * Reading values out of parsed JSON, with errors that name the path and, when the text is at hand, the line.
 *
 * @module
 */
import { type Family, familyOf } from '../address.js';
import { IpvsError } from '../errors.js';
import { RuleError } from './error.js';
import { lineOf, locateJson, MAX_DEPTH, tooDeepAt } from './json-position.js';

/** A JSON object that came from `path`. */
export interface JsonEntry {
  readonly path: string;
  readonly value: Readonly<Record<string, unknown>>;
}

const ADDRESS = {
  0: 'an address such as 10.0.0.1 or fd00::1',
  4: 'an IPv4 address such as 10.0.0.1',
  6: 'an IPv6 address such as fd00::1',
};

/** What a value is, for "got ...". */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  let text: string;
  try {
    text = JSON.stringify(value) ?? typeof value;
  } catch {
    // A value that did not come from a text may be nested without end.
    text = 'a value that is no JSON, or nested too deep';
  }
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** The document that is being read: knows how to say where something is wrong. */
export class JsonInput {
  constructor(
    private readonly file: string,
    /** The text the value came from; without it errors name the path alone. */
    private readonly text?: string,
  ) {}

  /**
   * Parses the document's text.
   *
   * @throws RuleError with line and column of the first character that is not JSON, or of a bracket nested too deep.
   */
  parse(): unknown {
    const text = this.text ?? '';
    const deep = tooDeepAt(text);
    if (deep !== undefined) {
      const { line, column } = lineOf(text, deep);
      throw new RuleError(this.file, line, column, `expected JSON of at most ${MAX_DEPTH} levels, got more`);
    }
    try {
      return JSON.parse(text);
    } catch (cause) {
      const offset = locateJson(text).error ?? text.length;
      const { line, column } = lineOf(text, offset);
      const got = offset < text.length ? shown(text[offset]) : 'the end of the file';
      throw new RuleError(this.file, line, column, `expected JSON, got ${got}`, { cause });
    }
  }

  /** Refuses the value at `path`; a value that is not there is reported where its parent stands. */
  fail(path: string, message: string): never {
    const problem = path === '' ? message : `${path}: ${message}`;
    if (this.text === undefined) throw new IpvsError('BAD_INPUT', `${this.file}: ${problem}`);
    const { at } = locateJson(this.text);
    let known = path;
    while (!at.has(known)) known = known.slice(0, Math.max(0, known.search(/(\.[^.[]*|\[\d+\])$/)));
    const { line, column } = lineOf(this.text, at.get(known) ?? 0);
    throw new RuleError(this.file, line, column, problem);
  }

  entry(value: unknown, path: string): JsonEntry {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.fail(path, `expected an object, got ${shown(value)}`);
    }
    return { path, value: value as Record<string, unknown> };
  }

  /** The objects of a list; `[]` when it is missing. ip leaves `{}` for what its filters hide: passed over. */
  entries(parent: JsonEntry, key: string): JsonEntry[] {
    const list = parent.value[key];
    const path = parent.path === '' ? key : `${parent.path}.${key}`;
    if (list === undefined) return [];
    if (!Array.isArray(list)) this.fail(path, `expected a list, got ${shown(list)}`);
    return list
      .map((value: unknown, index) => this.entry(value, `${path}[${index}]`))
      .filter(({ value }) => Object.keys(value).length > 0);
  }

  string(entry: JsonEntry, key: string, what: string): string {
    const value = entry.value[key];
    if (typeof value !== 'string' || value === '')
      this.fail(`${entry.path}.${key}`, `expected ${what}, got ${shown(value)}`);
    return value;
  }

  integer(entry: JsonEntry, key: string, min: number, max: number, what: string): number {
    const value = entry.value[key];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      this.fail(`${entry.path}.${key}`, `expected ${what} of ${min} to ${max}, got ${shown(value)}`);
    }
    return value;
  }

  /** An address, of the family given or of either. */
  address(entry: JsonEntry, key: string, family?: Family): string {
    const value = entry.value[key];
    const found = typeof value === 'string' ? familyOf(value) : undefined;
    if (typeof value !== 'string' || found === undefined || found !== (family ?? found)) {
      this.fail(`${entry.path}.${key}`, `expected ${ADDRESS[family ?? 0]}, got ${shown(value)}`);
    }
    return value;
  }

  /** Runs a parser of `src/address.ts` on the value and reports its complaint at the path. */
  parsed<T>(entry: JsonEntry, key: string, parse: (text: string) => T): T {
    try {
      return parse(entry.value[key] as string);
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
      return this.fail(`${entry.path}.${key}`, error.message);
    }
  }
}
