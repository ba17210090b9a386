/**
 * Feeds a scenario to a director: packets and events at their times, and keeps what it sends.
 *
 * @module
 */
import { IpvsError } from '../errors.js';
import type { SysctlConfig } from '../types.js';
import type { CapturedFrame, SentFrame } from './compare.js';
import { applyEvent, type EventTarget } from './events.js';
import type { LocalInput } from './host.js';
import type { Scenario } from './load.js';

/** What became of a frame: the `Director`'s `Outcome`, as far as a replay looks at it. */
export interface ReplayOutcome {
  readonly verdict: string;
  readonly reason: string;
  readonly outInterface: string | undefined;
  readonly frame: Uint8Array;
  /** Made by the director, not the frame that was given to it. */
  readonly made: boolean;
}

/** What a scenario is replayed through: the `Director`, or the reference. */
export interface ReplayTarget extends EventTarget {
  /** Judges one frame at `now` (ms since the epoch); gives it and what it caused. */
  send(frame: Uint8Array, inInterface: string, now: number): ReplayOutcome[];
  close?(): void;
}

/** What came out of a replay. */
export interface Replay {
  /** What left, by interface (`undefined`: by none), in order. */
  readonly sent: ReadonlyMap<string | undefined, readonly SentFrame[]>;
  /** The packets that were left to the host. */
  readonly local: readonly LocalInput[];
  /** Packets that were fed. */
  readonly fed: number;
  /** Why and when it ended early. */
  readonly stopped: { readonly message: string; readonly time: bigint } | undefined;
}

interface Step {
  readonly time: bigint;
  run(): void;
}

/** Replays a scenario to its end, or to the first event that cannot be applied. */
export function replay(scenario: Scenario, target: ReplayTarget): Replay {
  const sent = new Map<string | undefined, SentFrame[]>();
  const local: LocalInput[] = [];
  const sysctl: SysctlConfig = {};
  let fed = 0;
  const input = (capture: 'cli-in' | 'srv-in', { number, time, data }: CapturedFrame) => {
    const cause = { capture, frame: number, time };
    fed++;
    for (const outcome of target.send(data, capture.slice(0, -3), milliseconds(time))) {
      const { verdict, reason, outInterface, frame, made } = outcome;
      if (verdict === 'forward') {
        const list = sent.get(outInterface);
        const entry = { data: frame, reason, made, cause };
        if (list === undefined) sent.set(outInterface, [entry]);
        else list.push(entry);
      } else if (verdict === 'local') {
        const inner = reason === 'decapsulated' ? frame : undefined;
        local.push({ capture, frame: number, time, data, inner, reason });
      }
    }
  };
  const steps: Step[] = [
    // In this order at equal times: the sort keeps it.
    ...scenario.events.map((event) => ({
      time: event.time,
      run: () => {
        target.advance(milliseconds(event.time));
        applyEvent(target, event, sysctl);
      },
    })),
    ...scenario.captures['cli-in'].map((frame) => ({ time: frame.time, run: () => input('cli-in', frame) })),
    ...scenario.captures['srv-in'].map((frame) => ({ time: frame.time, run: () => input('srv-in', frame) })),
  ].sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  for (const { time, run } of steps) {
    try {
      run();
    } catch (error) {
      if (!(error instanceof IpvsError)) throw error;
      return { sent, local, fed, stopped: { message: error.message, time } };
    }
  }
  return { sent, local, fed, stopped: undefined };
}

/** Whole ms exactly, the rest as a fraction. */
function milliseconds(time: bigint): number {
  return Number(time / 1_000_000n) + Number(time % 1_000_000n) / 1e6;
}
