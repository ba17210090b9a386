/**
 * NAT of established connections, both directions.
 *
 * @module
 */
import type { Suite } from '../suite.js';
import { pathSuite } from './path.js';

export const nat: Suite = pathSuite('nat', ['nat-in', 'nat-out']);
