/**
 * Which file a name means: two names of one file are told as such.
 *
 * @module
 */
import { fstatSync, lstatSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** Symbolic links that are followed one after another, as in Linux. */
const MAX_LINKS = 40;

/**
 * A text that is the same for all names of a file: hard and symbolic links, detours, `-` when that is the file. A file
 * that is not there yet has the one of its place.
 *
 * @param standard descriptor of what `-` means
 * @returns `undefined` for what may be opened any number of times (terminals, pipes, `/dev/null`)
 */
export function fileIdentity(name: string, standard: 0 | 1): string | undefined {
  const stats = name === '-' ? descriptorStats(standard) : statSync(name, { throwIfNoEntry: false });
  if (stats !== undefined) return stats.isFile() ? `${stats.dev}:${stats.ino}` : undefined;
  return name === '-' ? undefined : placeOf(name);
}

/** A descriptor may be closed: then it is no file. */
function descriptorStats(descriptor: number): Stats | undefined {
  try {
    return fstatSync(descriptor);
  } catch {
    return undefined;
  }
}

/** Where a file would be made. */
function placeOf(name: string): string {
  let place = resolve(name);
  for (let i = 0; i < MAX_LINKS; i++) {
    if (lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink() !== true) break;
    place = resolve(dirname(place), readlinkSync(place));
  }
  try {
    return join(realpathSync(dirname(place)), basename(place));
  } catch {
    // Without its folder it cannot be opened either, which says so.
    return place;
  }
}
