/**
 * What a suite is, and what it is given.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Contender, compare, type Figures } from './harness.js';

/** How long and how much. */
export interface Settings {
  /** Connections in the table. */
  connections: number[];
  bursts: number[];
  rounds: number;
  /** Seconds that a contender gets in a round. */
  seconds: number;
  /** Bytes of a frame. */
  length: number;
  /** Most connections that the reference is given. */
  referenceConnections: number;
  /** The native rival, where there is a compiler. */
  native: string | undefined;
}

/** A task and everybody's figures. */
export interface Result {
  suite: string;
  /** What is done, with its sizes. */
  task: string;
  /** What the nanoseconds are for: `packet`, `checksum`, … */
  item: string;
  figures: Figures[];
  connections?: number;
  burst?: number;
}

/** Yields results as they come. */
export type Suite = (settings: Settings) => Generator<Result>;

/** Measures and makes a result of it; contenders that cannot are left out. */
export function result(
  head: Omit<Result, 'figures'>,
  contenders: (Contender | undefined)[],
  { rounds, seconds }: Settings,
): Result {
  const taking = contenders.filter((one) => one !== undefined);
  return { ...head, figures: compare(taking, rounds, seconds) };
}

/** A folder for files that go to the native rival, until `use` is done. */
export function* inFolder<T>(use: (folder: string) => Generator<T>): Generator<T> {
  const folder = mkdtempSync(join(tmpdir(), 'ipvs-wasm-bench-'));
  try {
    yield* use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
