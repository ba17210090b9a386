/**
 * Direct routing: TTL, checksum and MACs.
 *
 * @module
 */
import type { Suite } from '../suite.js';
import { pathSuite } from './path.js';

export const dr: Suite = pathSuite('dr', ['dr']);
