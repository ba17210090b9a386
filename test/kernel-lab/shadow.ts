/**
 * The core, run along with the kernel while a case is recorded.
 *
 * @module
 */

import type { ConnectionInfo } from '../../src/connections.js';
import { Director } from '../../src/director.js';
import { Player } from '../../src/scenario/replay.js';
import type { NetworkConfig } from '../../src/types.js';
import { type Done, eventOf } from './case.js';
import { CORE, PLAN } from './core.js';

/**
 * What the core ends with a packet or a rule, the kernel ends by a timer that is due at once, with the next tick of its
 * clock. The shadow tells when there is one to wait for.
 */
export class Shadow implements Disposable {
  readonly #director: Director;
  readonly #player: Player<Director>;
  /** What there was after the last step. */
  #connections: ReadonlySet<string> = new Set();
  #isLost = false;

  constructor(network: NetworkConfig, setup: readonly Done[]) {
    this.#director = Director.createSync({ network, wasm: CORE, seed: 0n, plan: PLAN });
    this.#player = new Player(network, this.#director);
    for (const done of setup) this.#play(done);
  }

  /** Whether a connection ends because of what was done, not in the course of time. */
  endsBy(done: Pick<Done, 'time' | 'step'>): boolean {
    const opened = this.#play(done);
    const { conn_reuse_mode, expire_nodest_conn } = this.#director.getSysctl();
    if (this.#isLost || (conn_reuse_mode === 0 && expire_nodest_conn === 0)) return false;
    const before = this.#connections;
    const connections = this.#director.connections(Number(done.time / 1_000_000n));
    this.#connections = new Set(connections.map(nameOf));
    return opened.some((one) => before.has(one)) || [...before].some((one) => !this.#connections.has(one));
  }

  [Symbol.dispose](): void {
    this.#director.close();
  }

  /** The connections of which this was the first packet. */
  #play({ time, step }: Pick<Done, 'time' | 'step'>): string[] {
    if (this.#isLost || step.kind === 'pause' || step.kind === 'look') return [];
    try {
      if (step.kind === 'frame') {
        const outcomes = this.#player.input(`${step.inInterface}-in`, { number: 0, time, data: step.frame });
        return outcomes.flatMap(({ connection }) => (connection?.inPackets === 1 ? nameOf(connection) : []));
      }
      this.#player.event(eventOf(step, time, 0));
    } catch {
      // It is the judge's to say so.
      this.#isLost = true;
    }
    return [];
  }
}

function nameOf({ protocol, clientAddress, clientPort, virtualAddress, virtualPort }: ConnectionInfo): string {
  return `${protocol} ${clientAddress} ${clientPort} ${virtualAddress} ${virtualPort}`;
}
