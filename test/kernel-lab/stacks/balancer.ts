/**
 * A director, by either implementation.
 *
 * @module
 */
import type { Family } from '../../../src/address.js';
import { Director } from '../../../src/director.js';
import { verdictName } from '../../../src/reasons.js';
import { ReferenceDirector } from '../../../src/reference/index.js';
import { CORE } from '../core.js';
import { DIRECTOR, directorNetwork, type Mode, rulesOf } from './modes.js';

/** A frame that came in. */
export interface Arrival {
  readonly inInterface: string;
  readonly frame: Uint8Array;
  /** Firewall mark; 0: none. */
  readonly mark: number;
}

/** What is asked of it. Its time is the clock's. */
export interface Balancer {
  /** Judges frames, as many as it takes at once, and takes them from the list; what leaves. Without frames, lets time pass. */
  process(arrivals: Arrival[]): Uint8Array[];
  /** Established connections. */
  established(): number;
  /** From now on those of TCP end after so many idle seconds, and both ends are told. */
  expireAfter(seconds: number): void;
  /** Another one, made of its snapshot. */
  restarted?(): Balancer;
  /** Frames by the reason of their verdict. */
  reasons(): Readonly<Record<string, number | bigint>>;
}

/** A kind of director. */
export interface Maker {
  /** Whether it knows the mode. */
  has(mode: Mode): boolean;
  make(mode: Mode, family: Family): Balancer;
}

const PLAN = { connections: 4096, connections6: 4096, extensions: 8192 } as const;

/** What is sent when nothing came: a frame that is too short for anybody. */
const NOTHING: Arrival = { inInterface: DIRECTOR[0].name, frame: new Uint8Array(0), mark: 0 };

/** By the names of `--director`. */
export const BALANCERS: Readonly<Record<string, Maker>> = {
  core: {
    has: () => true,
    make(mode, family) {
      const director = Director.createSync({ network: directorNetwork(mode, family), wasm: CORE, plan: PLAN });
      const { service, dests } = rulesOf(mode, family);
      director.addService(service);
      for (const dest of dests) director.addDest(service, dest);
      return new CoreBalancer(director);
    },
  },
  reference: {
    has: ({ service }) => service?.synproxy === undefined,
    make(mode, family) {
      const director = new ReferenceDirector({ network: directorNetwork(mode, family) });
      const { service, dests } = rulesOf(mode, family);
      director.addService(service);
      for (const dest of dests) director.addDest(service, dest);
      return new ReferenceBalancer(director);
    },
  },
};

class CoreBalancer implements Balancer {
  readonly #director: Director;

  constructor(director: Director) {
    this.#director = director;
  }

  process(arrivals: Arrival[]): Uint8Array[] {
    const director = this.#director;
    const { burst } = director;
    burst.reset();
    let taken = 0;
    for (const { inInterface, frame, mark } of arrivals) {
      if (burst.full || !burst.hasRoom(frame.length)) break;
      burst.reserve(frame.length, director.interfaceIndex(inInterface)).set(frame);
      burst.commit(frame.length, 0, mark);
      taken++;
    }
    arrivals.splice(0, taken);
    const count = director.process(Date.now());
    const left: Uint8Array[] = [];
    for (let index = 0; index < count; index++) {
      // The frame may wait to be sent, and the burst does not.
      if (verdictName(burst.verdict(index)) === 'forward') left.push(burst.frame(index).slice());
    }
    return left;
  }

  established(): number {
    return establishedOf(this.#director.connections(Date.now()));
  }

  expireAfter(seconds: number): void {
    this.#director.setSysctl({ conn_expire_tcp_rst: 1 });
    this.#director.setTimeouts({ tcp: seconds });
  }

  restarted(): Balancer {
    const bytes = this.#director.snapshot();
    this.#director.close();
    return new CoreBalancer(Director.restoreSync(bytes, { wasm: CORE }));
  }

  reasons(): Readonly<Record<string, bigint>> {
    return this.#director.counters();
  }
}

class ReferenceBalancer implements Balancer {
  readonly #director: ReferenceDirector;
  readonly #reasons: Record<string, number> = {};

  constructor(director: ReferenceDirector) {
    this.#director = director;
  }

  process(arrivals: Arrival[]): Uint8Array[] {
    const now = Date.now();
    // Frames that are just due come with what another causes, be it nothing.
    const taken = arrivals.length > 0 ? arrivals.splice(0) : [NOTHING];
    return taken.flatMap(({ inInterface, frame, mark }) => {
      const outcomes = this.#director.send(frame, inInterface, now, { mark });
      const told = frame === NOTHING.frame ? outcomes.slice(1) : outcomes;
      for (const { reason } of told) this.#reasons[reason] = (this.#reasons[reason] ?? 0) + 1;
      return outcomes.filter(({ verdict }) => verdict === 'forward').map((one) => one.frame);
    });
  }

  established(): number {
    return establishedOf(this.#director.connections(Date.now()));
  }

  expireAfter(seconds: number): void {
    this.#director.setSysctl({ conn_expire_tcp_rst: 1 });
    this.#director.setTimeouts({ tcp: seconds });
  }

  reasons(): Readonly<Record<string, number>> {
    return this.#reasons;
  }
}

function establishedOf(connections: readonly { readonly state: string }[]): number {
  return connections.filter(({ state }) => state === 'ESTABLISHED').length;
}
