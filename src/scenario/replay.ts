/**
 * Feeds a scenario to a director: packets and events at their times, and keeps what it sends.
 *
 * @module
 */
import { IpvsError } from '../errors.js';
import { filled, isPartial } from './checksum.js';
import { surroundings } from './commands.js';
import type { CapturedFrame, SentFrame, SentPacket } from './compare.js';
import { applyEvent, type EventTarget } from './events.js';
import type { LocalInput } from './host.js';
import type { Scenario } from './load.js';
import { equal } from './masks.js';
import { packetOf } from './packet.js';

/** What became of a frame: the `Director`'s `Outcome`, as far as a replay looks at it. */
export interface ReplayOutcome {
  readonly verdict: string;
  readonly reason: string;
  readonly outInterface: string | undefined;
  readonly frame: Uint8Array;
  /** Made by the director, not the frame that was given to it. */
  readonly made: boolean;
  /** Whether its transport checksum holds only the sum over the pseudo header, for the network card to complete. */
  readonly partialChecksum?: boolean;
}

/** What a frame carries beside its bytes. */
export interface ReplayNotes {
  /** Firewall mark, 0: none. */
  readonly mark: number;
  readonly partialChecksum: boolean;
}

/** What a scenario is replayed through: the `Director`, or the reference. */
export interface ReplayTarget extends EventTarget {
  /** Judges one frame at `now` (ms since the epoch); gives it and what it caused. */
  send(frame: Uint8Array, inInterface: string, now: number, notes: ReplayNotes): ReplayOutcome[];
  close?(): void;
}

/** What came out of a replay. */
export interface Replay {
  /** What left, by interface (`undefined`: by none), in order. */
  readonly sent: ReadonlyMap<string | undefined, readonly SentFrame[]>;
  /** The packets that were left to the host. */
  readonly local: readonly LocalInput[];
  /** Frames whose packet went nowhere because its next hop was not known. */
  readonly unresolved: readonly SentFrame['cause'][];
  /** Packets that were fed. */
  readonly fed: number;
  /** Words of rules that were passed over, with the number of their event. */
  readonly passedOver: readonly { readonly event: number; readonly words: string }[];
  /** Why and when it ended early. */
  readonly stopped: { readonly message: string; readonly time: bigint } | undefined;
}

/** Bytes of an Ethernet header's addresses. */
const MACS = 12;

interface Step {
  readonly time: bigint;
  run(): void;
}

/** Replays a scenario to its end, or to the first event that cannot be applied. */
export function replay(scenario: Scenario, target: ReplayTarget): Replay {
  const sent = new Map<string | undefined, SentFrame[]>();
  const local: LocalInput[] = [];
  const unresolved: SentFrame['cause'][] = [];
  const around = surroundings(scenario.network);
  const { passedOver } = around;
  let fed = 0;
  let packets = 0;
  const leave = (outcome: ReplayOutcome, packet: SentPacket, cause: SentFrame['cause']) => {
    const { reason, outInterface } = outcome;
    const whole = outcome.partialChecksum ? filled(outcome.frame) : outcome.frame;
    const data = outInterface === undefined ? whole : around.netfilter.leaving(whole, outInterface);
    const list = sent.get(outInterface);
    const entry = { data, reason, packet, cause };
    if (list === undefined) sent.set(outInterface, [entry]);
    else list.push(entry);
  };
  const input = (capture: 'cli-in' | 'srv-in', { number, time, data }: CapturedFrame) => {
    const cause = { capture, frame: number, time, data };
    const inInterface = capture.slice(0, -3);
    const frame = around.netfilter.arriving(data);
    const mark = around.netfilter.markOf(frame, inInterface);
    const partialChecksum = around.offloads.has(capture) && isPartial(frame);
    fed++;
    let packet: SentPacket = { number: 0, reason: '', made: false };
    for (const outcome of target.send(frame, inInterface, milliseconds(time), { mark, partialChecksum })) {
      const { verdict, reason, made } = outcome;
      // Further pieces come behind the first one.
      if (reason !== 'fragment') packet = { number: ++packets, reason, made };
      if (verdict === 'forward') leave(outcome, packet, cause);
      else if (verdict === 'local') local.push({ ...cause, packet: localPacket(frame, outcome), reason });
      else if (reason === 'no-neighbour') unresolved.push(cause);
    }
  };
  const steps: Step[] = [
    // In this order at equal times: the sort keeps it.
    ...scenario.events.map((event) => ({
      time: event.time,
      run: () => {
        target.advance(milliseconds(event.time));
        applyEvent(target, event, around);
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
      return { sent, local, unresolved, fed, passedOver, stopped: { message: error.message, time } };
    }
  }
  return { sent, local, unresolved, fed, passedOver, stopped: undefined };
}

/** What the host got when that is not the packet of the frame. */
function localPacket(frame: Uint8Array, { frame: after }: ReplayOutcome): LocalInput['packet'] {
  // What was taken out of a tunnel, or put together again, begins with its IP header.
  return equal(frame.subarray(0, MACS), after.subarray(0, MACS)) ? undefined : packetOf(after, 'raw');
}

/** Whole ms exactly, the rest as a fraction. */
function milliseconds(time: bigint): number {
  return Number(time / 1_000_000n) + Number(time % 1_000_000n) / 1e6;
}
