/**
 * `npm run bench`: the suites, one table a task.
 *
 * @module
 */

import { join } from 'node:path';
import { describeMachine, ROOT } from './machine.js';
import { HELP, type Options, readOptions } from './options.js';
import { buildNative } from './rivals/native.js';
import type { Result, Settings, Suite } from './suite.js';
import { checksum } from './suites/checksum.js';
import { connections } from './suites/connections.js';
import { crc32c } from './suites/crc32c.js';
import { dr } from './suites/dr.js';
import { fullnat } from './suites/fullnat.js';
import { icmp } from './suites/icmp.js';
import { ipip } from './suites/ipip.js';
import { lookup } from './suites/lookup.js';
import { nat } from './suites/nat.js';
import { nat6 } from './suites/nat6.js';
import { nat64 } from './suites/nat64.js';
import { parse } from './suites/parse.js';
import { snapshot } from './suites/snapshot.js';
import { snat } from './suites/snat.js';
import { tunnels } from './suites/tunnels.js';
import { header, table } from './table.js';

const SUITES: Record<string, Suite> = {
  parse,
  checksum,
  crc32c,
  lookup,
  nat,
  nat6,
  fullnat,
  nat64,
  snat,
  dr,
  ipip,
  tunnels,
  icmp,
  connections,
  snapshot,
};

function settingsOf(options: Options): Settings {
  const { quick } = options;
  return {
    connections: options.connections ?? (quick ? [1_000, 100_000] : [1_000, 100_000, 1_000_000]),
    bursts: options.bursts ?? (quick ? [256] : [1, 32, 256]),
    rounds: options.rounds ?? (quick ? 3 : 5),
    seconds: options.seconds ?? (quick ? 0.2 : 0.5),
    length: options.length ?? 64,
    referenceConnections: quick ? 10_000 : 100_000,
    native: buildNative(join(ROOT, 'bench')),
  };
}

function main(args: string[]): void {
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const names = options.only.length > 0 ? options.only : Object.keys(SUITES);
  for (const name of names) {
    if (SUITES[name] === undefined)
      throw new RangeError(`expected a suite of ${Object.keys(SUITES).join(', ')}, got ${name}`);
  }
  const machine = describeMachine();
  const settings = settingsOf(options);
  if (!options.json) process.stdout.write(`${header(machine)}\n`);
  const results: Result[] = [];
  for (const name of names) {
    for (const result of SUITES[name]!(settings)) {
      results.push(result);
      if (!options.json) process.stdout.write(`${table(result)}\n`);
      else process.stderr.write(`${result.suite}: ${result.task}\n`);
    }
  }
  if (options.json) {
    const { native, ...rest } = settings;
    process.stdout.write(
      `${JSON.stringify({ machine, settings: { ...rest, native: native !== undefined }, results }, undefined, 2)}\n`,
    );
  }
}

try {
  main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
