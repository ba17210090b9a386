/**
 * What packets must leave alone: guard bytes around the rooms of frames and around the plan, the regions that only the
 * host writes, and records that were never handed out.
 *
 * @module
 */
import * as abi from '../../src/abi/memory.js';
import type { Plan } from '../../src/plan.js';
import { addressOf, type Region } from '../../src/region.js';

const GUARD = 0xa5;

/** Bytes that may have been written. */
export interface Room {
  readonly from: number;
  readonly to: number;
  /** It goes on behind `to`, up to the next one: the core tells nobody where the room of a reassembled datagram ends. */
  readonly goesOn?: boolean;
  /** What is in front of it may have been written: the fragments of a tunnel packet that held a fragment itself. */
  readonly hasOuter?: boolean;
}

/** Fields of the superblock that change while packets are judged, and their bytes. */
const MOVING: readonly (readonly [number, number])[] = [
  [abi.SB_ARENA_NEXT, 4],
  [abi.SB_NOW, 8],
  [abi.SB_CONN_COUNT, 4],
  [abi.SB_CONN6_COUNT, 4],
  [abi.SB_CONN_HIGH, 4],
  [abi.SB_CONN_FREE, 4],
  [abi.SB_IP_ID, 4],
  [abi.SB_WHEEL_NOW, 4],
  [abi.SB_BURST_COUNT, 4],
  [abi.SB_CONN6_HIGH, 4],
  [abi.SB_CONN6_FREE, 4],
  [abi.SB_BLOCK_HIGH, 4],
  [abi.SB_BLOCK_FREE, 4],
  [abi.SB_DATAGRAM_COUNT, 4],
  [abi.SB_FRAGMENT_ID, 4],
  [abi.SB_REPLIES_TAKEN, 4],
  [abi.SB_HOP, abi.HOP_SIZE],
  [abi.SB_HOP_BACK, abi.HOP_SIZE],
  // The key of the service that is looked for.
  [abi.SB_ARG_ADDRESS, 16],
  [abi.SB_PIECE_MAX, 4],
  [abi.SB_PIECE_COUNT, 4],
  [abi.SB_PIECES, 4],
  [abi.SB_PIECE_FAMILY, 4],
  [abi.SB_DATAGRAM_HIGH, 4],
  [abi.SB_DATAGRAM_FREE, 4],
  [abi.SB_DATAGRAM_AGES, 16],
  [abi.SB_PIECE_WORD, 4],
  [abi.SB_REMOTE_START, 4],
  [abi.SB_REMOTE_FIELD, 4],
  [abi.SB_TUNNEL_ADDRESSES, 16],
  [abi.SB_RANDOM, 8],
  [abi.SB_CALL_ID_HIGH, 4],
  [abi.SB_CALL_ID_FREE, 4],
  [abi.SB_EXTENSION_HIGH, 4],
  [abi.SB_EXTENSION_FREE, 4],
  [abi.SB_LOCAL_FREE, 4],
  [abi.SB_FULLNAT, 4],
  [abi.SB_NAT64, 4],
  [abi.SB_PIECE_ID, 4],
  [abi.SB_NO_CPORT, 4],
  [abi.SB_FTP_ADDRESS, 16],
  // The key of the template that is looked for.
  [abi.SB_TEMPLATE_KEY, abi.TEMPLATE_KEY_SIZE],
  [abi.SB_ECHO, abi.OPTIONS_MAX],
  [abi.SB_ECHO_TO, 4],
  [abi.SB_SCHED_FREE, 4],
  [abi.SB_ESTIMATE_AT, 8],
  [abi.SB_TOTAL, abi.STATS_SIZE],
  [abi.SB_TOTAL_ESTIMATOR, abi.EST_SIZE],
  [abi.SB_SECURE_TCP, 4],
  [abi.SB_DROP_ENTRY, 4],
  [abi.SB_DROP_PACKET, 4],
  [abi.SB_DROP_RATE, 4],
  [abi.SB_DROP_COUNTER, 4],
  [abi.SB_DEFENCE_AT, 8],
  [abi.SB_TODROP, abi.TODROP_MAX + 1],
  [abi.SB_WHEEL_FIRST, 4 * abi.WHEEL_ROWS],
];

export class Guards {
  readonly #bytes: Buffer;
  readonly #guard: Buffer;
  readonly #zeros: Buffer;
  readonly #plan: Plan;
  readonly #still: readonly (readonly [name: string, from: number, bytes: Buffer])[];

