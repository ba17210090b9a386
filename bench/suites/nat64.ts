/**
 * NAT64 of established connections, both directions, beside FullNAT of IPv4.
 *
 * @module
 */
import type { Suite } from '../suite.js';
import { furtherSuite } from './path.js';

export const nat64: Suite = furtherSuite('nat64', [
  { mode: 'nat64-in', beside: 'fullnat-in' },
  { mode: 'nat64-out', beside: 'fullnat-out' },
]);
