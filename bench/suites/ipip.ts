/**
 * IPIP: put on at the director, taken off at a real server.
 *
 * @module
 */
import type { Suite } from '../suite.js';
import { pathSuite } from './path.js';

export const ipip: Suite = pathSuite('ipip', ['ipip-encap', 'ipip-decap']);
