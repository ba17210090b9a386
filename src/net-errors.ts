/**
 * Errors about a network that name the entry.
 *
 * @module
 */
import { IpvsError } from './errors.js';

/** Runs a parser and names the place when it refuses. @throws IpvsError BAD_NETWORK. */
export function at<T>(where: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof IpvsError || !(error instanceof Error)) throw error;
    throw bad(where, error.message, error);
  }
}

/** The error itself. */
export function bad(where: string, message: string, cause?: unknown): IpvsError {
  return new IpvsError('BAD_NETWORK', `${where}: ${message}`, { cause });
}
