/**
 * The tables of records that a snapshot holds.
 *
 * @module
 */
import * as abi from '../abi/memory.js';
import { CONN_POINTERS, DEST_POINTERS, EXTENSION_POINTERS, SERVICE_POINTERS } from '../abi/pointers.js';
import { IpvsError } from '../errors.js';
import type { Plan, PlanOptions } from '../plan.js';
import { addressOf, type Region } from '../region.js';
import type { Snapshot } from './format.js';
import { unpack } from './packed.js';
import type { Move, RecordsMove } from './relocate.js';

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

/** How the records of a table move. */
export interface TableMove extends Move {
  readonly records: RecordsMove;
}

/** Whether record `index` of a table's bytes is in use. */
function isUsed({ size, used, mask }: Table, bytes: Uint8Array, index: number): boolean {
  return (bytes[index * size + used]! & mask) !== 0;
}

/**
 * How a table's records move from where they lay `before`: together, or, when those that were handed out once are too many for the plan, each that is in
 * use to a place of its own.
 *
 * @throws IpvsError TABLE_FULL when those in use are too many, too.
 */
export function moveOf({ sections }: Snapshot, before: Plan, plan: Plan, name: TableName): TableMove {
  const table: Table = TABLES[name];
  const { size } = table;
  const { bytes } = sections[name];
  const count = bytes.length / size;
  const from = { ...before[name], count };
  const to = plan[name];
  const length = count === 0 ? 0 : addressOf(from, size, count - 1) + size - from.base;
  const place = { from: from.base, to: to.base, length };
  if (count <= to.count) return { ...place, records: { size, from, to: { ...to, count } } };
  const numbers = new Uint32Array(count);
  let used = 0;
  for (let i = 0; i < count; i++) if (isUsed(table, bytes, i)) numbers[i] = used++;
  if (used > to.count) throw full(table.option, to.count, used);
  return { ...place, records: { size, from, to: { ...to, count: used }, numbers } };
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
  { records: { to, size, numbers } }: TableMove,
): void {
  const memory = new Uint8Array(view.buffer);
  const table: Table = TABLES[name];
  const { bytes } = sections[name];
  if (numbers === undefined) {
    unpack(view, to, size, bytes);
    return;
  }
  numbers.forEach((number, i) => {
    if (isUsed(table, bytes, i)) memory.set(bytes.subarray(i * size, (i + 1) * size), addressOf(to, size, number));
  });
  view.setUint32(abi.SUPERBLOCK + table.free, 0, true);
  if (table.high !== undefined) view.setUint32(abi.SUPERBLOCK + table.high, to.count, true);
}

/** Calls for the address of each record in use. */
export function forEachInUse(view: DataView, name: TableName, region: Region, call: (at: number) => void): void {
  const { size, used, mask } = TABLES[name];
  for (let number = 0; number < region.count; number++) {
    const at = addressOf(region, size, number);
    if ((view.getUint8(at + used) & mask) !== 0) call(at);
  }
}
