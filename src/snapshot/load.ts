/**
 * Puts a snapshot into the memory of a new director, laid out as its plan says.
 *
 * @module
 */
import * as abi from '../abi/memory.js';
import { CACHE_POINTERS, CELL_POINTERS, SUPERBLOCK_POINTERS } from '../abi/pointers.js';
import { Scheduler } from '../abi/protocol.js';
import { type Plan, writePlan } from '../plan.js';
import type { CoreExports } from '../wasm.js';
import type { Snapshot } from './format.js';
import { placePorts } from './ports.js';
import { type Move, Relocation } from './relocate.js';
import { forEachInUse, full, moveOf, place, TABLE_NAMES, TABLES, type TableMove, type TableName } from './tables.js';

/** Bytes before a part of the schedulers' memory: its size, and the next free one (assembly/sched/pool.ts). */
const POOL_HEADER = 16;

/** Where everything goes. */
export type Moves = Readonly<Record<TableName, TableMove> & Record<'wheel' | 'schedulers', Move>>;

/** Finds a place for everything that lay as `before` says. @throws IpvsError TABLE_FULL, naming the option, when a plan has too little room. */
export function movesOf(snapshot: Snapshot, before: Plan, plan: Plan): Moves {
  const { schedulers, wheel } = snapshot.sections;
  const room = plan.schedulers.count;
  if (schedulers.bytes.length > room) throw full('schedulerBytes', room, schedulers.bytes.length);
  return {
    // What most addresses are in comes first.
    conns: moveOf(snapshot, before, plan, 'conns'),
    wheel: { from: wheel.base, to: plan.wheel.base, length: abi.WHEEL_BYTES },
    dests: moveOf(snapshot, before, plan, 'dests'),
    conns6: moveOf(snapshot, before, plan, 'conns6'),
    services: moveOf(snapshot, before, plan, 'services'),
    callIds: moveOf(snapshot, before, plan, 'callIds'),
    extensions: moveOf(snapshot, before, plan, 'extensions'),
    locals: moveOf(snapshot, before, plan, 'locals'),
    schedulers: { from: schedulers.base, to: plan.schedulers.base, length: schedulers.bytes.length },
  };
}

/** Fills the memory of a director that was just made with the snapshot's network. */
export function load(view: DataView, plan: Plan, core: CoreExports, snapshot: Snapshot, moves: Moves): void {
  const memory = new Uint8Array(view.buffer);
  const { sections } = snapshot;
  memory.set(sections.superblock.bytes, abi.SUPERBLOCK);
  writePlan(view, plan);
  for (const name of ['counters', 'schedulers'] as const) memory.set(sections[name].bytes, plan[name].base);
  for (const name of TABLE_NAMES) place(view, snapshot, name, moves[name]);
  placePorts(view, plan, moves, sections.ports.bytes);
  const relocation = new Relocation(Object.values(moves));
  placeLists(view, plan, relocation, sections.wheel.bytes);
  if (!relocation.isNone) relocate(view, plan, moves, relocation);
  growPool(view, plan, snapshot.plan.schedulerBytes);
  forEachInUse(view, 'services', moves.services.records.to, (at) => core.linkService(at));
  fillIndex(view, plan, moves, relocation, core, sections.contested.bytes);
}

/** Writes the heads of lists into the wheel, which is empty. */
function placeLists(view: DataView, { wheel: { base } }: Plan, relocation: Relocation, bytes: Uint8Array): void {
  const lists = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; at += 12) {
    const head = base + lists.getUint32(at, true);
    for (const word of [0, 4]) view.setUint32(head + word, relocation.of(lists.getUint32(at + 4 + word, true)), true);
  }
}

/** Makes all addresses those of where things lie now. */
function relocate(view: DataView, plan: Plan, moves: Moves, relocation: Relocation): void {
  const words = new Uint32Array(view.buffer, 0, plan.bytes >>> 2);
  const move = (at: number): void => {
    words[at >>> 2] = relocation.of(words[at >>> 2]!);
  };
  for (const field of SUPERBLOCK_POINTERS) move(abi.SUPERBLOCK + field);
  for (const name of TABLE_NAMES) {
    const { free, next, pointers } = TABLES[name];
    forEachInUse(view, name, moves[name].records.to, (at) => {
      for (const field of pointers) move(at + field);
    });
    for (let at = words[(abi.SUPERBLOCK + free) >>> 2]!; at !== 0; at = words[(at + next) >>> 2]!) move(at + next);
  }
  for (let at = words[(abi.SUPERBLOCK + abi.SB_SCHED_FREE) >>> 2]!; at !== 0; at = words[(at >>> 2) + 1]!) move(at + 4);
  forEachInUse(view, 'services', moves.services.records.to, (at) => {
    relocateTable(view, at, words, move);
    const list = view.getUint32(at + abi.SVC_LOCALS, true);
    for (let i = 0; i < view.getUint8(at + abi.SVC_LOCAL_COUNT); i++) move(list + i * 4);
  });
}

