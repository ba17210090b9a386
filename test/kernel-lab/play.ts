/**
 * Gives the core what the kernel was given.
 *
 * @module
 */
import { Director } from '../../src/director.js';
import { IpvsError } from '../../src/errors.js';
import { Player, type Replay } from '../../src/scenario/replay.js';
import { type Done, eventOf, type Recording } from './case.js';
import { CORE, PLAN } from './core.js';
import { compareTables, type TableDifference } from './tables.js';

/** What the core made of a recording. */
export interface Played extends Pick<Replay, 'sent' | 'local' | 'unresolved' | 'stopped'> {
  /** What differs in the tables at the end, and at each look by its index; `undefined`: there is no telling. */
  readonly tables: readonly TableDifference[] | undefined;
  readonly looks: ReadonlyMap<number, readonly TableDifference[] | undefined>;
}

/** @throws Error when the core fails. What it refuses of what it is given stops it, and is no failure. */
export function play({ network, setup, done, tables }: Recording): Played {
  using director = Director.createSync({ network, wasm: CORE, seed: 0n, plan: PLAN });
  const player = new Player(network, director);
  const looks = new Map<number, readonly TableDifference[] | undefined>();
  const fed = { cli: 0, srv: 0 };
  const step = ({ time, step, tables: seen }: Done, index: number) => {
    if (step.kind === 'frame') {
      const number = ++fed[step.inInterface];
      player.input(`${step.inInterface}-in`, { number, time, data: step.frame });
    } else if (step.kind === 'command' || step.kind === 'sysctl') {
      player.event(eventOf(step, time, index));
    } else if (seen !== undefined) {
      looks.set(index, compareTables(seen, director));
    }
  };
  let stopped: Replay['stopped'];
  for (const [i, one] of [...setup, ...done].entries()) {
    try {
      step(one, i - setup.length);
    } catch (error) {
      if (!(error instanceof IpvsError)) throw error;
      stopped = { message: error.message, time: one.time };
      break;
    }
  }
  return { ...player.outcome, stopped, looks, tables: compareTables(tables, director) };
}
