/**
 * A director and one that was restored from it, again and again, which nobody must be able to tell apart.
 *
 * @module
 */
import * as abi from '../../src/abi/memory.js';
import type { ConnectionInfo } from '../../src/connections.js';
import { Director, type Outcome } from '../../src/director.js';
import type { PlanOptions } from '../../src/plan.js';
import type { ServiceInfo } from '../../src/records.js';
import type { NetworkConfig, SysctlConfig } from '../../src/types.js';
import { type Binary, createDirector, memoryFor, moduleOf, SMALL_PLAN } from '../support/core.js';
import { toHex } from '../support/packets.js';
import type { Arrival, Command, Start } from './twins.js';

/** Where a director is restored into: the plan of the first, and those of the others. */
export interface Plans {
  readonly first: Partial<PlanOptions>;
  readonly others: readonly Partial<PlanOptions>[];
}

/** Full now and then; or never, and then larger and smaller ones are no different. */
export const PLANS: readonly Plans[] = [
  {
    first: { ...SMALL_PLAN, connections: 6, connections6: 6, schedulerBytes: 1 << 15 },
    others: [{}, { arenaBytes: 1 << 18, routes: 100, fragmentBytes: 1 << 16 }],
  },
  {
    first: { ...SMALL_PLAN, connections: 300, connections6: 300, services: 16, dests: 64, schedulerBytes: 200_001 },
    others: [
      {},
      { connections: 1000, services: 100, dests: 333 },
      { connections6: 2000, schedulerBytes: 400_000, neighbours: 100 },
      { connections: 250, connections6: 200, services: 12, dests: 40, schedulerBytes: 190_000 },
    ],
  },
];

/** Without what follows the size of the table, of which the two may have different ones: docs/defence.md. */
function planless(sysctl: SysctlConfig | undefined): SysctlConfig {
  const always = (mode: number | undefined): number => (mode === 3 ? 3 : 0);
  const { secure_tcp, drop_packet, ...others } = sysctl ?? {};
  return { ...others, secure_tcp: always(secure_tcp), drop_packet: always(drop_packet), drop_entry: 0 };
}

export class Restored {
  network: NetworkConfig;
  now = 1_700_000_000_000;
  readonly #binary: Binary;
  readonly #original: Director;
  readonly #memory: WebAssembly.Memory;
  #restored: Director;

  constructor({ network, sysctl, services, ecn = 'kernel' }: Start, binary: Binary, plan: Partial<PlanOptions>) {
    this.network = network;
    this.#binary = binary;
    this.#memory = memoryFor(binary, 32);
    this.#original = createDirector(binary, { plan, network, sysctl: planless(sysctl), ecn, memory: this.#memory });
    this.#restored = this.#original;
    for (const { service, dests } of services) {
      this.both('addService', service);
      for (const dest of dests) this.both('addDest', service, dest);
    }
  }

  /** Replaces one of the two by one with another plan. */
  restart(plan: Partial<PlanOptions>): void {
    const bytes = this.#restored.snapshot();
    const shared = this.#binary === 'shared' ? { memory: memoryFor('shared', 64) } : {};
    this.#restored = Director.restoreSync(bytes, { wasm: moduleOf(this.#binary), plan, ...shared });
    this.#forgetFragments();
    this.compare();
  }

  connections(): ConnectionInfo[] {
    return this.#original.connections(this.now);
  }

  services(): ServiceInfo[] {
    return this.#original.services();
  }

  setNetwork(network: NetworkConfig): void {
    this.network = network;
    this.both('setNetwork', network);
  }

  pass(ms: number): void {
    this.now += ms;
    this.both('advance', this.now);
  }

  both<M extends Command>(method: M, ...given: Parameters<Director[M]>): void {
    const words = method === 'setSysctl' ? [planless(given[0] as SysctlConfig)] : given;
    const [a, b] = this.#each((director) => {
      try {
        (director as unknown as Record<M, (...given: unknown[]) => void>)[method](...words);
        return 'done';
      } catch (error) {
        return String(error);
      }
    });
    // What there is room for may be in the words.
    if (a?.replace(/\d+/g, 'n') !== b?.replace(/\d+/g, 'n')) throw new Error(`${method}: ${a}; restored: ${b}`);
  }

  send({ frame, inInterface, notes = {} }: Arrival): Outcome[] {
    const [a, b] = this.#each((director) => director.send(frame, inInterface, this.now, notes));
    same('outcomes', a?.map(text), b?.map(text));
    return a as Outcome[];
  }

  /** Compares what can be asked of both. */
  compare(): void {
    const sorted = (list: readonly object[]): string[] => list.map(text).sort();
    const [a, b] = this.#each((director) => ({
      connections: sorted(director.connections(this.now)),
      services: sorted(director.services()),
      counters: text(director.counters()),
      sysctl: text(director.getSysctl()),
    }));
    same('state', a, b);
  }

  #each<T>(ask: (director: Director) => T): T[] {
    const asked = this.#original === this.#restored ? [this.#original] : [this.#original, this.#restored];
    const answers = asked.map(ask);
    return [answers[0] as T, answers.at(-1) as T];
  }

  /** The fragments that a snapshot leaves out, and the count of them. */
  #forgetFragments(): void {
    const { buffer } = this.#memory;
    const bytes = new Uint8Array(buffer);
    const { datagrams, blocks, counters } = this.#original.plan;
    bytes.fill(0, datagrams.base, datagrams.base + datagrams.count * abi.DATAGRAM_SIZE);
    bytes.fill(0, blocks.base, blocks.base + blocks.count * abi.BLOCK_SIZE);
    const fields = [abi.SB_BLOCK_HIGH, abi.SB_BLOCK_FREE, abi.SB_DATAGRAM_COUNT, abi.SB_DATAGRAM_HIGH];
    for (const field of [...fields, abi.SB_DATAGRAM_FREE, ...[0, 4, 8, 12].map((n) => abi.SB_DATAGRAM_AGES + n)]) {
      bytes.fill(0, abi.SUPERBLOCK + field, abi.SUPERBLOCK + field + 4);
    }
    const { base, count } = this.#restored.plan.counters;
    bytes.set(this.#restored.burst.bytes.subarray(base, base + count * abi.COUNTER_SIZE), counters.base);
  }
}

function same(what: string, a: unknown, b: unknown): void {
  const [original, restored] = [a, b].map((each) => JSON.stringify(each, undefined, 1));
  if (original !== restored) throw new Error(`${what}: ${original}\nrestored: ${restored}`);
}

function text(value: object): string {
  return JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === 'bigint') return String(each);
    return each instanceof Uint8Array ? toHex(each) : each;
  });
}
