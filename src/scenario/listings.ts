/**
 * The listings of a scenario folder: what ipvsadm printed on the captured director, and when.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IpvsError } from '../errors.js';
import { isRecord } from './note.js';
import { stateLooks } from './states.js';

/** A listing of ipvsadm at a time. */
export interface ListingLook {
  /** ns since the epoch, the clock of the captures. */
  readonly time: bigint;
  /** Where it stands: `services.txt`, `dump-full.txt`. */
  readonly file: string;
  /** The words of ipvsadm. */
  readonly argv: readonly string[];
  readonly expected: string;
}

/** What a connection of a client's port, or the first dest's counts, were at a time. */
export interface StateLook {
  readonly time: bigint;
  readonly file: string;
  /** The line as it stands there. */
  readonly line: string;
  readonly clientPort: number;
  /** `14:59 ESTABLISHED`, `none`, or the counts `active 1 inactive 0`. */
  readonly expected: string;
}

/** Either of them. */
export type Look = ListingLook | StateLook;

/** What was listed once, behind everything. */
const FINAL: Readonly<Record<string, readonly string[]>> = {
  'conns.txt': ['-Lnc'],
  'persistent.txt': ['-Lnc', '--persistent-conn'],
  'services.txt': ['-Ln'],
  'stats.txt': ['-Ln', '--stats', '--exact'],
  'thresholds.txt': ['-Ln', '--thresholds'],
  'timeouts.txt': ['-L', '--timeout'],
  'rules.txt': ['-S', '-n'],
};

/**
 * Reads the listings that are in the folder.
 *
 * @throws {IpvsError} `BAD_INPUT` for a file that is not in its format
 */
export async function loadLooks(folder: string, scenario: Record<string, unknown>): Promise<Look[]> {
  const events = (Array.isArray(scenario.events) ? scenario.events : []).filter(isRecord);
  const read = async (file: string): Promise<string | undefined> =>
    existsSync(join(folder, file)) ? readFile(join(folder, file), 'utf8') : undefined;
  const looks: Look[] = [];
  for (const { kind, label, t_ns } of events) {
    // Those of a backup director are not ours.
    if (kind !== 'dump' || typeof label !== 'string' || label.endsWith('-backup')) continue;
    const time = BigInt(String(t_ns));
    for (const [file, argv] of label === '' ? Object.entries(FINAL) : []) {
      const expected = await read(file);
      if (expected !== undefined) looks.push({ time, file, argv, expected });
    }
    const file = `dump-${label}.txt`;
    const dump = label === '' ? undefined : await read(file);
    if (dump !== undefined) looks.push(...sections(dump, file).map((section) => ({ time, file, ...section })));
  }
  const timeline = await read('timeline.txt');
  if (timeline !== undefined) looks.push(...timelineLooks(timeline));
  const states = await read('states.txt');
  if (states !== undefined) looks.push(...stateLooks(states, events));
  return looks;
}

/** `== ipvsadm WORDS`, and what was printed. */
function sections(text: string, file: string): Pick<ListingLook, 'argv' | 'expected'>[] {
  const parts = text.split(/^== ipvsadm (.*)\n/m);
  if (parts[0] !== '') throw new IpvsError('BAD_INPUT', `${file}: expected == ipvsadm in its first line`);
  return parts.slice(1).flatMap((words, i) => {
    return i % 2 === 0 ? [{ argv: words.split(' '), expected: parts[i + 2] ?? '' }] : [];
  });
}

/** What ipvsadm takes to start, ns: times of the timeline were noted before. */
const START = 10_000_000n;

/** `### t_ns=TIME`, and the connections then. */
function timelineLooks(text: string): ListingLook[] {
  const parts = text.split(/^### t_ns=(\d+)\n/m).slice(1);
  return parts.flatMap((time, i) => {
    const expected = parts[i + 1] ?? '';
    return i % 2 === 0 ? [{ time: BigInt(time) + START, file: 'timeline.txt', argv: ['-Lnc'], expected }] : [];
  });
}
