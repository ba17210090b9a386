/**
 * Makes the transcripts in `test/fixtures/ipvsadm` with the real ipvsadm: those that are there are run again, command by
 * command, and random ones are made anew.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTranscript, writeTranscript } from '../../rules/transcript.js';
import { Random } from '../random.js';
import { ROOT } from '../root.js';
import { bootDirector, type KernelDirector } from '../uml.js';
import { runOnKernel } from './both.js';
import { LISTINGS, makeRuleSet, makeSteps, type Step } from './generate.js';

const FOLDER = join(ROOT, 'test/fixtures/ipvsadm');
/** Written by hand: what is typed in them is kept. */
const TYPED = ['services', 'servers', 'listings', 'restore'];
/** Random sets, by their seeds. */
const COMMANDS = [1, 2, 3, 4];
const RULE_SETS = [5, 6, 7, 8];
/** What a host calls its addresses differs from one to the next. */
const NUMERIC = LISTINGS.filter((argv) => argv.join().includes('n'));

async function record(kernel: KernelDirector, name: string, steps: readonly Step[]): Promise<void> {
  const ran = await runOnKernel(kernel, steps);
  const exchanges = steps.map((step, i) => ({
    argv: 'restore' in step ? ['-R'] : step.argv,
    input: 'restore' in step ? step.restore.map((line) => `${line.join(' ')}\n`).join('') : '',
    ...ran[i]!,
  }));
  writeFileSync(join(FOLDER, `${name}.txt`), writeTranscript(exchanges));
  console.log(`${name}: ${steps.length} commands`);
}

function typed(name: string): Step[] {
  const exchanges = readTranscript(readFileSync(join(FOLDER, `${name}.txt`), 'utf8'));
  return exchanges.map(({ argv, input }) =>
    argv[0] === '-R' && argv.length === 1
      ? {
          restore: input
            .split('\n')
            .slice(0, -1)
            .map((line) => [line]),
        }
      : { argv },
  );
}

const looks: Step[] = NUMERIC.map((argv) => ({ argv }));
await using kernel = await bootDirector();
for (const name of TYPED) await record(kernel, name, typed(name));
for (const seed of COMMANDS) await record(kernel, `commands-${seed}`, [...makeSteps(new Random(seed), 30), ...looks]);
for (const seed of RULE_SETS) {
  await record(kernel, `rules-${seed}`, [{ restore: makeRuleSet(new Random(seed), 8) }, ...looks]);
}
