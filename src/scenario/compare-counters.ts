/**
 * Holds our counters to those that the kernel summed up last: it does so for all of them at once, about every two seconds
 * (`estimation_timer`), and lists what it found then. A dest that was not there at that moment shows what was found before.
 *
 * @module
 */

/** A listing of counters, and until when (ms) it was so. */
export interface Counters {
  readonly until: number;
  readonly lines: readonly string[];
}

/** Time between two estimations, ms: two seconds, and what the kernel's timers are late. */
const PERIOD = { least: 2000, most: 2100 } as const;

const NONE = '0 0 0 0 0';

/** Counts by service and dest. */
type Rows = ReadonlyMap<string, string>;

/** Rows, and from when until when (ms) they were so. */
interface Phase {
  readonly from: number;
  readonly until: number;
  readonly rows: Rows;
}

/**
 * The numbers of lines that are wrong, from 0, if the estimation was when fewest are.
 *
 * @param counters ours from the start until now, the last one being the current ones
 * @param since when the kernel's may have been listed at the earliest, ms
 */
export function wrongCounters(expected: readonly string[], counters: readonly Counters[], since: number): number[] {
  const phases = phasesOf(counters);
  const theirs = namesOf(expected);
  const ours = namesOf(counters.at(-1)?.lines ?? []);
  const first = since - PERIOD.most;
  let fewest = [...expected.keys()];
  for (const { from, until, rows } of phases) {
    if (until <= first) continue;
    const estimation = { from: Math.max(from, first), until, rows };
    const wrong = fewest.length === 0 ? [] : wrongAt(expected, theirs, ours, estimation, phases);
    if (wrong.length < fewest.length) fewest = wrong;
  }
  return fewest;
}

function phasesOf(counters: readonly Counters[]): Phase[] {
  return counters.map(({ until, lines }, i) => {
    const names = namesOf(lines);
    const rows = new Map(lines.map((line, at) => [names[at] as string, countsOf(line)]));
    // A command takes its time: what it changed may have been so until what came next.
    return { from: counters[i - 1]?.until ?? Number.NEGATIVE_INFINITY, until: counters[i + 1]?.until ?? until, rows };
  });
}

function wrongAt(
  expected: readonly string[],
  theirs: readonly string[],
  ours: readonly string[],
  estimation: Phase,
  phases: readonly Phase[],
): number[] {
  return [...Array(Math.max(theirs.length, ours.length)).keys()].filter((i) => {
    const name = theirs[i];
    return (
      name === undefined || name !== ours[i] || !countsFor(name, estimation, phases).includes(countsOf(expected[i]!))
    );
  });
}

/** What a row may count: as of an estimation or, where it was missing then, of the one before; nothing, if there was none. */
function countsFor(name: string, { from, until, rows }: Phase, phases: readonly Phase[]): string[] {
  const counts = rows.get(name);
  if (counts !== undefined) return [counts];
  const start = phases[0]?.until ?? until;
  for (let back = 1; until - back * PERIOD.least >= start; back++) {
    const [first, last] = [from - back * PERIOD.most, until - back * PERIOD.least];
    const found = phases.flatMap((each) => (each.until > first && each.from < last ? (each.rows.get(name) ?? []) : []));
    if (found.length > 0) return found;
  }
  return [NONE];
}

const COUNTS = /(?: +\d+){5}$/;

function countsOf(line: string): string {
  return COUNTS.exec(line)?.[0].trim().replace(/ +/g, ' ') ?? '';
}

/** What each line is about; dests of two services may have the same name. */
function namesOf(lines: readonly string[]): string[] {
  let service = '';
  return lines.map((line) => {
    const name = line.replace(COUNTS, '').trimEnd();
    if (!name.startsWith('  ->')) service = name;
    return name === service ? name : `${service}${name}`;
  });
}
