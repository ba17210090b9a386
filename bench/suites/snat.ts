/**
 * SNAT of established connections, both directions, beside FullNAT.
 *
 * @module
 */
import type { Suite } from '../suite.js';
import { furtherSuite } from './path.js';

export const snat: Suite = furtherSuite('snat', [
  { mode: 'snat-in', beside: 'fullnat-in' },
  { mode: 'snat-out', beside: 'fullnat-out' },
]);
