/**
 * Feeds a scenario to a director: packets and events at their times, and keeps what it sends.
 *
 * @module
 */
import { IpvsError } from '../errors.js';
import type { RuleTarget } from '../rules/ipvsadm.js';
import type { IpvsadmTarget } from '../rules/program.js';
import type { NetworkConfig } from '../types.js';
import { filled, isPartial } from './checksum.js';
import { type Surroundings, surroundings } from './commands.js';
import type { CapturedFrame, SentFrame, SentPacket } from './compare.js';
import { applyEvent, type EventTarget, type ScenarioEvent } from './events.js';
import type { LocalInput } from './host.js';
import type { Look } from './listings.js';
import type { Scenario } from './load.js';
import { Looker } from './looker.js';
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
export interface ReplayTarget extends EventTarget, Partial<Omit<IpvsadmTarget, keyof RuleTarget>> {
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
  /** How many listings were looked at, and what was wrong about them. */
  readonly listings: { readonly looked: number; readonly differences: readonly string[] };
  /** Why and when it ended early. */
  readonly stopped: { readonly message: string; readonly time: bigint } | undefined;
}

/** Bytes of an Ethernet header's addresses. */
const MACS = 12;

interface Step {
  readonly time: bigint;
  run(): void;
}

/** Feeds a target step by step. */
export class Player<Target extends ReplayTarget> {
  readonly #target: Target;
  readonly #around: Surroundings;
  readonly #sent = new Map<string | undefined, SentFrame[]>();
  readonly #local: LocalInput[] = [];
  readonly #unresolved: SentFrame['cause'][] = [];
  #fed = 0;
  #packets = 0;

  /** `network`: that of the target. */
  constructor(network: NetworkConfig, target: Target) {
    this.#target = target;
    this.#around = surroundings(network);
  }

  /** What came out so far. */
  get outcome(): Omit<Replay, 'stopped' | 'listings'> {
    return {
      sent: this.#sent,
      local: this.#local,
      unresolved: this.#unresolved,
      fed: this.#fed,
    };
  }

  /** @throws {IpvsError} for an event that cannot be applied */
  event(event: ScenarioEvent): void {
    this.#target.advance(milliseconds(event.time));
    applyEvent(this.#target, event, this.#around);
  }

  /** Gives what became of the frame, and what it caused. */
  input(capture: 'cli-in' | 'srv-in', { number, time, data }: CapturedFrame): ReturnType<Target['send']> {
    const cause = { capture, frame: number, time, data };
    const inInterface = capture.slice(0, -3);
    const { netfilter, offloads } = this.#around;
    const frame = netfilter.arriving(data);
    const mark = netfilter.markOf(frame, inInterface);
    const partialChecksum = offloads.has(capture) && isPartial(frame);
    this.#fed++;
    let packet: SentPacket = { number: 0, reason: '', made: false };
    const outcomes = this.#target.send(frame, inInterface, milliseconds(time), { mark, partialChecksum });
    for (const outcome of outcomes) {
      const { verdict, reason, made } = outcome;
      // Further pieces come behind the first one.
      if (reason !== 'fragment') packet = { number: ++this.#packets, reason, made };
      if (verdict === 'forward') this.#leave(outcome, packet, cause);
      else if (verdict === 'local') this.#local.push({ ...cause, packet: localPacket(frame, outcome), reason });
      else if (reason === 'no-neighbour') this.#unresolved.push(cause);
    }
    return outcomes as ReturnType<Target['send']>;
  }

  #leave(outcome: ReplayOutcome, packet: SentPacket, cause: SentFrame['cause']): void {
    const { reason, outInterface } = outcome;
    const whole = outcome.partialChecksum ? filled(outcome.frame) : outcome.frame;
    const data = outInterface === undefined ? whole : this.#around.netfilter.leaving(whole, outInterface);
    const list = this.#sent.get(outInterface);
    const entry = { data, reason, packet, cause };
    if (list === undefined) this.#sent.set(outInterface, [entry]);
    else list.push(entry);
  }
}

/** Replays a scenario to its end, or to the first event that cannot be applied. */
export function replay({ network, addresses, events, captures, looks }: Scenario, target: ReplayTarget): Replay {
  const player = new Player(network, target);
  const seen = canBeLookedAt(target) ? looks : [];
  const listings = new Looker(target as IpvsadmTarget, addresses, seen);
  const step = (time: bigint, run: () => unknown): Step => ({
    time,
    run: () => {
      listings.step(milliseconds(time));
      run();
    },
  });
  const inputs = (capture: 'cli-in' | 'srv-in'): Step[] =>
    captures[capture].map((frame) => step(frame.time, () => player.input(capture, frame)));
  const look = (one: Look): void => {
    const now = milliseconds(one.time);
    listings.look(one, now, () => target.advance(now));
  };
  const steps: Step[] = [
    // In this order at equal times: the sort keeps it.
    ...events.map((event) => step(event.time, () => player.event(event))),
    ...inputs('cli-in'),
    ...inputs('srv-in'),
    ...seen.map((one) => ({ time: one.time, run: () => look(one) })),
  ].sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  for (const { time, run } of steps) {
    try {
      run();
    } catch (error) {
      if (!(error instanceof IpvsError)) throw error;
      return { ...player.outcome, listings, stopped: { message: error.message, time } };
    }
  }
  return { ...player.outcome, listings, stopped: undefined };
}

/** Whether a target can be looked at, not only fed. */
function canBeLookedAt(target: ReplayTarget): boolean {
  return target.services !== undefined && target.connections !== undefined && target.getTimeouts !== undefined;
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
