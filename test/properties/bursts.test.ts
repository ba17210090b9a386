/**
 * A burst is its frames one by one; and what comes out depends on nothing but what goes in.
 */
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { Director } from '../../src/director.js';
import { reasonName, verdictName } from '../../src/reasons.js';
import { BINARIES, type Binary, createDirector, memoryFor, SMALL_PLAN } from '../support/core.js';
import { toHex } from '../support/packets.js';
import { properties } from '../support/property.js';
import { frameOf } from './frames.js';
import { flowsOf, type Step, steps } from './steps.js';
import type { Arrival } from './twins.js';
import { networkOf, type World, worlds } from './world.js';

const property = properties(import.meta.url);
const NOW = 1_700_000_000_000;

const memories = new Map<string, WebAssembly.Memory>();

function ready(world: World, binary: Binary, name: string, seed: bigint): Director {
  const memory = memories.get(binary + name) ?? memoryFor(binary);
  memories.set(binary + name, memory);
  const { sysctl, services } = world;
  const director = createDirector(binary, {
    memory,
    seed,
    plan: SMALL_PLAN,
    network: networkOf(world.network),
    sysctl,
  });
  for (const { service, dests } of services) {
    director.addService(service);
    for (const dest of dests) director.addDest(service, dest);
  }
  return director;
}

/** Verdict, reason, way out and bytes of a frame; those that the director made of it stand behind it. */
type Report = string[];

function report({ burst }: Director, index: number): string {
  const words = [verdictName(burst.verdict(index)), reasonName(burst.reason(index)), burst.cause(index) >= 0];
  const out = verdictName(burst.verdict(index)) === 'forward' ? burst.out(index) : '';
  return [...words, out, toHex(burst.frame(index))].join(' ');
}

/** Frames sent one by one. Packets of known connections are made on the way. */
function oneByOne(director: Director, world: World, life: readonly Step[]): { arrivals: Arrival[]; reports: Report[] } {
  const arrivals: Arrival[] = [];
  const reports: Report[] = [];
  for (const step of life) {
    const arrival = frameOf(step, networkOf(world.network), flowsOf(director.connections(NOW)));
    if (arrival === undefined) continue;
    const outcomes = director.send(arrival.frame, arrival.inInterface, NOW);
    arrivals.push(arrival);
    reports.push(outcomes.map((_, index) => report(director, index)));
  }
  return { arrivals, reports };
}

/** The same frames in bursts of `size`. */
function inBursts(director: Director, arrivals: readonly Arrival[], size: number): Report[] {
  const reports: Report[] = [];
  const { burst } = director;
  for (let from = 0; from < arrivals.length; from += size) {
    const given = arrivals.slice(from, from + size);
    burst.reset();
    for (const { frame, inInterface } of given) {
      burst.reserve(frame.length, director.interfaceIndex(inInterface)).set(frame);
      burst.commit(frame.length);
    }
    const count = director.process(NOW);
    const ofFrame: Report[] = given.map((_, index) => [report(director, index)]);
    for (let i = given.length; i < count; i++) ofFrame[burst.cause(i)]?.push(report(director, i));
    reports.push(...ofFrame);
  }
  return reports;
}

function state(director: Director): string {
  const text = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
  const connections = director.connections(NOW).map((each) => JSON.stringify(each, text));
  return [
    ...connections.sort(),
    JSON.stringify(director.services(), text),
    JSON.stringify(director.counters(), text),
  ].join('\n');
}

describe.each(BINARIES)('%s', (binary) => {
  property(
    `a burst of n is n bursts of one (${binary})`,
    fc.property(worlds, steps, fc.integer({ min: 2, max: 33 }), (world, life, size) => {
      const single = ready(world, binary, 'single', 1n);
      const { arrivals, reports } = oneByOne(single, world, life);
      const whole = ready(world, binary, 'whole', 1n);
      expect(inBursts(whole, arrivals, size)).toEqual(reports);
      expect(state(whole)).toBe(state(single));
    }),
  );

  property(
    `the same in gives the same out, and the seed decides nothing that shows (${binary})`,
    fc.property(worlds, steps, fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (world, life, seed) => {
      const first = ready(world, binary, 'single', 1n);
      const { reports } = oneByOne(first, world, life);
      const again = ready(world, binary, 'whole', seed);
      expect(oneByOne(again, world, life).reports).toEqual(reports);
      expect(state(again)).toBe(state(first));
    }),
  );
});
