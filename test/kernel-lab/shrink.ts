/**
 * Does a failing case again, and makes it small: steps and rules are left out while the core still differs in the same way.
 *
 * @module
 */
import type { Case, Recording, Step } from './case.js';
import { type CaseDifference, type Judgement, judge } from './judge.js';
import { record, sourceOf } from './record.js';
import type { KernelDirector } from './uml.js';

/** A case that fails, and what the kernel did in it. */
export interface Failure {
  readonly tried: Case;
  readonly recording: Recording;
  readonly difference: CaseDifference;
}

/** How often a case is tried, and for how many ms, at most. */
const TRIES = 120;
const TIME = 20_000;

/** How often a case that differs is done again before it is nothing but the guest's timing. */
const REPETITIONS = 2;

/** The same steps once more, until they differ again, be it otherwise; `undefined`: they do not. @throws Error when the guest fails */
export async function repeat(
  kernel: KernelDirector,
  { tried, recording, difference }: Failure,
): Promise<Failure | undefined> {
  const again = { ...tried, steps: stepsOf(recording, difference.step) };
  for (let left = REPETITIONS; left > 0; left--) {
    const second = await record(kernel, again, sourceOf(again.steps));
    const found = judge(second).difference;
    if (found !== undefined) return { tried: again, recording: upTo(second, found.step), difference: found };
  }
  return undefined;
}

/**
 * A smaller case with a difference of the same signature; `undefined` when it does not show again.
 *
 * @throws Error when the guest fails
 */
export async function shrink(kernel: KernelDirector, failing: Failure): Promise<Failure | undefined> {
  const { signature } = failing.difference;
  let tries = 0;
  const until = performance.now() + TIME;
  let best: Failure | undefined;
  const fails = async (tried: Case): Promise<boolean> => {
    tries++;
    let recording: Recording;
    let found: Judgement;
    try {
      recording = await record(kernel, tried, sourceOf(tried.steps));
      found = judge(recording);
    } catch {
      // A rule that needs one which was left out.
      return false;
    }
    const { difference } = found;
    if (difference?.signature !== signature) return false;
    const steps = tried.steps.slice(0, difference.step + 1);
    best = { tried: { ...tried, steps }, recording: upTo(recording, difference.step), difference };
    return true;
  };

  const steps = stepsOf(failing.recording, failing.difference.step);
  if (!(await fails({ ...failing.tried, steps }))) return undefined;
  const current = (): Case => (best as Failure).tried;
  const goesOn = () => tries < TRIES && performance.now() < until;
  for (const part of ['steps', 'setup', 'steps'] as const) {
    await minimal(
      () => current()[part],
      (left) => fails({ ...current(), [part]: left }),
      goesOn,
    );
  }
  return best;
}

function stepsOf({ done }: Recording, last: number): Step[] {
  return done.slice(0, last + 1).map(({ step }) => step);
}

function upTo(recording: Recording, step: number): Recording {
  return { ...recording, done: recording.done.slice(0, step + 1) };
}

/** Leaves out ever smaller parts of a list, from its end (delta debugging). `current` is the list as far as it got. */
async function minimal<T>(
  current: () => readonly T[],
  fails: (left: readonly T[]) => Promise<boolean>,
  goesOn: () => boolean,
): Promise<void> {
  for (let size = Math.ceil(current().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let end = current().length; end > 0 && goesOn(); end -= size) {
      const list = current();
      const from = Math.max(0, end - size);
      await fails([...list.slice(0, from), ...list.slice(end)]);
    }
  }
}
