/**
 * FullNAT of established connections, both directions, and with TOA in each packet, beside NAT.
 *
 * @module
 */
import type { Suite } from '../suite.js';
import { furtherSuite } from './path.js';

export const fullnat: Suite = furtherSuite('fullnat', [
  { mode: 'fullnat-in', beside: 'nat-in' },
  { mode: 'fullnat-out', beside: 'nat-out' },
  { mode: 'fullnat-toa', beside: 'nat-in' },
]);
