/**
 * Lets the kernel do a case, and writes down what it did.
 *
 * @module
 */
import { setTimeout } from 'node:timers/promises';
import type { Case, Done, Recording, Step } from './case.js';
import { clock } from './clock.js';
import { networkScript } from './network.js';
import type { KernelDirector } from './uml.js';

/** Two ticks of the guest's clock, ms. */
const TICKS = 25;

/** Says what happens next. */
export interface StepSource {
  /** `undefined`: that was all. */
  next(): Step | undefined;
  /** Hears what the kernel did then. */
  learn(done: Done): void;
}

/** How the kernel is set where the core is known to have only one way (docs/deviations.md). */
const ONE_WAY = [
  // IPv4 inside IPv6, too.
  'ip -6 tunnel change ip6tnl0 mode any',
];

/** What Linux does by itself with tunnel devices that come up, undone. */
const UNASKED = [
  // ::a.b.c.d for each IPv4 address of the host, and ::/96 as a link.
  'for name in sit0 gre0; do ip -6 addr flush dev $name; done',
];

/** What comes out of a tunnel is not held back to be joined with more (GRO): it is handled before the probe behind it. */
const AT_ONCE = [String.raw`ip -o link | sed -n 's/^[0-9]*: \([^@:]*\)@NONE: <[^>]*UP.*/ethtool -K \1 gro off/p' | sh`];

/** The steps of a case, as they are. */
export function sourceOf(steps: readonly Step[]): StepSource {
  const left = steps.values();
  return { next: () => left.next().value, learn: () => {} };
}

/**
 * Does a case from the start: the guest forgets all that was.
 *
 * @throws Error when a part of the set-up fails
 */
export async function record(
  kernel: KernelDirector,
  { network, setup }: Pick<Case, 'network' | 'setup'>,
  source: StepSource,
): Promise<Recording> {
  await kernel.renew();
  await kernel.must([networkScript(network), ...ONE_WAY, ...setupScript(setup), ...UNASKED, ...AT_ONCE].join('\n'));
  // What the kernel still had to say about the case before.
  kernel.spontaneous();
  const start = clock();
  const before = setup.map((step): Done => ({ time: start, step, emitted: [] }));
  const done: Done[] = [];
  for (let step = source.next(); step !== undefined; step = source.next()) {
    const time = clock();
    if (step.kind !== 'frame' && (await kernel.run(commandOf(step))).code !== 0) continue;
    const emitted = step.kind === 'frame' ? await kernel.send(step.inInterface, step.frame) : [];
    if (step.kind !== 'sysctl' && step.settles) await setTimeout(TICKS);
    const one = { time, step, emitted };
    done.push(one);
    source.learn(one);
  }
  return { network, setup: before, done };
}

function commandOf(step: Exclude<Step, { kind: 'frame' }>): string {
  if (step.kind === 'command') return step.text;
  const [path, value] = step.text.split('=');
  return `echo ${value} >/proc/sys/${path}`;
}

/** One command for all rules in a row: each start of a program takes the guest several ms. */
function setupScript(setup: readonly Step[]): string[] {
  const commands: string[] = [];
  let rules: string[] = [];
  const flush = () => {
    if (rules.length > 0) commands.push(`ipvsadm -R <<'END'\n${rules.join('\n')}\nEND`);
    rules = [];
  };
  for (const step of setup) {
    if (step.kind === 'frame') throw new TypeError('expected a command, got a frame');
    const rule = /^ipvsadm (-.*)$/.exec(step.text)?.[1];
    if (rule !== undefined) rules.push(rule);
    else {
      flush();
      commands.push(commandOf(step));
    }
  }
  flush();
  return commands;
}
