/**
 * The core, as it is built.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './root.js';

export const CORE = new WebAssembly.Module(readFileSync(join(ROOT, 'build/release.wasm')));

/** How much of it a case needs. */
export const PLAN = {
  connections: 8192,
  connections6: 8192,
  services: 16,
  dests: 64,
  routes: 64,
  neighbours: 64,
  interfaces: 16,
} as const;
