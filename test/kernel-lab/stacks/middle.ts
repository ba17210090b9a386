/**
 * The director between the hosts. Its time is the clock's.
 *
 * @module
 */
import type { Family } from '../../../src/address.js';
import { Director } from '../../../src/director.js';
import { verdictName } from '../../../src/reasons.js';
import { CORE } from '../core.js';
import { DIRECTOR, directorNetwork, type Mode, rulesOf } from './modes.js';
import type { Switch } from './switch.js';

const PLAN = { connections: 4096, connections6: 4096 } as const;
/** How often time passes when nothing comes, ms. */
const TICK_MS = 10;

interface Arrival {
  readonly name: string;
  readonly frame: Uint8Array;
}

export class Middle {
  readonly #ethernet: Switch;
  readonly #timer: NodeJS.Timeout;
  #director: Director;
  #queue: Arrival[] = [];
  #closed = false;

  constructor(ethernet: Switch, mode: Mode, family: Family) {
    this.#ethernet = ethernet;
    const director = Director.createSync({ network: directorNetwork(family), wasm: CORE, plan: PLAN });
    const { service, dests } = rulesOf(mode, family);
    director.addService(service);
    for (const dest of dests) director.addDest(service, dest);
    this.#director = director;
    for (const { name, mac } of DIRECTOR) ethernet.connect(mac, (frame) => this.#take({ name, frame }));
    this.#timer = setInterval(() => this.#process(), TICK_MS);
  }

  /** Connections in a state. */
  count(state: string): number {
    return this.#director.connections(Date.now()).filter((one) => one.state === state).length;
  }

  /** Frames by the reason of their verdict. */
  counters(): string {
    return Object.entries(this.#director.counters())
      .filter(([, count]) => count > 0n)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(', ');
  }

  /** Goes on with another director, made of a snapshot of this one. */
  restart(): void {
    const bytes = this.#director.snapshot();
    this.#director.close();
    this.#director = Director.restoreSync(bytes, { wasm: CORE });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#director.close();
  }

  #take(arrival: Arrival): void {
    this.#queue.push(arrival);
    // Frames that come at once are judged at once.
    if (this.#queue.length === 1) setImmediate(() => this.#process());
  }

  /** Judges what has come; without frames, lets time pass. */
  #process(): void {
    if (this.#closed) return;
    do this.#processBurst();
    while (this.#queue.length > 0);
  }

  #processBurst(): void {
    const director = this.#director;
    const { burst } = director;
    burst.reset();
    let taken = 0;
    for (const { name, frame } of this.#queue) {
      if (burst.full || !burst.hasRoom(frame.length)) break;
      burst.reserve(frame.length, director.interfaceIndex(name)).set(frame);
      burst.commit(frame.length);
      taken++;
    }
    this.#queue = this.#queue.slice(taken);
    const count = director.process(Date.now());
    for (let index = 0; index < count; index++) {
      // The frame may wait to be sent, and the burst does not.
      if (verdictName(burst.verdict(index)) === 'forward') this.#ethernet.send(burst.frame(index).slice());
    }
  }
}
