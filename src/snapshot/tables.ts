/**
 * The tables of records that a snapshot holds.
 *
 * @module
 */
import * as abi from '../abi/memory.js';
import { CONN_POINTERS, DEST_POINTERS, EXTENSION_POINTERS, SERVICE_POINTERS } from '../abi/pointers.js';
import { IpvsError } from '../errors.js';
import type { Plan, PlanOptions } from '../plan.js';
import type { Snapshot } from './format.js';
import type { Move } from './relocate.js';

/** A table: bytes of a record, the u8 that says whether one is in use, where free ones are linked, and what holds addresses. */
interface Table {
  readonly size: number;
  readonly used: number;
  readonly mask: number;
  readonly next: number;
  readonly pointers: readonly number[];
  /** Fields of the superblock: head of the free ones, and the number that were handed out, where there is one. */
  readonly free: number;
  readonly high?: number;
  readonly option: keyof PlanOptions;
}

const CONNS = { used: abi.CONN_FLAGS, mask: abi.ConnFlag.Used, next: abi.CONN_NEXT, pointers: CONN_POINTERS } as const;

export const TABLES = {
  services: {
    size: abi.SERVICE_SIZE,
    used: abi.SVC_USED,
    mask: 0xff,
    next: abi.SVC_NEXT,
    pointers: SERVICE_POINTERS,
    free: abi.SB_SERVICE_FREE,
    option: 'services',
  },
  dests: {
    size: abi.DEST_SIZE,
    used: abi.DEST_FAMILY,
    mask: 0xff,
    next: abi.DEST_NEXT,
    pointers: DEST_POINTERS,
    free: abi.SB_DEST_FREE,
    option: 'dests',
  },
  conns: {
    ...CONNS,
    size: abi.CONN_SIZE,
    free: abi.SB_CONN_FREE,
    high: abi.SB_CONN_HIGH,
    option: 'connections',
  },
  conns6: {
    ...CONNS,
    size: abi.CONN6_SIZE,
    free: abi.SB_CONN6_FREE,
    high: abi.SB_CONN6_HIGH,
    option: 'connections6',
  },
  callIds: {
    size: abi.CALL_ID_SIZE,
    used: abi.CALL_ID_LENGTH,
    mask: 0xff,
    next: abi.CALL_ID_NEXT,
    pointers: [],
    free: abi.SB_CALL_ID_FREE,
    high: abi.SB_CALL_ID_HIGH,
    option: 'callIds',
  },
  extensions: {
    size: abi.EXTENSION_SIZE,
    used: abi.EXT_USED,
    mask: 0xff,
    next: abi.EXT_NEXT,
    pointers: EXTENSION_POINTERS,
    free: abi.SB_EXTENSION_FREE,
    high: abi.SB_EXTENSION_HIGH,
    option: 'extensions',
  },
  locals: {
    size: abi.LOCAL_SIZE,
    used: abi.LOCAL_FAMILY,
    mask: 0xff,
    next: abi.LOCAL_NEXT,
    pointers: [],
    free: abi.SB_LOCAL_FREE,
    high: abi.SB_LOCAL_HIGH,
    option: 'localAddresses',
  },
} as const satisfies Record<string, Table>;

export type TableName = keyof typeof TABLES;
export const TABLE_NAMES = Object.keys(TABLES) as TableName[];

/** How the records of a table move: `count` of them lie there then. */
export interface TableMove extends Move {
  readonly count: number;
}

/** Whether record `index` of a table's bytes is in use. */
function isUsed({ size, used, mask }: Table, bytes: Uint8Array, index: number): boolean {
  return (bytes[index * size + used]! & mask) !== 0;
}

/**
 * How a table's records move: together, or, when those that were handed out once are too many for the plan, each that is in
 * use to a place of its own.
 *
 * @throws IpvsError TABLE_FULL when those in use are too many, too.
 */
export function moveOf({ sections }: Snapshot, plan: Plan, name: TableName): TableMove {
  const table: Table = TABLES[name];
  const { size } = table;
  const { base: from, bytes } = sections[name];
  const { base: to, count: room } = plan[name];
  const count = bytes.length / size;
  if (count <= room) return { from, to, length: bytes.length, count };
  const numbers = new Uint32Array(count);
  let used = 0;
  for (let i = 0; i < count; i++) if (isUsed(table, bytes, i)) numbers[i] = used++;
  if (used > room) throw full(table.option, room, used);
  return { from, to, length: bytes.length, count: used, size, numbers };
}

/** A table is too small. */
export function full(option: keyof PlanOptions, room: number, needed: number): IpvsError {
  const text = `${option}: the plan has room for ${room}, the snapshot needs ${needed}`;
  return new IpvsError('TABLE_FULL', text, { option });
}

/** Writes a table's records to where they lie now; addresses in them are as they were. */
export function place(
  view: DataView,
  { sections }: Snapshot,
  name: TableName,
  { to, count, numbers }: TableMove,
): void {
  const memory = new Uint8Array(view.buffer);
  const table: Table = TABLES[name];
  const { size } = table;
  const { bytes } = sections[name];
  if (numbers === undefined) {
    memory.set(bytes, to);
    return;
  }
  numbers.forEach((number, i) => {
    if (isUsed(table, bytes, i)) memory.set(bytes.subarray(i * size, (i + 1) * size), to + number * size);
  });
  view.setUint32(abi.SUPERBLOCK + table.free, 0, true);
  if (table.high !== undefined) view.setUint32(abi.SUPERBLOCK + table.high, count, true);
}

/** Calls for the address of each record in use. */
export function forEachInUse(
  view: DataView,
  name: TableName,
  { to, count }: Pick<TableMove, 'to' | 'count'>,
  call: (at: number) => void,
): void {
  const { size, used, mask } = TABLES[name];
  for (let at = to; at < to + count * size; at += size) if ((view.getUint8(at + used) & mask) !== 0) call(at);
}
