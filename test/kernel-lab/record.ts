/**
 * Lets the kernel do a case, and writes down what it did.
 *
 * @module
 */
import { setTimeout } from 'node:timers/promises';
import type { Case, Change, Done, KernelTables, Recording, Step } from './case.js';
import { clock } from './clock.js';
import { networkScript } from './network.js';
import { Shadow } from './shadow.js';
import type { Emitted, KernelDirector } from './uml.js';

/** Three ticks of the guest's clock, by that clock: it stands still while the guest waits for a processor. */
const TICKS = 'sleep 0.03';

/**
 * How long packets may come from the start unless a case says otherwise, and after a pause, ms. The kernel's timers are late by up to an eighth, so
 * that nobody could tell what a packet finds about the time when one goes off: the shortest takes 2 s, and pauses
 * end when none is due for as long as this.
 */
const BUSY = 1500;

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
  { network, setup, busy = BUSY }: Omit<Case, 'steps'>,
  source: StepSource,
): Promise<Recording> {
  await kernel.renew();
  await kernel.must([networkScript(network), ...ONE_WAY, ...setupScript(setup), ...UNASKED, ...AT_ONCE].join('\n'));
  // What the kernel still had to say about the case before.
  kernel.spontaneous();
  const start = clock();
  const before = setup.map((step): Done<Change> => ({ time: start, step, emitted: [] }));
  using shadow = new Shadow(network, before);
  const done: Done[] = [];
  const sinceStart = () => Number(clock() - start) / 1e6;
  let until = busy;
  for (let step = source.next(); step !== undefined; step = source.next()) {
    if (step.kind === 'pause') until = step.until + BUSY;
    else if (sinceStart() > until) continue;
    if (step.kind === 'look') {
      const tables = await tablesOf(kernel);
      done.push({ time: tables.from, step, emitted: [], tables });
      continue;
    }
    const time = clock();
    const emitted = step.kind === 'pause' ? await pause(kernel, step.until - sinceStart()) : await act(kernel, step);
    if (emitted === undefined) continue;
    const one = { time, step, emitted };
    done.push(one);
    if (shadow.endsBy(one)) await kernel.must(TICKS);
    source.learn(one);
  }
  return { release: kernel.release, network, setup: before, done, tables: await tablesOf(kernel) };
}

/** What the kernel sent then; `undefined`: it refused a command. */
async function act(
  kernel: KernelDirector,
  step: Exclude<Step, { kind: 'pause' | 'look' }>,
): Promise<Emitted[] | undefined> {
  if (step.kind === 'frame') return kernel.send(step.inInterface, step.frame);
  return (await kernel.run(commandOf(step))).code === 0 ? [] : undefined;
}

async function pause(kernel: KernelDirector, ms: number): Promise<Emitted[]> {
  await setTimeout(Math.max(0, ms));
  return kernel.spontaneous();
}

async function tablesOf(kernel: KernelDirector): Promise<KernelTables> {
  const from = clock();
  const text = await kernel.must('cat /proc/net/ip_vs /proc/net/ip_vs_conn');
  return { from, to: clock(), text };
}

function commandOf(step: Change): string {
  if (step.kind === 'command') return step.text;
  const [path, value] = step.text.split('=');
  return `echo ${value} >/proc/sys/${path}`;
}

/** One command for all rules in a row: each start of a program takes the guest several ms. */
function setupScript(setup: readonly Change[]): string[] {
  const commands: string[] = [];
  let rules: string[] = [];
  const flush = () => {
    if (rules.length > 0) commands.push(`ipvsadm -R <<'END'\n${rules.join('\n')}\nEND`);
    rules = [];
  };
  for (const step of setup) {
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
