/**
 * Holds our listings, printed by our own ipvsadm, to those of the captured director: line by line, byte for byte. What may
 * differ is named here:
 *
 * - seconds that a connection has left, by one, as may whether it is there in its last second; the kernel lists connections
 *   by hash bucket, in an order that means nothing;
 * - counters are those of one moment up to two seconds before, when the kernel summed up all of them; but of a dest that was
 *   not there at that moment those of the moment before, and so on.
 *
 * @module
 */
import { type IpvsadmTarget, runIpvsadm } from '../rules/program.js';
import { type Counters, wrongCounters } from './compare-counters.js';
import type { ListingLook, Look } from './listings.js';

/** What was seen of ours for a listing of the kernel's. */
export interface Seen {
  /** Our listing at the time that is noted for the kernel's. */
  readonly got: string;
  /** The same from when that may have been made. */
  readonly earlier: string;
  /** When that was, ms. */
  readonly since: number;
  /** Our counters from the start up to `got`. */
  readonly counters: readonly Counters[];
}

/** Whether a listing is one of counters. */
export function isOfCounters(look: Look): boolean {
  return 'argv' in look && look.argv.includes('--stats');
}

/** Our own listing; `now` in ms. */
export function listingOf(argv: readonly string[], target: IpvsadmTarget, now: number): string {
  let text = '';
  const write = (more: string): void => {
    text += more;
  };
  runIpvsadm(argv, target, { out: write, err: write, input: () => '' }, { now });
  return text;
}

/** What is wrong about our listing; nothing when it is as the kernel's. */
export function listingDifferences(look: ListingLook, seen: Seen): string[] {
  const { file, argv, expected } = look;
  const [theirs, got, earlier] = [expected, seen.got, seen.earlier].map(linesOf) as [string[], string[], string[]];
  const differences = argv.some((word) => /^-\w*c/.test(word))
    ? compareConnections(theirs, got, earlier)
    : isOfCounters(look)
      ? wrongCounters(theirs, seen.counters, seen.since).map((i) => differenceOf(i, theirs, got))
      : compareLines(theirs, got);
  return differences.map((text) => `${file}: ipvsadm ${argv.join(' ')}: ${text}`);
}

export function linesOf(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

function compareLines(expected: readonly string[], got: readonly string[]): string[] {
  return [...Array(Math.max(expected.length, got.length)).keys()]
    .filter((i) => expected[i] !== got[i])
    .map((i) => differenceOf(i, expected, got));
}

function differenceOf(i: number, expected: readonly string[], got: readonly string[]): string {
  return `line ${i + 1}: ${told(expected[i], got[i])}`;
}

/** A connection's line: what it is, and what it has left. */
interface Row {
  readonly line: string;
  readonly name: string;
  readonly seconds: number;
}

function compareConnections(expected: readonly string[], got: readonly string[], earlier: readonly string[]): string[] {
  const differences = compareLines(expected.slice(0, 2), got.slice(0, 2));
  const theirs = rowsOf(expected.slice(2));
  const ours = rowsOf(got.slice(2));
  const most = new Map(rowsOf(earlier.slice(2)).map(({ name, seconds }) => [name, seconds]));
  while (theirs.length > 0 || ours.length > 0) {
    const [their, our] = [theirs[0], ours[0]];
    const isSame = their?.name === our?.name;
    const isTheirs = isSame || our === undefined || (their !== undefined && their.name < our.name);
    if (isTheirs) theirs.shift();
    if (isSame || !isTheirs) ours.shift();
    const { name, seconds } = (isTheirs ? their : our) as Row;
    // What is not there any more may have been there before, or in its last second.
    const [least, upper] = [isSame ? our!.seconds : 0, most.get(name) ?? 0];
    if (isTheirs ? seconds >= least - 1 && seconds <= Math.max(least, upper) + 1 : seconds <= 1) continue;
    differences.push(told(isTheirs ? their?.line : undefined, isSame || !isTheirs ? our?.line : undefined));
  }
  return differences;
}

function rowsOf(lines: readonly string[]): Row[] {
  const rows = lines.map((line) => {
    const [, protocol = '', clock = '', rest = ''] = /^(\S+ +)(\d+:\d+)(.*)$/.exec(line) ?? [];
    return { line, name: protocol + rest, seconds: secondsOf(clock) };
  });
  return rows.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.seconds - b.seconds));
}

/** The seconds of `14:59`, which a text begins with. */
export function secondsOf(text: string): number {
  const [, minutes, seconds] = /^(\d+):(\d\d)/.exec(text) ?? [];
  return Number(minutes) * 60 + Number(seconds);
}

/** `14:59`. */
export function clockText(seconds: number): string {
  const parts = [Math.floor(seconds / 60), Math.floor(seconds % 60)];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}

/** For people. */
export function told(expected: string | undefined, got: string | undefined): string {
  return `expected ${shown(expected)}, got ${shown(got)}`;
}

function shown(line: string | undefined): string {
  return line === undefined ? 'nothing' : JSON.stringify(line);
}
