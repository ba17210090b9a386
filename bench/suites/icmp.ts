/**
 * ICMP errors about NAT connections, translated inside and out, beside the packets that they are about.
 *
 * @module
 */
import type { Suite } from '../suite.js';
import { furtherSuite } from './path.js';

export const icmp: Suite = furtherSuite('icmp', [
  { mode: 'icmp-in', beside: 'nat-in' },
  { mode: 'icmp-out', beside: 'nat-out' },
]);
