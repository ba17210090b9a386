/**
 * A director's state in a file: a snapshot.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { naming } from '../capture/source.js';
import { Director, type DirectorOptions } from '../director.js';
import { IpvsError } from '../errors.js';
import { GrowingDirector } from './growing-director.js';
import { usageError } from './io.js';
import { withLock } from './lock-file.js';

/** The director of a state file, in a larger plan if given; a new and empty one when there is no such file. */
export function loadState(file: string, plan: DirectorOptions['plan'] = {}): GrowingDirector {
  if (!existsSync(file)) return new GrowingDirector(Director.createSync({ plan }));
  const bytes = naming(file, () => readFileSync(file));
  try {
    return new GrowingDirector(Director.restoreSync(bytes, { plan }));
  } catch (error) {
    if (!(error instanceof IpvsError)) throw error;
    throw new IpvsError(error.code, `${file}: ${error.message}`, { cause: error });
  }
}

/** Refuses what is there and is no state, which would be lost. @throws {CliError | IpvsError} */
export function refuseOther(file: string): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isFile()) throw usageError(`--state ${file}: it is no file`);
  loadState(file);
}

/**
 * Changes a state: reads it, runs `change`, writes it if that did change it, and nobody else changes it meanwhile.
 *
 * @throws {CliError | IpvsError} when it cannot be locked, read or written
 */
export function changeState<T>(file: string, change: (director: GrowingDirector) => T): T {
  return withLock(targetOf(file), () => {
    const director = loadState(file);
    const result = change(director);
    if (director.hasChanged) writeState(file, director.director);
    return result;
  });
}

/** A link stays, and its file is replaced. */
function targetOf(file: string): string {
  return existsSync(file) ? realpathSync(file) : file;
}

/** Puts a state in place of another one, and nobody changes that meanwhile. @throws {CliError} when it cannot be locked */
export function saveState(file: string, director: Director): void {
  withLock(targetOf(file), () => writeState(file, director));
}

/** Writes the state, whole or not at all. Only its owner may read it: it holds the key of the connection index. */
function writeState(file: string, director: Director): void {
  naming(file, () => {
    const target = targetOf(file);
    const draft = `${target}.${randomUUID()}`;
    try {
      // Nor does anything that lies there in advance get the state.
      writeFileSync(draft, director.snapshot(), { flag: 'wx', mode: 0o600 });
      renameSync(draft, target);
    } finally {
      rmSync(draft, { force: true });
    }
  });
}
