/**
 * NAT of established IPv6 connections, both directions, beside that of IPv4.
 *
 * @module
 */
import type { Suite } from '../suite.js';
import { furtherSuite } from './path.js';

export const nat6: Suite = furtherSuite('nat6', [
  { mode: 'nat6-in', beside: 'nat-in' },
  { mode: 'nat6-out', beside: 'nat-out' },
]);