  /** Of a memory whose unplanned bytes are `fence`d, once the host has written its regions. */
  constructor({ buffer }: WebAssembly.Memory, plan: Plan) {
    this.#bytes = Buffer.from(buffer);
    this.#guard = Buffer.alloc(buffer.byteLength, GUARD);
    this.#zeros = Buffer.alloc(plan.bytes);
    this.#plan = plan;
    const region = (name: string, { base, count }: Region, size: number) => this.#copy(name, base, base + count * size);
    this.#still = [
      ...stillFields().map(([from, to]) => this.#copy('superblock', from, to)),
      region('interfaces', plan.interfaces, abi.INTERFACE_SIZE),
      region('routes', plan.routes, abi.ROUTE_SIZE),
      region('routes6', plan.routes6, abi.ROUTE6_SIZE),
      region('neighbours', plan.neighbours, abi.NEIGHBOUR_SIZE),
      region('neighbours6', plan.neighbours6, abi.NEIGHBOUR6_SIZE),
      region('service heads', plan.serviceHeads, 4),
    ];
  }

  /** Makes the whole memory a guard. */
  static fence({ buffer }: WebAssembly.Memory): void {
    new Uint8Array(buffer).fill(GUARD);
  }

  /** Makes the whole arena a guard. */
  raise(): void {
    const { base, count } = this.#plan.arena;
    this.#bytes.fill(GUARD, base, base + count);
  }

  /** @throws Error for two rooms that overlap, or a byte that was written and lies in none */
  check(rooms: readonly Room[]): void {
    const { arena, bytes } = this.#plan;
    this.#same('guard', 0, abi.SUPERBLOCK, this.#guard);
    this.#same('guard', bytes, this.#bytes.length, this.#guard);
    for (const [name, from, copy] of this.#still) this.#same(name, from, from + copy.length, copy);
    this.#checkNew(this.#plan.conns, abi.CONN_SIZE, abi.SB_CONN_HIGH);
    this.#checkNew(this.#plan.conns6, abi.CONN6_SIZE, abi.SB_CONN6_HIGH);
    this.#checkNew(this.#plan.callIds, abi.CALL_ID_SIZE, abi.SB_CALL_ID_HIGH);
    this.#checkNew(this.#plan.extensions, abi.EXTENSION_SIZE, abi.SB_EXTENSION_HIGH);
    this.#checkNew(this.#plan.locals, abi.LOCAL_SIZE, abi.SB_LOCAL_HIGH);
    this.#checkNew(this.#plan.blocks, abi.BLOCK_SIZE, abi.SB_BLOCK_HIGH);

    let at = arena.base;
    let goesOn = false;
    for (const room of [...rooms].sort((a, b) => a.from - b.from)) {
      if (room.from < at) throw new Error(`the room from ${room.from} overlaps the one that ends at ${at}`);
      if (!goesOn && !room.hasOuter) this.#same('guard', at, room.from, this.#guard);
      at = room.to;
      goesOn = room.goesOn === true;
    }
    this.#same(
      'guard',
      goesOn ? Math.max(at, this.#field(abi.SB_ARENA_NEXT)) : at,
      arena.base + arena.count,
      this.#guard,
    );
  }

  /** Records above the mark were never handed out. */
  #checkNew(region: Region, size: number, high: number): void {
    const { count, apart = 0 } = region;
    let number = this.#field(high);
    for (; number < Math.min(apart, count); number++) {
      const at = addressOf(region, size, number);
      this.#same('new record', at, at + size, this.#zeros);
    }
    this.#same('new record', addressOf(region, size, number), addressOf(region, size, count - 1) + size, this.#zeros);
  }

  #field(offset: number): number {
    return this.#bytes.readUInt32LE(abi.SUPERBLOCK + offset);
  }

  #copy(name: string, from: number, to: number): readonly [string, number, Buffer] {
    return [name, from, Buffer.from(this.#bytes.subarray(from, to))];
  }

  #same(what: string, from: number, to: number, expected: Buffer): void {
    if (from >= to || this.#bytes.compare(expected, 0, to - from, from, to) === 0) return;
    let at = from;
    while (this.#bytes[at] === expected[at - from]) at++;
    throw new Error(`${what}: byte ${at} was written, ${at - from} bytes into ${from} to ${to}`);
  }
}

/** The parts of the superblock between the fields that move. */
function stillFields(): [from: number, to: number][] {
  const parts: [number, number][] = [];
  let at = 0;
  for (const [field, size] of [...MOVING, [abi.SUPERBLOCK_SIZE, 0] as const].sort(([a], [b]) => a - b)) {
    if (field > at) parts.push([abi.SUPERBLOCK + at, abi.SUPERBLOCK + field]);
    at = field + size;
  }
  return parts;
}
