/**
 * Connection records and an open-addressing index, both in Int32Arrays.
 *
 * @module
 */
import { isActive, TIMEOUTS } from './states.js';
import { CONN_WORDS, MASQ, type World } from './world.js';

/** Words of a record: 64 bytes, one cache line. */
export const RECORD = 16;
export const CADDR = 0;
export const VADDR = 1;
export const DADDR = 2;
/** Ports as a client's packet carries them, and as a server's does. */
export const IN_PORTS = 3;
export const OUT_PORTS = 4;
/** Protocol, state << 8, method << 16, flags << 24. */
export const STATUS = 5;
export const DEST = 6;
export const TOUCHED = 7;
export const TIMEOUT = 8;
export const IN_PACKETS = 9;
export const HOP_MTU = 10;

export const INACTIVE = 2;
export const NO_OUTPUT = 4;

/** Seeded mix of the tuple: two multiplications and a shift a word, avalanche at the end. */
export function hashTuple(
  key0: number,
  key1: number,
  src: number,
  dst: number,
  ports: number,
  protocol: number,
): number {
  let h = Math.imul(src ^ key0, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15) ^ dst, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 13) ^ ports, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 16) ^ protocol ^ key1, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Index: pairs (tag, ref), a power of two of them, at most half in use; ref 0 is empty, its bit 0 the reply direction. */
export class Table {
  readonly index: Int32Array;
  readonly mask: number;
  readonly records: Int32Array;
  readonly key0 = 0x2545f491;
  readonly key1 = 0x4f6cdd1d;
  active: Int32Array;
  inactive: Int32Array;

  constructor(world: World) {
    const count = world.connections.length / CONN_WORDS;
    let capacity = 16;
    while (capacity < count * 4) capacity *= 2;
    this.mask = capacity - 1;
    this.index = new Int32Array(capacity * 2);
    this.records = new Int32Array((count + 1) * RECORD);
    this.active = new Int32Array(world.dests.length);
    this.inactive = new Int32Array(world.dests.length);
    for (let i = 0; i < count; i++) this.#add(world, i);
  }

  #add(world: World, number: number): void {
    const at = number * CONN_WORDS;
    const { connections } = world;
    const last = connections[at + 3]!;
    const dest = world.dests[last & 0xffff]!;
    const protocol = (last >>> 16) & 0xff;
    const state = last >>> 24;
    const ref = (number + 1) * RECORD;
    const r = this.records;
    const flags = (dest.method === MASQ ? 0 : NO_OUTPUT) | (isActive(state) ? 0 : INACTIVE);
    r[ref + CADDR] = connections[at]!;
    r[ref + VADDR] = connections[at + 2]!;
    r[ref + DADDR] = dest.address;
    r[ref + IN_PORTS] = connections[at + 1]!;
    r[ref + OUT_PORTS] = dest.port | (connections[at + 1]! << 16);
    r[ref + STATUS] = protocol | (state << 8) | (dest.method << 16) | (flags << 24);
    r[ref + DEST] = last & 0xffff;
    r[ref + TIMEOUT] = TIMEOUTS[state]!;
    r[ref + HOP_MTU] = world.interfaces[0]!.mtu;
    const counter = isActive(state) ? this.active : this.inactive;
    counter[last & 0xffff]!++;
    this.#insert(r[ref + CADDR]!, r[ref + VADDR]!, r[ref + IN_PORTS]!, protocol, ref);
    if (dest.method === MASQ) this.#insert(r[ref + DADDR]!, r[ref + CADDR]!, r[ref + OUT_PORTS]!, protocol, ref | 1);
  }

  #insert(src: number, dst: number, ports: number, protocol: number, ref: number): void {
    const tag = hashTuple(this.key0, this.key1, src, dst, ports, protocol);
    let slot = tag & this.mask;
    while (this.index[slot * 2 + 1] !== 0) slot = (slot + 1) & this.mask;
    this.index[slot * 2] = tag;
    this.index[slot * 2 + 1] = ref;
  }

  /** State of every connection, for tests. */
  *states(): Generator<number> {
    for (let ref = RECORD; ref < this.records.length; ref += RECORD) yield (this.records[ref + STATUS]! >> 8) & 0xff;
  }

  /** Number of the first entry at or after `slot` with this tag, or of the empty one that ends the run. */
  seek(slot: number, tag: number): number {
    const { index, mask } = this;
    while (index[slot * 2] !== tag && index[slot * 2 + 1] !== 0) slot = (slot + 1) & mask;
    return slot;
  }

  /** Whether the ref is the connection of this tuple, in the ref's direction. */
  is(ref: number, src: number, dst: number, ports: number, protocol: number): boolean {
    const r = this.records;
    const c = ref & -2;
    if ((r[c + STATUS]! & 0xff) !== protocol) return false;
    if (ref & 1) return r[c + DADDR] === src && r[c + CADDR] === dst && r[c + OUT_PORTS] === ports;
    return r[c + CADDR] === src && r[c + VADDR] === dst && r[c + IN_PORTS] === ports;
  }

  /** Ref of the connection, from entry `slot` on; 0 when there is none. */
  find(slot: number, tag: number, src: number, dst: number, ports: number, protocol: number): number {
    for (;;) {
      slot = this.seek(slot, tag);
      const ref = this.index[slot * 2 + 1]!;
      if (ref === 0 || this.is(ref, src, dst, ports, protocol)) return ref;
      slot = (slot + 1) & this.mask;
    }
  }
}
