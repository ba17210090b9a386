/**
 * Builds the native rival with the system's compiler, and drives it as a child process.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { SLOT_BYTES, TICK } from '../feeder.js';
import type { Judged } from './world.js';

const COMPILERS = ['cc', 'gcc', 'clang'];
const FLAGS = ['-O3', '-march=native', '-std=gnu11', '-Wall', '-Wextra', '-Werror'];

export type NativeWork = 'path' | 'parse' | 'lookup' | 'checksum' | 'update';

/** A C compiler of the system. */
export interface Compiler {
  command: string;
  /** First line of what it says of itself. */
  version: string;
}

export interface NativeFigures {
  /** Nanoseconds a packet, without the copying in of frames. */
  ns: number;
  /** Nanoseconds a packet of the copying in. */
  copy: number;
  /** Packets measured, without those of warming up. */
  packets: number;
  /** Milliseconds that passed meanwhile on the clock by which connections expire. */
  passed: number;
  /** How many of them got each reason, by its number in the library's ABI; only of work `path`. */
  reasons: Record<string, number>;
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

/** The first compiler that answers; `undefined` when the system has none. */
export function findCompiler(): Compiler | undefined {
  for (const command of COMPILERS) {
    const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
    if (status === 0) return { command, version: stdout.split('\n')[0] ?? '' };
  }
  return undefined;
}

/** All that makes one binary differ from another: sources, flags, compiler, and the processor for which it is `native`. */
function keyOf(sources: string, compiler: Compiler, flags: string[]): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(sources).sort()) hash.update(name).update(readFileSync(join(sources, name)));
  return JSON.stringify({ ...compiler, flags, processor: cpus()[0]?.model, sources: hash.digest('hex') });
}

/**
 * Builds `rivals/native` below `benchFolder` unless the binary there came from the same sources, flags and compiler.
 *
 * @returns path of the binary; `undefined` without a compiler
 */
export function buildNative(benchFolder: string, compiler = findCompiler(), flags = FLAGS): string | undefined {
  if (!compiler) return undefined;
  const sources = join(benchFolder, 'rivals', 'native');
  const folder = join(benchFolder, 'rivals', 'build');
  const binary = join(folder, 'rival');
  const keyFile = join(folder, 'rival.json');
  const key = keyOf(sources, compiler, flags);
  if (existsSync(binary) && existsSync(keyFile) && readFileSync(keyFile, 'utf8') === key) return binary;
  mkdirSync(folder, { recursive: true });
  const { status, stderr } = spawnSync(compiler.command, [...flags, '-o', binary, join(sources, 'main.c')], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${compiler.command} cannot build the native rival:\n${stderr}`);
  writeFileSync(keyFile, key);
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
  slot = SLOT_BYTES,
): NativeFigures {
  const { stdout } = run(binary, [world, work, String(burst), String(slot), String(seconds), String(TICK)]);
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
