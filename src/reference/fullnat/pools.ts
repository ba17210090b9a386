/**
 * The ports of local addresses, from which the connections of FullNAT come to their servers.
 *
 * @module
 */
import { type Address, addressBytes, type Family, familyOf, formatAddress } from '../packet/address.js';
import type { ReferenceConnectionProtocol } from '../types.js';
import { UPPER } from '../upper.js';

/** The ports that connections may have: those from `first` to `last` that are `shard` modulo `shards`. */
export interface PortRange {
  first: number;
  last: number;
  shards: number;
  shard: number;
}

/** Where a connection comes from for its server. */
export interface LocalEnd {
  address: Address;
  port: number;
  /** From which of the address's pools the port is. */
  pool: number;
}

/** Who asks for local ends: a service, which takes turns. */
export interface Asking {
  localAddresses: Address[];
  /** Where in the list the next turn begins. */
  nextLocal: number;
}

/** Ports of one address for the servers that share them. */
interface Pool {
  /** The lowest port that was never given; above the last one when all were. */
  next: number;
  /** Of those below, the ones that are free again, the one that was freed first in front. */
  freed: number[];
}

interface LocalAddress {
  pools: Pool[];
  /** How many services name it, and how many connections have one of its ports. */
  services: number;
  connections: number;
}

const POOLS = 16;

const DEFAULT_RANGE: PortRange = { first: 1024, last: 0xffff, shards: 1, shard: 0 };

/** The pools of all local addresses, whatever services share them. */
export class LocalPorts {
  readonly #lowest: number;
  readonly #last: number;
  readonly #step: number;
  readonly #most: number;
  readonly #addresses = new Map<Address, LocalAddress>();

  /**
   * @param most how many addresses there may be
   * @throws RangeError when the range is none
   */
  constructor(range: Partial<PortRange> = {}, most = Number.POSITIVE_INFINITY) {
    const { first, last, shards, shard } = { ...DEFAULT_RANGE, ...range };
    this.#most = most;
    let lowest = first;
    while (lowest <= last && lowest % shards !== shard) lowest++;
    this.#lowest = lowest;
    this.#last = last;
    this.#step = shards;
    if (first < 1 || last > 0xffff || lowest > last) {
      throw new RangeError(`expected a range of ports, got ${first} to ${last}, ${shard} of ${shards}`);
    }
  }

  /**
   * A service names other addresses than `before`. @throws RangeError, with nothing changed, when there are too many: those
   * that it gives up count until it has done so
   */
  rename(before: readonly Address[], after: readonly Address[]): void {
    if (new Set([...this.#addresses.keys(), ...after]).size > this.#most) {
      throw new RangeError(
        `expected at most ${this.#most} local addresses, got ${after.map(formatAddress).join(', ')}`,
      );
    }
    for (const address of after) this.#entry(address).services += 1;
    for (const address of before) {
      this.#entry(address).services -= 1;
      this.#forget(address);
    }
  }

  /** A port of the first address of the family, by turns, that has one for such a server; `undefined` when none has. */
  give(asking: Asking, pool: number, family: Family): LocalEnd | undefined {
    const { localAddresses, nextLocal } = asking;
    for (let tried = 0; tried < localAddresses.length; tried++) {
      const turn = (nextLocal + tried) % localAddresses.length;
      const address = localAddresses[turn]!;
      if (familyOf(address) !== family) continue;
      const port = this.#take(this.#entry(address).pools[pool]!);
      if (port === undefined) continue;
      asking.nextLocal = (turn + 1) % localAddresses.length;
      this.#entry(address).connections += 1;
      return { address, port, pool };
    }
    return undefined;
  }

  /** One that was never given, the lowest first; then the one that has been free for longest. */
  #take(pool: Pool): number | undefined {
    if (pool.next > this.#last) return pool.freed.shift();
    const port = pool.next;
    pool.next += this.#step;
    return port;
  }

  /** A connection has ended. */
  free({ address, port, pool }: LocalEnd): void {
    const entry = this.#entry(address);
    entry.pools[pool]!.freed.push(port);
    entry.connections -= 1;
    this.#forget(address);
  }

  #entry(address: Address): LocalAddress {
    const known = this.#addresses.get(address);
    if (known !== undefined) return known;
    const pools = Array.from({ length: POOLS }, () => ({ next: this.#lowest, freed: [] }));
    const entry = { pools, services: 0, connections: 0 };
    this.#addresses.set(address, entry);
    return entry;
  }

  /** What nobody names and nobody has begins anew if it comes back. */
  #forget(address: Address): void {
    const { services, connections } = this.#entry(address);
    if (services + connections === 0) this.#addresses.delete(address);
  }
}

/** Which pool a server's connections have their ports from: those that share one are told apart by their ports. */
export function poolOf(protocol: ReferenceConnectionProtocol, address: Address, port: number): number {
  const bytes = addressBytes(address);
  let folded = port ^ UPPER[protocol];
  for (let at = 0; at < bytes.length; at += 2) folded ^= (bytes[at]! << 8) | bytes[at + 1]!;
  folded ^= folded >>> 8;
  folded ^= folded >>> 4;
  return folded % POOLS;
}
