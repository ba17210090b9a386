/** Doing failing cases again and making them small, with a kernel that is a core with a fault. */
import { expect, it } from 'vitest';
import { Director } from '../../src/director.js';
import { Player } from '../../src/scenario/replay.js';
import { type Change, eventOf } from '../kernel-lab/case.js';
import { judge } from '../kernel-lab/judge.js';
import { record, sourceOf } from '../kernel-lab/record.js';
import { repeat, shrink } from '../kernel-lab/shrink.js';
import type { Emitted, KernelDirector } from '../kernel-lab/uml.js';
import { fromClient, NETWORK, request } from '../support/lab.js';
import { RELEASE, SETUP, step, tablesOf } from './recording.js';

const FAULTY_PORT = 1002;

/** Sends what the core sends, but nothing for one port once another one was seen; `only`: in these cases, from 1. */
function faultyKernel(...only: readonly number[]): KernelDirector {
  let player: Player<Director>;
  let director: Director;
  let number = 0;
  let seen = false;
  let cases = 0;
  const kernel: Partial<KernelDirector> = {
    release: RELEASE,
    renew: async () => {
      director = Director.createSync({ network: NETWORK, seed: 0n });
      player = new Player(NETWORK, director);
      seen = false;
      cases++;
    },
    must: async (script) => {
      for (const [, rule] of script.matchAll(/^(-[Aa] .*)$/gm)) {
        const change: Change = { kind: 'command', text: `ipvsadm ${rule}` };
        player.event(eventOf(change, BigInt(Date.now()) * 1_000_000n, 0));
      }
      return script.includes('/proc/net/ip_vs') ? tablesOf(director, BigInt(Date.now()) * 1_000_000n).text : '';
    },
    spontaneous: () => [],
    send: async (inInterface, data) => {
      const time = BigInt(Date.now()) * 1_000_000n;
      const port = new DataView(data.buffer).getUint16(34);
      const isFault = port === FAULTY_PORT && seen && (only.length === 0 || only.includes(cases));
      seen ||= port === 1000;
      const outcomes = player.input(inInterface === 'cli' ? 'cli-in' : 'srv-in', { number: ++number, time, data });
      return outcomes.flatMap(({ outInterface, frame }): Emitted[] =>
        outInterface === undefined || isFault ? [] : [{ outInterface, time, data: frame }],
      );
    },
  };
  return kernel as KernelDirector;
}

const STEPS = [999, 1000, 1001, 1003, FAULTY_PORT, 1004, 1005].map((sport) =>
  step('cli', fromClient(request('tcp', { sport }))),
);
const OTHER: Change = { kind: 'command', text: 'ipvsadm -A -u 10.0.0.100:53 -s rr' };
const CASE = { network: NETWORK, setup: [...SETUP, OTHER], steps: STEPS };

async function failureOf(kernel: KernelDirector) {
  const recording = await record(kernel, CASE, sourceOf(CASE.steps));
  const { difference } = judge(recording);
  if (difference === undefined) throw new Error('expected a difference');
  return { tried: CASE, recording, difference };
}

it('leaves what is needed for the same difference', async () => {
  const kernel = faultyKernel();
  const failure = await failureOf(kernel);
  expect(failure.difference.step).toBe(4);
  const small = await shrink(kernel, failure);
  expect(small?.tried.steps).toEqual([STEPS[1], STEPS[4]]);
  expect(small?.tried.setup).not.toContainEqual(OTHER);
  expect(small?.difference.step).toBe(1);
  expect(small?.recording.done).toHaveLength(2);
});

it('says when it does not show again', async () => {
  const kernel = faultyKernel(1);
  expect(await shrink(kernel, await failureOf(kernel))).toBeUndefined();
});

it('does a case twice again before it is none', async () => {
  const [once, late, twice] = [faultyKernel(1), faultyKernel(1, 3), faultyKernel()];
  expect(await repeat(once, await failureOf(once))).toBeUndefined();
  for (const kernel of [late, twice]) {
    const again = await repeat(kernel, await failureOf(kernel));
    expect(again?.difference.step).toBe(4);
    expect(again?.recording.done).toHaveLength(5);
  }
});
