/**
 * Random rules and command lines through the real ipvsadm and through ours: what both print must be the same, and their
 * exit codes.
 *
 * @module
 */
import { parseArgs } from 'node:util';
import { Random } from '../random.js';
import { bootDirector, type KernelDirector } from '../uml.js';
import { runOnKernel, runOnOurs, shellText } from './both.js';
import { LISTINGS, makeRuleSet, makeSteps, type Step } from './generate.js';

const HELP = `usage: npm run test:kernel:rules -- [options]

  --sets N       how many sets of command lines; default 100
  --seed S       default: by the clock; printed
  --set K        only this one of the seed
`;

/** Differences that are shown. */
const SHOWN = 30;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      sets: { type: 'string', default: '100' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
      set: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const seed = Number(values.seed);
  const first = Number(values.set ?? 0);
  const end = values.set === undefined ? Number(values.sets) : first + 1;
  console.log(`seed ${seed}`);
  await using kernel = await bootDirector();
  let [commands, differences] = [0, 0];
  for (let number = first; number < end; number++) {
    const steps = makeSet(new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca77)));
    commands += steps.length;
    differences += await compare(kernel, steps, `seed ${seed} set ${number}`, SHOWN - differences);
  }
  console.log(`${end - first} sets, ${commands} commands, ${differences} sets with a difference`);
  return differences === 0 ? 0 : 1;
}

/** Every second one is a rule set for `-R`, the others are command lines; listings of what came of it follow. */
function makeSet(random: Random): Step[] {
  const looks: Step[] = LISTINGS.map((argv) => ({ argv }));
  if (random.once(2)) return [{ restore: makeRuleSet(random, 1 + random.below(12)) }, ...looks];
  return [...makeSteps(random, 12), ...looks];
}

/** Shows the first difference, and what led to it; gives how many sets differ. */
async function compare(kernel: KernelDirector, steps: readonly Step[], name: string, show: number): Promise<0 | 1> {
  const theirs = await runOnKernel(kernel, steps);
  const ours = runOnOurs(steps);
  const at = steps.findIndex((_, i) => theirs[i]!.output !== ours[i]!.output || theirs[i]!.code !== ours[i]!.code);
  if (at < 0) return 0;
  if (show <= 0) return 1;
  console.log(`\ndifference: ${name}, step ${at + 1}`);
  for (const step of steps.slice(0, at + 1)) console.log(`  ${shellText(step).replaceAll('\n', '\n    ')}`);
  const [expected, got] = [theirs[at]!, ours[at]!];
  console.log(`  expected (${expected.code})\n${indent(expected.output)}  got (${got.code})\n${indent(got.output)}`);
  return 1;
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '    ');
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
}
