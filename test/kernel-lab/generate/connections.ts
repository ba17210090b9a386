/**
 * Connections, one close behind the other, so that very many picks of the schedulers are compared.
 *
 * @module
 */
import type { Done, Step } from '../case.js';
import type { Random } from '../random.js';
import type { StepSource } from '../record.js';
import { Context, type Move } from './context.js';
import { denseRuleChange, denseWorld } from './dense.js';
import { reply, request } from './requests.js';
import type { Wish } from './shapes.js';
import type { Protocol, World } from './world.js';

const SYSCTL = { conn_reuse_mode: 0, expire_nodest_conn: 0, sloppy_tcp: 0, sloppy_sctp: 0 };

/** A random world for {@link Connections}. */
export function connectionsWorld(random: Random): World {
  return denseWorld(random, ['tcp', 'tcp', 'udp', 'sctp'], SYSCTL);
}

/** A client that has hardly any other connection. */
export function anyClient(random: Random, family: 4 | 6): { client: string; clientPort: number } {
  const [a, b] = [1 + random.below(254), 1 + random.below(254)];
  const client = family === 4 ? `10.9.${a}.${b}` : `fd00:9:${a.toString(16)}::${b.toString(16)}`;
  return { client, clientPort: 1024 + random.below(60_000) };
}

/** The label of packets that open connections. */
export const CONNECT = 'connect';

/** How often the tables are held against each other: once in so many steps. */
const LOOKS = 1000;

/** Opens connections, and lets some go on, while rules change. */
export class Connections implements StepSource {
  readonly #random: Random;
  readonly #context: Context;
  #left: number;
  #last: Move | undefined;

  /** Until `packets` were sent. */
  constructor(random: Random, world: World, packets: number) {
    this.#random = random;
    this.#context = new Context(random, world);
    this.#left = packets;
  }

  next(): Step | undefined {
    if (this.#left <= 0) return undefined;
    this.#last = undefined;
    const service = this.#random.of(this.#context.world.services);
    if (this.#random.once(LOOKS)) return { kind: 'look' };
    if (this.#random.once(60)) return { kind: 'command', text: denseRuleChange(this.#random, service) };
    this.#left--;
    this.#last = (this.#random.once(4) ? this.#goOn() : undefined) ?? this.#open();
    return this.#last.step;
  }

  learn({ emitted }: Done): void {
    const { flow, direction } = this.#last ?? {};
    if (flow !== undefined && direction !== undefined) this.#context.flows.learn(flow, direction, emitted);
  }

  #open(): Move {
    const service = this.#random.of(this.#context.world.services);
    const { client, clientPort } = anyClient(this.#random, service.family);
    const flow = this.#context.flows.of(service, client, clientPort);
    return request(this.#context, flow, CONNECT, this.#wish(service.protocol, [0x02], [1]));
  }

  /** The next packet of a connection that may be: counts of a dest follow its state. */
  #goOn(): Move | undefined {
    const flow = this.#context.flow();
    if (flow === undefined) return undefined;
    const isReply = flow.server?.method === 'nat' && this.#random.once(2);
    const [flags, chunks] = isReply
      ? [
          [0x12, 0x12, 0x10, 0x11],
          [2, 11, 0, 8],
        ]
      : [
          [0x10, 0x10, 0x11],
          [10, 0, 7],
        ];
    const wish = this.#wish(flow.protocol, flags, chunks);
    if (!isReply) return request(this.#context, flow, 'goes on', wish);
    return reply(this.#context, flow, 'goes on', wish)[0];
  }

  #wish(protocol: Protocol, flags: readonly number[], chunks: readonly number[]): Wish {
    const length = this.#random.of([0, 0, 8, 100]);
    if (protocol === 'udp') return { ttl: 64, length };
    return protocol === 'tcp'
      ? { ttl: 64, length, flags: this.#random.of(flags) }
      : { ttl: 64, length, chunk: this.#random.of(chunks) };
  }
}
