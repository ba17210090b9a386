/**
 * Two real TCP stacks with the director between them: curl and nginx in guests, HTTP both ways, in every mode.
 *
 * @module
 */
import { parseArgs } from 'node:util';
import type { Family } from '../../../src/address.js';
import { BALANCERS } from './balancer.js';
import { tryAll } from './lab.js';
import { MODES, type Mode } from './modes.js';

const HELP = `usage: npm run test:kernel:stacks -- [options]

A client and two servers, each a Linux of its own, with the director between them. In each mode and family a file
goes down and up by HTTP, many connections are open at once, and the director is made anew of its snapshot in the
middle of a transfer down and one up; an idle connection, where the director translates, is reset at both ends. Needs Debian's user-mode-linux, nginx, curl and bash.

  --mode M,...     ${Object.keys(MODES).join(', ')}; default: all that the director knows
  --family F       4 or 6; default: both
  --director D     core, or reference, which has no snapshots; default core
  --mib N          of each file; default 64
  --connections N  at once; default 200
  --loss P         how often a frame is lost, 0 to 1; default 0
  --reorder P      how often others overtake one
  --duplicate P    how often one comes twice
  --seed S         of what is sent, and of the misfortunes; default: by the clock; printed
`;

const OPTIONS = {
  mode: { type: 'string' },
  family: { type: 'string', default: '4,6' },
  director: { type: 'string', default: 'core' },
  mib: { type: 'string', default: '64' },
  connections: { type: 'string', default: '200' },
  loss: { type: 'string', default: '0' },
  reorder: { type: 'string', default: '0' },
  duplicate: { type: 'string', default: '0' },
  seed: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const seed = whole(values.seed ?? String(Date.now() % 1_000_000_000), '--seed');
  const maker = named(values.director, BALANCERS, '--director');
  const mib = whole(values.mib, '--mib');
  const many = whole(values.connections, '--connections');
  const impairment = {
    loss: share(values.loss, '--loss'),
    reorder: share(values.reorder, '--reorder'),
    duplicate: share(values.duplicate, '--duplicate'),
  };
  const families = values.family.split(',').map(familyOf);
  console.log(`seed ${seed}`);
  let failed = 0;
  const known = Object.keys(MODES).filter((name) => maker.has(MODES[name] as Mode));
  for (const name of values.mode?.split(',') ?? known) {
    const mode = named(name, MODES, '--mode');
    if (!maker.has(mode)) throw new Error(`--mode: ${values.director} does not know ${name}`);
    for (const family of families.filter((each) => each !== mode.serverFamily)) {
      const tell = (text: string) => console.log(`${name} IPv${family}: ${text}`);
      try {
        await tryAll({ maker, mode, family, impairment, mib, many, seed }, tell);
      } catch (error) {
        failed++;
        tell(`FAILED: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  console.log(`${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function named<T>(name: string, all: Readonly<Record<string, T>>, option: string): T {
  const found = all[name];
  if (found === undefined) throw new Error(`${option}: expected ${Object.keys(all).join(', ')}, got ${name}`);
  return found;
}

function familyOf(text: string): Family {
  if (text !== '4' && text !== '6') throw new Error(`--family: expected 4 or 6, got ${text}`);
  return text === '4' ? 4 : 6;
}

function whole(text: string, option: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${option}: expected a whole number, got ${text}`);
  return Number(text);
}

function share(text: string, option: string): number {
  const value = /^(0|1|0?\.\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw new Error(`${option}: expected a number from 0 to 1, got ${text}`);
  return value;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
