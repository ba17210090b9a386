/**
 * The core, as it is built.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './root.js';

export const CORE = new WebAssembly.Module(readFileSync(join(ROOT, 'build/release.wasm')));
