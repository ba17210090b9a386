/**
 * Measuring: Benchmark.js for what runs in this process, the native rival's own clock for what does not; in rounds
 * that take the contenders in turn, so that a noisy machine is noisy for all.
 *
 * @module
 */
import Benchmark from 'benchmark';

/** Where results go that nobody wants, so that they are not optimised away. */
export const sink: { value: number } = { value: 0 };

/** One measurement: nanoseconds an item, without what has to be left out. */
export interface Sample {
  ns: number;
  /** Nanoseconds an item of what was left out: copying the frames in, or the bare calls. */
  outside: number;
  /** Relative margin of error that Benchmark.js gives, in percent; the native rival has none. */
  rme: number | undefined;
}

/** Somebody who does a task. */
export interface Contender {
  name: string;
  /** Takes about `seconds`. */
  measure(seconds: number): Sample;
}

/** A contender's figures over all rounds. */
export interface Figures {
  name: string;
  /** Median of the rounds, nanoseconds an item. */
  ns: number;
  /** Half the distance of the quartiles, in percent of the median. */
  spread: number;
  outside: number;
  rme: number | undefined;
  rounds: number[];
}

/** Share of a measurement's time that goes to what is left out. */
const OUTSIDE_SHARE = 0.3;

function timed(fn: () => void, seconds: number): { mean: number; rme: number } {
  // minTime: at least a millisecond a sample, so that the clock's grain does not show
  const benchmark = new Benchmark({ fn, maxTime: seconds, minTime: Math.min(0.02, seconds / 10), minSamples: 5 });
  benchmark.run();
  if (benchmark.error !== undefined) throw benchmark.error;
  return { mean: benchmark.stats.mean, rme: benchmark.stats.rme };
}

/**
 * A contender in this process.
 *
 * @param work does `items` items, preparation included
 * @param outside does the preparation alone
 * @param before is called once before each measurement
 */
export function inProcess(
  name: string,
  items: number,
  work: () => void,
  outside?: () => void,
  before?: () => void,
): Contender {
  return {
    name,
    measure(seconds) {
      before?.();
      if (outside === undefined) {
        const { mean, rme } = timed(work, seconds);
        return { ns: (mean * 1e9) / items, outside: 0, rme };
      }
      const gross = timed(work, seconds * (1 - OUTSIDE_SHARE));
      const left = timed(outside, seconds * OUTSIDE_SHARE);
      return { ns: ((gross.mean - left.mean) * 1e9) / items, outside: (left.mean * 1e9) / items, rme: gross.rme };
    },
  };
}

function quantile(sorted: number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)]!;
  return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at));
}

/** The value in the middle. */
export function median(values: number[]): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

/** Measures all contenders, `rounds` times in turn. */
export function compare(contenders: Contender[], rounds: number, seconds: number): Figures[] {
  const samples = contenders.map((): Sample[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, contender] of contenders.entries()) samples[i]!.push(contender.measure(seconds));
  }
  return contenders.map(({ name }, i) => {
    const all = samples[i]!.map(({ ns }) => ns);
    const sorted = [...all].sort((a, b) => a - b);
    const middle = quantile(sorted, 0.5);
    const rmes = samples[i]!.flatMap(({ rme }) => rme ?? []);
    return {
      name,
      ns: middle,
      spread: ((quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2 / middle) * 100,
      outside: median(samples[i]!.map(({ outside }) => outside)),
      rme: rmes.length > 0 ? median(rmes) : undefined,
      rounds: all,
    };
  });
}
