/**
 * A lock beside a file, so that of two processes that read, change and write it neither loses what the other did.
 *
 * @module
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { CliError, isErrno } from './io.js';

/** How long another process is waited for, and how often it is looked after; in ms. */
const PATIENCE = 10_000;
const PAUSE = 20;

/**
 * Runs `work` while `FILE.lock` is there and holds this process's id. A lock that a killed process left is not taken
 * over: two that did so at once could take the lock from each other.
 *
 * @throws {CliError} when the lock is still another's after `patience` ms
 */
export function withLock<T>(file: string, work: () => T, patience = PATIENCE): T {
  const lock = `${file}.lock`;
  for (const until = Date.now() + patience; !made(lock); ) {
    const { text, isGone } = holder(lock);
    if (isGone || Date.now() >= until) throw new CliError(2, `${file}: ${text}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Makes the lock, unless it is there. */
function made(lock: string): boolean {
  try {
    writeFileSync(lock, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Who holds the lock, in words, and whether that process has ended. */
function holder(lock: string): { text: string; isGone: boolean } {
  const id = Number(existsSync(lock) ? readFileSync(lock, 'latin1') : '');
  if (!Number.isInteger(id) || id <= 0) {
    return { text: `is locked: if nothing else changes it, remove ${lock}`, isGone: false };
  }
  try {
    process.kill(id, 0);
  } catch (error) {
    if (isErrno(error, 'ESRCH')) {
      return { text: `is locked by process ${id}, which is no more: remove ${lock}`, isGone: true };
    }
  }
  return { text: `is locked by process ${id} (${lock})`, isGone: false };
}
