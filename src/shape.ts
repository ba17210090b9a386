/**
 * The shape of what is given from JavaScript: kinds, lists, objects and their keys, with errors that name the place.
 *
 * A wrong kind is a `TypeError`, a key that is not known a `RangeError`; what is `undefined` is not there.
 *
 * @module
 */

import { IpvsError } from './errors.js';

/** Refuses a value of the wrong shape; `path` says where it stands. */
export type Check = (value: unknown, path: string) => void;

/** A check for each key of `T`. */
export type Fields<T> = { readonly [K in keyof T]-?: Check };

/** Puts the place into what a step refuses with. */
export function placed<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const message = `${path}: ${error.message}`;
    if (error instanceof IpvsError) throw new IpvsError(error.code, message, { cause: error });
    throw new (error instanceof TypeError ? TypeError : RangeError)(message, { cause: error });
  }
}

/** What a value is, for "got ...". */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return 'a list';
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return String(value);
  return typeof value === 'object' ? 'an object' : 'a function';
}

/** What `typeof` calls so. */
export function ofKind(kind: 'string' | 'number' | 'boolean'): Check {
  return (value, path) => {
    if (typeof value !== kind) throw new TypeError(`${path}: expected a ${kind}, got ${shown(value)}`);
  };
}

/** What may be left out. */
export function optional(check: Check): Check {
  return (value, path) => {
    if (value !== undefined) check(value, path);
  };
}

/** A list, each of its entries checked. */
export function listOf(check: Check): Check {
  return (value, path) => {
    if (!Array.isArray(value)) throw new TypeError(`${path}: expected a list, got ${shown(value)}`);
    for (const [index, each] of value.entries()) check(each, `${path}[${index}]`);
  };
}

/** An object with these fields and no others. */
export function objectOf<T>(fields: Fields<T>): Check {
  return (value, path) => {
    assertKeys(path, value, fields);
    const given = value as Readonly<Record<string, unknown>>;
    for (const [key, check] of Object.entries<Check>(fields)) check(given[key], `${path}.${key}`);
  };
}

/** @throws TypeError unless it is an object; RangeError naming the first key that is not known. */
export function assertKeys(path: string, value: unknown, known: object): asserts value is object {
  assertObject(path, value);
  for (const [key, field] of Object.entries(value)) {
    if (field !== undefined && !Object.hasOwn(known, key)) {
      throw new RangeError(`${path}: expected a key of ${Object.keys(known).join(', ')}, got ${key}`);
    }
  }
}

/** @throws TypeError unless it is an object. */
export function assertObject(path: string, value: unknown): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`${path}: expected an object, got ${shown(value)}`);
  }
}