/** What a service's scheduler keeps: addresses of dests, or a cache. */
function relocateTable(view: DataView, service: number, words: Uint32Array, move: (at: number) => void): void {
  const table = view.getUint32(service + abi.SVC_TABLE, true);
  if (table === 0) return;
  const scheduler = view.getUint8(service + abi.SVC_SCHEDULER);
  if (scheduler !== Scheduler.Lblc && scheduler !== Scheduler.Lblcr) {
    const end = table - POOL_HEADER + view.getUint32(table - POOL_HEADER, true);
    for (let at = table; at + 4 <= end; at += 4) move(at);
    return;
  }
  for (let bucket = 0; bucket < 1 << abi.CACHE_BUCKET_BITS; bucket++) move(table + bucket * 4);
  for (const field of CACHE_POINTERS) move(table + field);
  for (let page = words[(table + abi.CACHE_PAGES) >>> 2]!; page !== 0; page = words[page >>> 2]!) {
    move(page);
    const end = page + abi.CACHE_PAGE_SIZE;
    for (let cell = page + abi.CACHE_CELL_SIZE; cell + abi.CACHE_CELL_SIZE <= end; cell += abi.CACHE_CELL_SIZE) {
      for (const field of CELL_POINTERS) move(cell + field);
    }
  }
}

/** Lets the schedulers' memory end where the plan says: the free part at its end, if there is one, ended with `before`. */
function growPool(view: DataView, { schedulers: { base, count } }: Plan, before: number): void {
  const head = abi.SUPERBLOCK + abi.SB_SCHED_FREE;
  let link = head;
  let last = 0;
  for (let at = view.getUint32(head, true); at !== 0; at = view.getUint32(link, true)) {
    last = at;
    link = at + 4;
  }
  const end = base + count;
  if (last !== 0 && last + view.getUint32(last, true) === base + before) {
    view.setUint32(last, end - last, true);
    return;
  }
  const added = Math.ceil((base + before) / POOL_HEADER) * POOL_HEADER;
  if (added + POOL_HEADER > end) return;
  view.setUint32(link, added, true);
  view.setUint32(added, end - added, true);
}

/** Puts every connection into the index. Of entries with one tuple the first put in is the first found. */
function fillIndex(
  view: DataView,
  plan: Plan,
  moves: Moves,
  relocation: Relocation,
  core: CoreExports,
  contested: Uint8Array,
): void {
  let waiting = 0;
  const flush = (): void => {
    core.putEntries(waiting);
    waiting = 0;
  };
  const put = (ref: number): void => {
    view.setUint32(plan.scratch.base + waiting * abi.SCRATCH_SIZE + abi.SCR_REF, ref, true);
    if (++waiting === plan.scratch.count) flush();
  };

  const refs = new DataView(contested.buffer, contested.byteOffset, contested.byteLength);
  const done = new Set<number>();
  for (let at = 0; at < contested.length; at += 4) {
    const ref = refs.getUint32(at, true);
    done.add((relocation.of((ref & ~abi.REF_REPLY) >>> 0) | (ref & abi.REF_REPLY)) >>> 0);
  }
  done.forEach(put);
  const putOther = (ref: number): void => {
    if (done.size === 0 || !done.has(ref)) put(ref);
  };
  for (const name of ['conns', 'conns6'] as const) {
    forEachInUse(view, name, moves[name].records.to, (at) => {
      const flags = view.getUint8(at + abi.CONN_FLAGS);
      if ((flags & abi.ConnFlag.Hidden) === 0) putOther(at);
      if ((flags & abi.ConnFlag.Reply) !== 0) putOther(at + abi.REF_REPLY);
    });
  }
  flush();
}
