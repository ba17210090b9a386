/**
 * What thrown errors are compared with.
 *
 * @module
 */
import { expect } from 'vitest';
import type { ErrorCode } from '../../src/errors.js';

/** An IpvsError with that code, and a message like that. */
export const coded = (code: ErrorCode, message = /^/): unknown =>
  expect.objectContaining({ name: 'IpvsError', code, message: expect.stringMatching(message) });
