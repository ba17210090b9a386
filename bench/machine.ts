/**
 * Where figures come from: machine, Node, commit, compiler.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { findCompiler } from './rivals/native.js';

/** The package's folder, seen from build/bench. */
export const ROOT: string = join(import.meta.dirname, '../..');

export interface Machine {
  cpu: string;
  cores: number;
  memory: string;
  system: string;
  node: string;
  /** With `+` when the work tree differs from it. */
  commit: string;
  date: string;
  compiler: string | undefined;
}

function git(...args: string[]): string | undefined {
  try {
    return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

/** Describes where this runs. */
export function describeMachine(): Machine {
  const processors = cpus();
  const commit = git('rev-parse', '--short', 'HEAD');
  const dirty = git('status', '--porcelain', '--untracked-files=no');
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    commit: commit === undefined ? 'unknown' : dirty ? `${commit}+` : commit,
    date: new Date().toISOString().slice(0, 10),
    compiler: findCompiler()?.version,
  };
}
