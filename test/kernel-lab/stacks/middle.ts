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

  /** `mark`: the firewall mark of what comes from clients; 0: none. */
  constructor(ethernet: Switch, balancer: Balancer, mark: number) {
    this.#ethernet = ethernet;
    this.#balancer = balancer;
    const [{ name: clients }] = DIRECTOR;
    for (const { name, mac } of DIRECTOR) {
      const arrives = { inInterface: name, mark: name === clients ? mark : 0 };
      ethernet.connect(mac, (frame) => this.#take({ ...arrives, frame }));
    }
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
