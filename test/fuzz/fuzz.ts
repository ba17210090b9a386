/**
 * Millions of damaged and random frames through directors of every method, tunnel and family, with living connections.
 * Every frame must get a verdict with a reason of its own; nothing may trap, nor write beside the frame's slot.
 *
 * @module
 */
import { parseArgs } from 'node:util';
import { EVICT_NAMES } from '../../src/director.js';
import { REASONS } from '../../src/reasons.js';
import { Random } from '../kernel-lab/random.js';
import { Attack } from './attack.js';
import { Target } from './target.js';

const HELP = `usage: npm run fuzz -- [options]

  --frames N    how many; default 10000000
  --seed S      default: by the clock; printed
`;

const OPTIONS = {
  frames: { type: 'string', default: '10000000' },
  seed: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

/** Bursts in the life of a director. */
const BURSTS = 20;

/** What makes room in a full table: no two worlds in a row have the same. */
/** Of so many bursts one is followed by a look at all lists. */
const AUDIT = 4;

/** Bytes for what the core makes: plenty, and in one world of eight hardly enough. */
const [ROOM, LITTLE_ROOM] = [1 << 20, 1 << 13];

/** From so many frames on each reason must have been met, but these. */
const MILLION = 1_000_000;
const NOT_MET: readonly string[] = [
  // Mistakes of the host.
  'bad-descriptor',
  'unknown-interface',
  // Rules do not change here.
  'dest-unavailable',
  // Only counts.
  'fragment-timeout',
  'client-address-lost',
  'drop-entry',
  'evicted-half-open',
  'evicted-closing',
  'evicted-datagram',
  'evicted-established',
];

function main(): void {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const seed = whole(values.seed ?? String(Date.now() % 1_000_000_000), '--seed');
  const frames = whole(values.frames, '--frames');
  console.log(`seed ${seed}`);
  const start = performance.now();
  const counts = new Map<string, number>();
  let [left, made, worlds] = [frames, 0, 0];
  for (; left > 0; worlds++) {
    // Worlds of a seed have nothing to do with each other.
    const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(worlds + 1, 0x85ebca77));
    const attack = new Attack(random);
    const target = new Target(
      attack.world,
      worlds % 8 === 7 ? LITTLE_ROOM : ROOM,
      EVICT_NAMES[worlds % EVICT_NAMES.length]!,
    );
    try {
      attack.warm(target);
      for (let i = 0; i < BURSTS && left > 0; i++) {
        const { given, all } = target.judge(attack.burst(Math.min(left, 256)), attack.later());
        for (const [name, count] of all) counts.set(name, (counts.get(name) ?? 0) + count);
        const judged = [...all.values()].reduce((sum, count) => sum + count, 0);
        made += judged - given;
        left -= given;
        if (i % AUDIT === 0) target.audit();
      }
    } catch (error) {
      throw new Error(`world ${worlds} of seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  for (const [name, count] of [...counts].sort(([, a], [, b]) => b - a)) console.log(`${count} × ${name}`);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `${frames} frames given, ${made} made, ${worlds} directors, ${seconds} s: no trap, every guard and list whole`,
  );
  const missed = REASONS.filter(({ name, verdict }) => !counts.has(`${verdict} ${name}`) && !NOT_MET.includes(name));
  if (frames >= MILLION && missed.length > 0) {
    throw new Error(`never met: ${missed.map(({ name }) => name).join(', ')}`);
  }
}

function whole(text: string, option: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${option}: expected a whole number, got ${text}`);
  return Number(text);
}

try {
  main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
