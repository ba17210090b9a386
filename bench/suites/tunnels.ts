/**
 * GRE and GUE, with and without a checksum over the whole packet, beside IPIP.
 *
 * @module
 */
import type { Suite } from '../suite.js';
import { furtherSuite } from './path.js';

export const tunnels: Suite = furtherSuite('tunnels', [
  { mode: 'gre-encap', beside: 'ipip-encap' },
  { mode: 'gre-csum-encap', beside: 'ipip-encap' },
  { mode: 'gue-encap', beside: 'ipip-encap' },
  { mode: 'gue-csum-encap', beside: 'ipip-encap' },
]);
