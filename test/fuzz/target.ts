/**
 * A director whose frames lie between guard bytes.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HEADROOM } from '../../src/abi/memory.js';
import { Director } from '../../src/director.js';
import { REASONS, reasonName, type VerdictName, verdictName } from '../../src/reasons.js';
import { ROOT } from '../kernel-lab/root.js';
import type { Arrival, Start } from '../properties/twins.js';

const GUARD = 0xa5;
/** Bytes of guard in front of each slot and behind the last. */
const FENCE = 64;
const PLAN = {
  connections: 48,
  connections6: 48,
  services: 16,
  dests: 64,
  routes: 64,
  neighbours: 64,
  interfaces: 16,
  arenaBytes: 1 << 21,
  fragmentBytes: 1 << 16,
  datagrams: 16,
} as const;
/** 4 MiB: more than the plan needs, so that what is behind it is a guard, too. */
const PAGES = 64;

const module = new WebAssembly.Module(readFileSync(join(ROOT, 'build/release.wasm')));
const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
const VERDICTS = new Map<string, VerdictName>(REASONS.map(({ name, verdict }) => [name, verdict]));

/** What became of a burst: frames by verdict and reason. */
export interface Judged {
  readonly given: number;
  readonly all: ReadonlyMap<string, number>;
}

interface Slot {
  readonly from: number;
  readonly to: number;
}

export class Target {
  readonly director: Director;
  readonly #base: number;
  readonly #end: number;

  /** There is one at a time: they share their memory. */
  constructor({ network, sysctl, ecn = 'kernel', services }: Start) {
    const bytes = new Uint8Array(memory.buffer);
    bytes.fill(GUARD);
    this.director = Director.createSync({ wasm: module, memory, network, sysctl, ecn, seed: 1n, plan: PLAN });
    for (const { service, dests } of services) {
      this.director.addService(service);
      for (const dest of dests) {
        try {
          this.director.addDest(service, dest);
        } catch (error) {
          // Of another family than its method takes.
          if (!(error instanceof RangeError)) throw error;
        }
      }
    }
    this.#base = this.director.burst.hold(PLAN.arenaBytes / 2);
    this.#end = this.#base + PLAN.arenaBytes / 2;
  }

  /** Judges the burst at `now`, ms. @throws Error for a trap, an unknown verdict, or a byte beside a slot */
  judge(arrivals: readonly Arrival[], now: number): Judged {
    const { burst } = this.director;
    burst.reset();
    const { bytes } = burst;
    bytes.fill(GUARD, this.#base, this.#end);
    const slots = arrivals.map((arrival, i) => this.#place(arrival, i));
    const last = this.#next;
    this.#next = 0;
    const count = this.director.process(now);
    this.#checkGuards(slots, last);
    const all = new Map<string, number>();
    for (let i = 0; i < count; i++) {
      const name = this.#judgement(i);
      all.set(name, (all.get(name) ?? 0) + 1);
      this.#checkPlace(i, slots[i]);
    }
    return { given: arrivals.length, all };
  }

  #next = 0;

  #place({ frame, inInterface, notes: { mark = 0, partialChecksum = false } = {} }: Arrival, index: number): Slot {
    const { burst } = this.director;
    const from = (this.#next || this.#base) + FENCE;
    // Frames of odd addresses, too.
    const at = from + HEADROOM + (index & 7);
    burst.bytes.set(frame, at);
    const interfaceIndex = this.director.interfaceIndex(inInterface);
    burst.place(at, frame.length, at - from, interfaceIndex, index, mark, partialChecksum);
    this.#next = at + frame.length;
    return { from, to: at + frame.length };
  }

  #judgement(index: number): string {
    const { burst } = this.director;
    const [verdict, reason] = [verdictName(burst.verdict(index)), reasonName(burst.reason(index))];
    if (reason === undefined || verdict === undefined || VERDICTS.get(reason) !== verdict) {
      throw new Error(`frame ${index}: verdict ${burst.verdict(index)}, reason ${burst.reason(index)}`);
    }
    return `${verdict} ${reason}`;
  }

  /** A frame lies in its slot, or where the core makes its own. */
  #checkPlace(index: number, slot: Slot | undefined): void {
    const { burst, plan } = this.director;
    const from = burst.address(index);
    const to = from + burst.frameLength(index);
    const isInSlot = slot !== undefined && from >= slot.from && to <= slot.to;
    const isMade = from >= this.#end && to <= plan.arena.base + plan.arena.count;
    if (!isInSlot && !isMade) throw new Error(`frame ${index} left its slot: ${from} to ${to}`);
  }

  #checkGuards(slots: readonly Slot[], last: number): void {
    const { burst, plan } = this.director;
    let at = this.#base;
    for (const { from, to } of slots) {
      this.#checkGuard(at, from);
      at = to;
    }
    this.#checkGuard(last, last + FENCE);
    this.#checkGuard(plan.bytes, plan.bytes + 4096);
    this.#checkGuard(0, 1024);
    if (burst.bytes[burst.bytes.length - 1] !== GUARD) throw new Error('the last byte of the memory was written');
  }

  #checkGuard(from: number, to: number): void {
    const { bytes } = this.director.burst;
    for (let at = from; at < to; at++) if (bytes[at] !== GUARD) throw new Error(`byte ${at} was written`);
  }
}
