/**
 * The director's place between the hosts.
 *
 * @module
 */
import type { Arrival, Balancer } from './balancer.js';
import { DIRECTOR } from './modes.js';
import type { Switch } from './switch.js';

/** How often time passes when nothing comes, ms. */
const TICK_MS = 10;

export class Middle {
  readonly #ethernet: Switch;
  readonly #timer: NodeJS.Timeout;
  readonly #arrivals: Arrival[] = [];
  #balancer: Balancer;
  #closed = false;

  constructor(ethernet: Switch, balancer: Balancer) {
    this.#ethernet = ethernet;
    this.#balancer = balancer;
    for (const { name, mac } of DIRECTOR) ethernet.connect(mac, (frame) => this.#take({ inInterface: name, frame }));
    this.#timer = setInterval(() => this.#process(), TICK_MS);
  }

  get balancer(): Balancer {
    return this.#balancer;
  }

  /** Goes on with another director, made of a snapshot of this one. */
  restart(): void {
    this.#balancer = this.#balancer.restarted?.() ?? this.#balancer;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #take(arrival: Arrival): void {
    this.#arrivals.push(arrival);
    // Frames that come at once are judged at once.
    if (this.#arrivals.length === 1) setImmediate(() => this.#process());
  }

  #process(): void {
    if (this.#closed) return;
    do for (const frame of this.#balancer.process(this.#arrivals)) this.#ethernet.send(frame);
    while (this.#arrivals.length > 0);
  }
}
