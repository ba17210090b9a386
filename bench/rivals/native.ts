/**
 * Builds the native rival with the system's compiler, and drives it as a child process.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Judged } from './world.js';

const COMPILERS = ['cc', 'gcc', 'clang'];
const FLAGS = ['-O3', '-march=native', '-std=gnu11', '-Wall', '-Wextra', '-Werror'];
/** Bytes from frame to frame, as in the library's arena. */
export const SLOT = 2112;

export type NativeWork = 'path' | 'parse' | 'lookup' | 'checksum' | 'update';

/** Nanoseconds a packet: `ns` without the copying in of frames, which `copy` is. */
export interface NativeFigures {
  ns: number;
  gross: number;
  copy: number;
  forwarded: number;
  decapsulated: number;
}

export interface NativeTotals {
  inPackets: number;
  outPackets: number;
  inBytes: number;
  outBytes: number;
  active: number;
  inactive: number;
  /** Connections in each state. */
  states: number[];
}

/** The first compiler that answers: its name and version; `undefined` when the system has none. */
export function findCompiler(): { command: string; version: string } | undefined {
  for (const command of COMPILERS) {
    const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
    if (status === 0) return { command, version: stdout.split('\n')[0] ?? '' };
  }
  return undefined;
}

/** Builds `rivals/native` below `benchFolder` unless that was done; path of the binary, `undefined` without a compiler. */
export function buildNative(benchFolder: string): string | undefined {
  const compiler = findCompiler();
  if (!compiler) return undefined;
  const sources = join(benchFolder, 'rivals', 'native');
  const folder = join(benchFolder, 'rivals', 'build');
  const binary = join(folder, 'rival');
  const newest = Math.max(...readdirSync(sources).map((name) => statSync(join(sources, name)).mtimeMs));
  if (existsSync(binary) && statSync(binary).mtimeMs >= newest) return binary;
  mkdirSync(folder, { recursive: true });
  const { status, stderr } = spawnSync(compiler.command, [...FLAGS, '-o', binary, join(sources, 'main.c')], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${compiler.command} cannot build the native rival:\n${stderr}`);
  return binary;
}

function run(binary: string, args: string[]): { stdout: Buffer; stderr: Buffer } {
  const result = spawnSync(binary, args, { maxBuffer: 1 << 28 });
  if (result.status !== 0) throw new Error(`native rival: ${result.stderr}`);
  return result;
}

/** Times a world file for `seconds`. */
export function timeNative(
  binary: string,
  world: string,
  work: NativeWork,
  burst: number,
  seconds: number,
  slot = SLOT,
): NativeFigures {
  const { stdout } = run(binary, [world, work, String(burst), String(slot), String(seconds)]);
  return JSON.parse(String(stdout)) as NativeFigures;
}

/** What the native rival makes of every frame of a world file, and its totals. */
export function checkNative(binary: string, world: string): { judged: Judged[]; totals: NativeTotals } {
  const { stdout, stderr } = run(binary, [world, '--check']);
  const judged: Judged[] = [];
  for (let at = 0; at < stdout.length; ) {
    const length = stdout.readUInt16LE(at);
    const frame = Uint8Array.from(stdout.subarray(at + 4, at + 4 + length));
    judged.push({ verdict: stdout[at + 2]!, out: stdout[at + 3]!, frame });
    at += 4 + length;
  }
  return { judged, totals: JSON.parse(String(stderr)) as NativeTotals };
}
