/**
 * The package's folder, also when this runs compiled below `build/`.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function rootAbove(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : rootAbove(dirname(folder));
}

/** Where package.json is. */
export const ROOT = rootAbove(dirname(fileURLToPath(import.meta.url)));
