/**
 * Holds a director's output against a kernel's: replays a scenario folder and compares what left each interface.
 *
 * @module
 */
import { basename, resolve } from 'node:path';
import { IpvsError } from '../errors.js';
import type { NetworkConfig } from '../types.js';
import { type Comparison, compareFrames, type FrameDifference, type HostFrame, strayFrame } from './compare.js';
import { HostAnswers } from './host.js';
import { loadScenario, type Scenario } from './load.js';
import { Choices } from './masks.js';
import type { LeftOut } from './note.js';
import { type Replay, type ReplayTarget, replay } from './replay.js';

/** Makes the director of a scenario, with its network and nothing else. */
export type MakeTarget = (network: NetworkConfig) => ReplayTarget | Promise<ReplayTarget>;

/** What {@link verifyScenario} is asked for. */
export interface VerifyOptions {
  /** How many differences are kept in the result; default 20. All are counted. */
  readonly differences?: number;
}

/** The outcome of one scenario. Numbers of frames everywhere; frame numbers start at 1. */
export interface ScenarioResult {
  /** Name of the folder. */
  readonly name: string;
  readonly passed: boolean;
  /** Frames of the kernel that equal ours, in order. */
  readonly matched: number;
  /** Frames of the kernel that had to be matched: not those of the host, nor those left out. */
  readonly expected: number;
  /** Frames that the captured director's host stack made. */
  readonly host: readonly HostFrame[];
  /** Matched frames by the mask that they needed. */
  readonly masked: Readonly<Record<string, number>>;
  /** Frames left out by the folder's own note. */
  readonly leftOut: readonly LeftOut[];
  /** The first differences by time. */
  readonly differences: readonly Omit<FrameDifference, 'time'>[];
  readonly differenceCount: number;
  /** Listings of the kernel's ipvsadm that were held against ours. */
  readonly listings: number;
  /** What is wrong about ours, a line each, by time. */
  readonly listingDifferences: readonly string[];
  /** Why the scenario could not be read or replayed to its end. */
  readonly error: string | undefined;
}

const OUTPUTS = ['cli', 'srv'] as const;

/**
 * Replays a scenario folder and compares. Never throws for what is wrong with the folder or the director: that is a
 * result that did not pass.
 */
export async function verifyScenario(
  folder: string,
  makeTarget: MakeTarget,
  options: VerifyOptions = {},
): Promise<ScenarioResult> {
  const name = basename(resolve(folder));
  let scenario: Scenario | undefined;
  try {
    scenario = await loadScenario(folder);
    const target = await makeTarget(scenario.network);
    try {
      return compare(name, scenario, replay(scenario, target), options);
    } finally {
      target.close?.();
    }
  } catch (error) {
    return failed(name, scenario, error);
  }
}

function compare(name: string, scenario: Scenario, outcome: Replay, options: VerifyOptions): ScenarioResult {
  const { sent, local, fed, listings, stopped } = outcome;
  const answers = new HostAnswers(local, scenario.addresses, scenario.macs);
  const choices = new Choices();
  const comparisons: Comparison[] = OUTPUTS.map((out) => {
    const all = scenario.captures[`${out}-out`];
    // After a stop only what came before it can be compared.
    const expected = stopped === undefined ? all : all.filter(({ time }) => time < stopped.time);
    return compareFrames(`${out}-out`, expected, sent.get(out) ?? [], answers, choices);
  });
  const differences = comparisons.flatMap((comparison) => comparison.differences);
  for (const [out, frames] of sent) {
    if (!OUTPUTS.some((known) => known === out)) differences.push(...frames.map((frame) => strayFrame(out, frame)));
  }
  differences.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  const masked: Record<string, number> = {};
  for (const comparison of comparisons) {
    for (const [mask, count] of comparison.masked) masked[mask] = (masked[mask] ?? 0) + count;
  }
  const host = comparisons.flatMap((comparison) => comparison.host);
  const error = stopped?.message ?? (fed === 0 ? 'no packet was fed: nothing was verified' : undefined);
  return {
    name,
    passed: differences.length === 0 && listings.differences.length === 0 && error === undefined,
    matched: comparisons.reduce((sum, { matched }) => sum + matched, 0),
    expected: expectedFrames(scenario) - host.length,
    host,
    masked,
    leftOut: scenario.leftOut,
    differences: differences.slice(0, options.differences ?? 20).map(({ time: _, ...rest }) => rest),
    differenceCount: differences.length,
    listings: listings.looked,
    listingDifferences: listings.differences,
    error,
  };
}

function expectedFrames(scenario: Scenario): number {
  return OUTPUTS.reduce((sum, out) => sum + scenario.captures[`${out}-out`].length, 0);
}

function failed(name: string, scenario: Scenario | undefined, error: unknown): ScenarioResult {
  // An error that is not about the input is a defect: its place helps to find it.
  const known = error instanceof IpvsError || (error instanceof Error && 'syscall' in error);
  const text = error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
  return {
    name,
    passed: false,
    matched: 0,
    expected: scenario === undefined ? 0 : expectedFrames(scenario),
    host: [],
    masked: {},
    leftOut: scenario?.leftOut ?? [],
    differences: [],
    differenceCount: 0,
    listings: 0,
    listingDifferences: [],
    error: text,
  };
}
