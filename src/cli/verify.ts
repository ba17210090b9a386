/**
 * `ipvs-wasm verify`: holds our output against a kernel's, one line a scenario.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { Director } from '../director.js';
import type { HostFrame } from '../scenario/compare.js';
import { CAPTURES } from '../scenario/note.js';
import { type MakeTarget, type ScenarioResult, verifyScenario } from '../scenario/verify.js';
import { type Io, usageError } from './io.js';
import { type CommandSpec, helpText, parseOptions } from './options.js';

const SPEC: CommandSpec = {
  name: 'verify',
  summary: "hold our output to a kernel's captures",
  usage: ['[OPTIONS] DIR...'],
  options: [
    { name: 'skip', value: 'NAME', multiple: true, help: 'leave out a scenario (repeatable, or NAME,NAME)' },
    { name: 'json', help: 'print one JSON document instead of lines' },
  ],
  notes: `DIR is a scenario folder (scenario.json and the captures cli-in, srv-in,
cli-out, srv-out) or a folder of such folders. Events are applied, cli-in and
srv-in are fed, merged by time; what leaves is compared with cli-out and
srv-out, frame by frame and byte for byte. Masked, and counted, is only what a
director chooses by itself: the IP ID of its own ICMP and of outer headers
without DF, the UDP source port of GUE, IPv6 fragment identifications, the flow
label of its own ICMPv6, and its clock. Frames of the captured host's own stack
are listed as host.

What ipvsadm listed there, at its times, is compared with what our ipvsadm
lists: connections, services, counters, states. A second that a connection has
left may differ, and counters may be older than the listing, as the kernel's are.

Exit code 0: all passed; 1: one failed, or none was verified; 2: wrong words,
or a DIR without a scenario.json.
`,
};

/**
 * With a fixed seed, so that two runs mask the same frames. Made without waiting: while nothing but a compilation is
 * awaited, Node's event loop is empty, and Node (nodejs/node#54918) may then wait for its own threads for ever.
 */
const makeDirector: MakeTarget = (network) => Director.createSync({ network, seed: 0n });

/** What the command writes to. */
export type VerifyIo = Pick<Io, 'out' | 'err'>;

/**
 * Runs `verify` with the words after it.
 *
 * @returns the exit code, 0 or 1
 * @throws {CliError} exit code 2 for wrong words
 */
export async function verifyCommand(
  argv: readonly string[],
  io: VerifyIo,
  makeTarget: MakeTarget = makeDirector,
): Promise<number> {
  const options = parseOptions(SPEC, argv, true);
  if (options.has('help')) {
    io.out(helpText(SPEC));
    return 0;
  }
  const json = options.has('json');
  const skip = new Set(options.all('skip').flatMap((names) => names.split(',').map((name) => name.trim())));
  const folders: string[] = [];
  for (const word of options.positionals) {
    const found = await scenarioFolders(word);
    if (found.length === 0) throw usageError(`${word}: there is no scenario in this folder`);
    for (const folder of found) {
      if (!existsSync(join(folder, 'scenario.json'))) {
        throw usageError(`${folder}: this is no scenario: it has captures, but no scenario.json`);
      }
    }
    folders.push(...found);
  }
  const names = new Set(folders.map(nameOf));
  for (const name of skip) if (!names.has(name)) throw usageError(`--skip ${name}: there is no such scenario`);
  if (folders.length === 0) io.err('ipvs-wasm: verify: no scenario was given\n');

  const scenarios: ScenarioResult[] = [];
  const skipped: string[] = [];
  for (const folder of folders) {
    if (skip.has(nameOf(folder))) {
      skipped.push(nameOf(folder));
      if (!json) io.out(`SKIP ${nameOf(folder)}  asked for by --skip\n`);
      continue;
    }
    const result = await verifyScenario(folder, makeTarget);
    scenarios.push(result);
    if (!json) io.out(reportText(result));
  }
  const passed = scenarios.filter((result) => result.passed).length;
  const failed = scenarios.length - passed;
  if (json) io.out(`${JSON.stringify({ passed, failed, skipped, scenarios }, null, 2)}\n`);
  else io.out(`${passed} passed, ${failed} failed\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

/** The line of a scenario, and one line for each frame of the host. */
export function reportText(result: ScenarioResult): string {
  const { name, passed, matched, expected, host, masked, leftOut, differences, differenceCount, error } = result;
  const masks = Object.entries(masked).map(([mask, count]) => `${mask} ${count}`);
  const total = Object.values(masked).reduce((sum, count) => sum + count, 0);
  const counts = [
    `${matched}/${expected} matched`,
    `${host.length} host`,
    `${total} masked${masks.length === 0 ? '' : ` (${masks.join(', ')})`}`,
  ];
  if (leftOut.length > 0) {
    const frames = leftOut.reduce((sum, rule) => sum + rule.frames.length, 0);
    const rules = [...new Set(leftOut.map(({ rule }) => rule))];
    counts.push(`${frames} left out (${rules.join(', ')})`);
  }
  if (result.listings > 0) counts.push(`${result.listings} listings`);
  let line = `${passed ? 'PASS' : 'FAIL'} ${name}  ${counts.join(', ')}`;
  const [first] = differences;
  if (first !== undefined) line += `; ${countText(differenceCount)}first difference: ${first.text}`;
  const [listing] = result.listingDifferences;
  if (listing !== undefined) line += `; ${countText(result.listingDifferences.length)}first in a listing: ${listing}`;
  if (error !== undefined) line += `; ${error}`;
  const answers = host.map(
    ({ capture, frame, text, cause }) => `  host: ${capture} frame ${frame}: ${text} (${causeText(cause)})\n`,
  );
  return `${line}\n${answers.join('')}`;
}

function causeText(cause: HostFrame['cause']): string {
  if (cause === undefined) return 'of its own accord';
  return `${cause.relation} ${cause.capture} frame ${cause.frame}, ${cause.reason}`;
}

function countText(differences: number): string {
  return differences === 1 ? '' : `${differences} differences, `;
}

function nameOf(folder: string): string {
  return basename(resolve(folder));
}

/** A scenario folder itself, or those in a folder, by name. */
async function scenarioFolders(folder: string): Promise<string[]> {
  if (await isScenario(folder)) return [folder];
  const found: string[] = [];
  for (const entry of (await entriesOf(folder)).sort()) {
    const inside = join(folder, entry);
    if (await isScenario(inside)) found.push(inside);
  }
  return found;
}

/** One file of a scenario is enough: a folder that lacks the others is refused or fails, and does not go unseen. */
async function isScenario(folder: string): Promise<boolean> {
  let entries: string[];
  try {
    entries = await entriesOf(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return false;
    throw error;
  }
  return entries.includes('scenario.json') || CAPTURES.some((name) => entries.includes(`${name}.pcap`));
}

function entriesOf(folder: string): Promise<string[]> {
  return readdir(folder);
}
