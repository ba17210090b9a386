/**
 * Random packets through the real kernel and through the core, which must send the same.
 *
 * @module
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Connections, connectionsWorld } from './generate/connections.js';
import { Segments, segmentsWorld } from './generate/segments.js';
import { Traffic } from './generate/traffic.js';
import { makeWorld, type World } from './generate/world.js';
import { type Judgement, judge } from './judge.js';
import { Random } from './random.js';
import { record, type StepSource } from './record.js';
import { failureText } from './report.js';
import { ROOT } from './root.js';
import { saveScenario } from './save.js';
import { type Failure, repeat, shrink } from './shrink.js';
import { Tally } from './tally.js';
import { bootDirector, type KernelDirector } from './uml.js';

const HELP = `usage: npm run test:kernel -- [options]

  --seconds N    how long; default 60
  --seed S       default: by the clock; printed
  --cases N      at most so many; default: as many as there is time for
  --case K       only this case of the seed
  --profile P    packets: all kinds of them; connections: as many of these as there may be, for the picks of the
                 schedulers; states: any sequence of segments. Default packets
  --packets N    packets of a case; default 400, or 4000 of the other profiles
  --guests N     kernels that do cases at the same time; default 1
  --save DIR     where differences are saved as scenarios for ipvs-wasm verify;
                 default build/differences
`;

const OPTIONS = {
  seconds: { type: 'string', default: '60' },
  seed: { type: 'string' },
  cases: { type: 'string', default: '999999999' },
  case: { type: 'string' },
  profile: { type: 'string', default: 'packets' },
  packets: { type: 'string' },
  guests: { type: 'string', default: '1' },
  save: { type: 'string', default: join(ROOT, 'build/differences') },
  help: { type: 'boolean', default: false },
} as const;

interface Profile {
  /** Packets of a case. */
  readonly packets: number;
  world(random: Random): World;
  traffic(random: Random, world: World, packets: number): StepSource;
}

const PROFILES: Readonly<Record<string, Profile>> = {
  packets: { packets: 400, world: makeWorld, traffic: (...all) => new Traffic(...all) },
  connections: { packets: 4000, world: connectionsWorld, traffic: (...all) => new Connections(...all) },
  states: { packets: 4000, world: segmentsWorld, traffic: (...all) => new Segments(...all) },
};

/** Differences of one kind are shrunk once; this many kinds at most. */
const SHRUNK = 25;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const seed = whole(values.seed ?? String(Date.now() % 1_000_000_000), '--seed');
  const seconds = whole(values.seconds, '--seconds');
  const profile = PROFILES[values.profile];
  if (profile === undefined)
    throw new Error(`--profile: expected ${Object.keys(PROFILES).join(', ')}, got ${values.profile}`);
  const packets = values.packets === undefined ? profile.packets : whole(values.packets, '--packets');
  const only = values.case === undefined ? undefined : whole(values.case, '--case');
  console.log(`seed ${seed}`);
  const kernels: KernelDirector[] = [];
  // One after another: ports that two find free may be the same.
  for (let left = whole(values.guests, '--guests'); left > 0; left--) kernels.push(await bootDirector());
  const tally = new Tally();
  const until = performance.now() + seconds * 1000;
  let number = only ?? 0;
  const end = number + (only === undefined ? whole(values.cases, '--cases') : 1);
  const doCases = async (kernel: KernelDirector) => {
    while (number < end && performance.now() < until) await doOne(kernel, number++);
  };
  const doOne = async (kernel: KernelDirector, at: number) => {
    const failure = await doCase(kernel, tally, { ...profile, packets }, seed, at).catch((cause: Error) => {
      throw new Error(`case ${at}: ${cause.message}`, { cause });
    });
    if (failure === undefined) return;
    const again = await repeat(kernel, failure);
    const name = `seed ${seed} case ${at}`;
    const save = (found: Failure, title: string) => {
      const folder = join(values.save, `seed-${seed}-case-${at}`);
      console.log(`\n${title}\n${failureText(found)}\n  saved: ${folder}`);
      saveScenario(folder, name, found.recording);
    };
    if (again === undefined) {
      tally.differedOnce(failure.difference.signature);
      save(failure, `differed once and not again: ${name}`);
    } else if (tally.differs(again.difference.signature) && tally.kinds <= SHRUNK) {
      save((await shrink(kernel, again)) ?? again, `difference: ${name}`);
    }
  };
  try {
    await Promise.all(kernels.map(doCases));
  } finally {
    for (const kernel of kernels) kernel.close();
  }
  console.log(tally.text());
  return tally.differences === 0 ? 0 : 1;
}

async function doCase(
  kernel: KernelDirector,
  tally: Tally,
  { packets, ...profile }: Profile,
  seed: number,
  number: number,
): Promise<Failure | undefined> {
  // Cases of a seed have nothing to do with each other.
  const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca77));
  const world = profile.world(random);
  const recording = await record(kernel, world, profile.traffic(random, world, packets));
  const found: Judgement = judge(recording);
  tally.add(world, recording, found);
  if (found.difference === undefined) return undefined;
  const { network, setup, busy } = world;
  return {
    tried: { network, setup, steps: [], ...(busy !== undefined && { busy }) },
    recording,
    difference: found.difference,
  };
}

function whole(text: string, option: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${option}: expected a whole number, got ${text}`);
  return Number(text);
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
