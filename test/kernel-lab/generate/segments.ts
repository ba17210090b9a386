/**
 * Any sequence of segments, in many connections at once, and looks at all their states in between.
 *
 * @module
 */
import type { Done, Step } from '../case.js';
import type { Random } from '../random.js';
import type { StepSource } from '../record.js';
import { anyClient } from './connections.js';
import { Context, type Move } from './context.js';
import { denseWorld } from './dense.js';
import type { Flow } from './flows.js';
import { reply, request } from './requests.js';
import type { World } from './world.js';

/** A random world for {@link Segments}. */
export function segmentsWorld(random: Random): World {
  const sysctl = {
    conn_reuse_mode: random.of([0, 0, 0, 0, 1, 2]),
    expire_nodest_conn: 0,
    sloppy_tcp: random.of([0, 0, 1]),
    sloppy_sctp: random.of([0, 0, 1]),
  };
  return denseWorld(random, ['tcp', 'tcp', 'tcp', 'sctp'], sysctl, true);
}

const CONNECTIONS = 40;
/** Flags that segments mostly have: SYN, ACK, FIN and ACK, RST, SYN and ACK. */
const USUAL = [0x02, 0x10, 0x10, 0x11, 0x04, 0x12];
const FLAGS = 64;

/** Rounds in which each connection may send one segment, with a look at all states behind each round. */
export class Segments implements StepSource {
  readonly #random: Random;
  readonly #context: Context;
  readonly #flows: readonly Flow[];
  #round: Move[] = [];
  #left: number;
  #last: Move | undefined;

  /** Until `packets` were sent. */
  constructor(random: Random, world: World, packets: number) {
    this.#random = random;
    this.#context = new Context(random, world);
    this.#left = packets;
    this.#flows = Array.from({ length: CONNECTIONS }, () => {
      const service = random.of(world.services);
      const { protocol, family } = service;
      return { protocol, service, ...anyClient(random, family), server: undefined };
    });
  }

  next(): Step | undefined {
    this.#last = this.#round.shift();
    if (this.#last !== undefined) {
      this.#left--;
      return this.#last.step;
    }
    if (this.#left <= 0) return undefined;
    this.#round = this.#flows.filter(() => this.#random.once(2)).flatMap((flow) => this.#segment(flow));
    return { kind: 'look' };
  }

  learn({ emitted }: Done): void {
    const { flow, direction } = this.#last ?? {};
    if (flow !== undefined && direction !== undefined) this.#context.flows.learn(flow, direction, emitted);
  }

  #segment(flow: Flow): Move[] {
    const { method } = flow.server ?? {};
    const isReply = method !== undefined && this.#random.once(method === 'nat' ? 2 : 6);
    const flags = this.#random.once(2) ? this.#random.of(USUAL) : this.#random.below(FLAGS);
    const first = { flags: this.#random.once(6) ? flags : 0x02, chunk: this.#random.once(6) ? undefined : 1 };
    const { flags: chosen, chunk } = method === undefined ? first : { flags, chunk: undefined };
    const wish = { ttl: 64, length: this.#random.of([0, 0, 20]), flags: chosen, ...(chunk !== undefined && { chunk }) };
    if (isReply) return reply(this.#context, flow, 'segment of a server', wish);
    return [request(this.#context, flow, 'segment of a client', wish)];
  }
}
