/**
 * The same command lines through the real ipvsadm on the real kernel, and through ours on a director.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { Director, type PlanOptions } from '../../../src/index.js';
import { namesFromFiles, runIpvsadm } from '../../../src/rules/index.js';
import { shellWords } from '../../rules/transcript.js';
import { CORE } from '../core.js';
import type { Ran } from '../guest.js';
import type { KernelDirector } from '../uml.js';
import type { Step } from './generate.js';

/** The guest has the host's files. */
const NAMES = namesFromFiles(textOf('/etc/hosts'), textOf('/etc/services'));
/** Nothing is sent: some room for rules is enough. */
const PLAN: Partial<PlanOptions> = { connections: 64, connections6: 64, arenaBytes: 1 << 17 };
const MARK = '=== step';

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** What each step printed, on both streams, and its exit code, on the kernel. */
export async function runOnKernel(kernel: KernelDirector, steps: readonly Step[]): Promise<Ran[]> {
  const commands = steps.map((step) => `${shellText(step)}\necho "${MARK} $?"`);
  const { output } = await kernel.run(['ipvsadm -C', 'ipvsadm --set 900 120 300', ...commands].join('\n'));
  const parts = output.split(new RegExp(`^${MARK} (\\d+)\\n?`, 'm'));
  return steps.map((_, i) => ({ output: parts[i * 2] ?? '', code: Number(parts[i * 2 + 1]) }));
}

/** The same on a new director. */
export function runOnOurs(steps: readonly Step[]): Ran[] {
  using director = Director.createSync({ plan: PLAN, seed: 0n, wasm: CORE });
  return steps.map((step) => {
    let output = '';
    const write = (text: string): void => {
      output += text;
    };
    const input = (): string => ('restore' in step ? step.restore.map((line) => `${line.join(' ')}\n`).join('') : '');
    const argv = 'restore' in step ? ['-R'] : step.argv;
    const code = runIpvsadm(argv, director, { out: write, err: write, input }, { names: NAMES });
    return { output, code };
  });
}

/** A step as one types it. */
export function shellText(step: Step): string {
  if (!('restore' in step)) return `${shellWords(step.argv)} </dev/null`;
  return `ipvsadm -R <<'END'\n${step.restore.map((line) => line.join(' ')).join('\n')}\nEND`;
}
