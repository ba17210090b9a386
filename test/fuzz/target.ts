/**
 * A director whose frames lie between guard bytes.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DESC_HEADROOM, DESCRIPTOR_SIZE, HEADROOM } from '../../src/abi/memory.js';
import { Director, type EvictName } from '../../src/director.js';
import { IpvsError } from '../../src/errors.js';
import { REASONS, reasonName, type VerdictName, verdictName } from '../../src/reasons.js';
import { ROOT } from '../kernel-lab/root.js';
import type { Arrival, Start } from '../properties/twins.js';
import { Guards, type Room } from './guards.js';

/** Bytes of guard in front of each slot: more than a store is likely to go astray by. */
const FENCE = 512;
const PLAN = {
  connections: 48,
  connections6: 48,
  services: 16,
  dests: 64,
  routes: 64,
  neighbours: 64,
  interfaces: 16,
  arenaBytes: 1 << 21,
  fragmentBytes: 1 << 18,
  datagrams: 64,
  localAddresses: 16,
} as const;
/** Few, so that pools are empty now and then. */
const LOCAL_PORTS = { first: 1024, last: 1027 } as const;
/** 4 MiB: more than the plan needs, so that what is behind it is a guard, too. */
const PAGES = 64;

const module = new WebAssembly.Module(readFileSync(join(ROOT, 'build/release.wasm')));
const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
/** Of a frame that cannot be cut. */
const NO_ROOM = 'drop no-room';
const VERDICTS = new Map<string, VerdictName>(REASONS.map(({ name, verdict }) => [name, verdict]));

/** Whether the director takes it. */
function isTaken(step: () => void): boolean {
  try {
    step();
    return true;
  } catch (error) {
    if (!(error instanceof RangeError || (error instanceof IpvsError && error.code === 'DEST_EXISTS'))) throw error;
    return false;
  }
}

/** Reasons of clients' packets that may have one of the director's own in front, or were kept until their server had answered. */
const CLIENTS: ReadonlySet<string | undefined> = new Set(['fullnat-in', 'nat64-in', 'nat-in']);

/** What became of a burst: frames by verdict and reason. */
export interface Judged {
  readonly given: number;
  readonly all: ReadonlyMap<string, number>;
}

export class Target {
  readonly director: Director;
  readonly #guards: Guards;
  /** The arena: frames given lie in its first part, the core makes its own in the second. */
  readonly #base: number;
  readonly #middle: number;
  readonly #end: number;
  readonly #descriptors: DataView;

  /** `made`: bytes for frames that the core makes. There is one at a time: they share their memory. */
  constructor({ network, sysctl, ecn = 'kernel', services }: Start, made: number, evict: EvictName) {
    Guards.fence(memory);
    const words = { network, sysctl, ecn, evict, seed: 1n, localPorts: LOCAL_PORTS };
    this.director = Director.createSync({ ...words, wasm: module, memory, plan: PLAN });
    for (const { service, dests } of services) {
      // With a local address that cannot be, or a dest of another family than its method takes, or by SNAT twice.
      if (!isTaken(() => this.director.addService(service))) continue;
      for (const dest of dests) isTaken(() => this.director.addDest(service, dest));
    }
    const { burst, plan } = this.director;
    this.#base = burst.hold(PLAN.arenaBytes - made);
    this.#middle = this.#base + PLAN.arenaBytes - made;
    this.#end = plan.arena.base + plan.arena.count;
    this.#descriptors = new DataView(memory.buffer, plan.descriptors.base);
    this.#guards = new Guards(memory, plan);
  }

  /** Judges the burst at `now`, ms. @throws Error for a trap, an unknown verdict, or a byte outside of all rooms */
  judge(arrivals: readonly Arrival[], now: number): Judged {
    this.director.burst.reset();
    this.#guards.raise();
    let next = this.#base;
    const slots = arrivals.map((arrival, i) => {
      const slot = this.#place(arrival, i, next + FENCE);
      next = slot.to;
      return slot;
    });
    if (next > this.#middle) throw new Error(`the frames of a burst end at ${next}, beyond ${this.#middle}`);
    const { burst } = this.director;
    const count = this.director.process(now);
    const all = new Map<string, number>();
    const made: Room[] = [];
    for (let i = 0; i < count; i++) {
      const name = this.#judgement(i);
      all.set(name, (all.get(name) ?? 0) + 1);
      // A client's packet comes out as a made frame when one of the director's own goes before it.
      const room = this.#roomOf(i, slots[i], slots[burst.cause(i)]);
      if (room !== undefined) made.push(room);
    }
    // Pieces that were made before it was clear that there is no room for all lie anywhere in the rest.
    const rest = { from: this.#middle, to: this.#end };
    this.#guards.check([...slots, ...(all.has(NO_ROOM) ? [rest] : made)]);
    return { given: arrivals.length, all };
  }

  /** Looks whether all lists hold together, as a restore does. @throws Error */
  audit(): void {
    Director.restoreSync(this.director.snapshot(), { wasm: module });
  }

  #place(
    { frame, inInterface, notes: { mark = 0, partialChecksum = false } = {} }: Arrival,
    index: number,
    from: number,
  ): Room {
    const { burst } = this.director;
    // Frames of odd addresses, too, and some that hardly anything fits in front of.
    const at = from + (index % 16 === 5 ? index % 61 : HEADROOM + (index & 7));
    burst.bytes.set(frame, at);
    const interfaceIndex = this.director.interfaceIndex(inInterface);
    burst.place(at, frame.length, at - from, interfaceIndex, index, mark, partialChecksum);
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

  /** The room of a frame outside of its slot: the core made it, or made it whole. */
  #roomOf(index: number, slot: Room | undefined, of: Room | undefined): Room | undefined {
    const { burst } = this.director;
    const from = burst.address(index);
    const to = from + burst.frameLength(index);
    const floor = from - this.#descriptors.getUint16(index * DESCRIPTOR_SIZE + DESC_HEADROOM, true);
    if ([slot, of].some((room) => room !== undefined && floor >= room.from && to <= room.to)) return undefined;
    if (floor < this.#middle || to > this.#end) throw new Error(`frame ${index} left its slot: ${floor} to ${to}`);
    if (slot === undefined) {
      // A client's packet behind one of the director's own, or one that was kept, has had another header, and may have been cut.
      // Otherwise nothing is put in front of a frame that was made.
      const isClients = CLIENTS.has(reasonName(burst.reason(index)));
      return isClients ? { from: floor, to, goesOn: true } : { from, to };
    }
    return { from: floor, to, goesOn: true, hasOuter: burst.decapsulated(index) };
  }
}
