/**
 * Whether the schedulers' memory of a snapshot holds together: tables, caches and free parts, none over another.
 *
 * @module
 */
import * as abi from '../abi/memory.js';
import { Scheduler } from '../abi/protocol.js';
import type { Plan } from '../plan.js';
import type { Snapshot } from './format.js';
import { type AllRecords, fail, wordsOf } from './inspect.js';

const HEADER = 16;

/** By how many caches each dest is held. @throws IpvsError BAD_SNAPSHOT. */
export function checkPool({ sections }: Snapshot, plan: Plan, { services, dests }: AllRecords): Uint32Array {
  const { base } = plan.schedulers;
  const words = wordsOf(sections.schedulers.bytes);
  const end = base + plan.schedulers.count;
  const taken = new Uint8Array(Math.ceil(plan.schedulers.count / HEADER));
  const held = new Uint32Array(dests.count);
  const word = (at: number): number =>
    words[(at - base) >>> 2] ?? fail(`address ${at} is beyond the schedulers' memory`);
  /** Takes a part; where it ends. */
  const part = (at: number, least: number): number => {
    if (at < base || at >= end || (at - base) % HEADER !== 0) fail(`no part of the schedulers' memory is at ${at}`);
    const size = word(at);
    if (size < least || at + size > end) fail(`a part of the schedulers' memory at ${at} has ${size} bytes`);
    const to = Math.ceil((at + size - base) / HEADER);
    for (let i = (at - base) / HEADER; i < to; i++) {
      if (taken[i] !== 0) fail(`parts of the schedulers' memory lie over each other at ${at}`);
      taken[i] = 1;
    }
    return at + size;
  };

  let last = 0;
  for (let at = wordsOf(sections.superblock.bytes)[abi.SB_SCHED_FREE >>> 2]!; at !== 0; at = word(at + 4)) {
    if (at <= last) fail(`free parts of the schedulers' memory are out of order at ${at}`);
    part(at, 1);
    last = at;
  }

  const cache = (table: number): void => {
    /** Cells by number from the base on, a byte each: 1 there, 2 met. */
    const cells = new Uint8Array(words.length);
    const meet = (at: number): void => {
      const cell = (at - base) / 4;
      if (cells[cell] !== 1) fail(`no cell of a cache is at ${at}, or it is met twice`);
      cells[cell] = 2;
    };
    for (let page = word(table + abi.CACHE_PAGES); page !== 0; page = word(page)) {
      part(page - HEADER, abi.CACHE_PAGE_SIZE + HEADER);
      const to = page + abi.CACHE_PAGE_SIZE;
      for (let at = page + abi.CACHE_CELL_SIZE; at + abi.CACHE_CELL_SIZE <= to; at += abi.CACHE_CELL_SIZE) {
        cells[(at - base) / 4] = 1;
      }
    }
    for (let at = word(table + abi.CACHE_FREE); at !== 0; at = word(at + abi.CELL_NEXT)) meet(at);
    let entries = 0;
    for (let bucket = 0; bucket < 1 << abi.CACHE_BUCKET_BITS; bucket++) {
      for (let at = word(table + bucket * 4); at !== 0; at = word(at + abi.CELL_NEXT), entries++) {
        meet(at);
        for (let member = word(at + abi.CELL_SET); member !== 0; member = word(member + abi.CELL_NEXT)) {
          meet(member);
          held[dests.at(word(member + abi.CELL_DEST), 'CELL_DEST')]!++;
        }
      }
    }
    if (word(table + abi.CACHE_COUNT) !== entries) fail(`CACHE_COUNT is not ${entries}`);
  };

  for (let i = 0; i < services.count; i++) {
    if (services.used[i] === 0) continue;
    const scheduler = services.byte(i, abi.SVC_SCHEDULER);
    const table = services.word(i, abi.SVC_TABLE);
    const size = tableSize(scheduler);
    if ((table === 0) !== (size === 0)) fail(`SVC_TABLE is ${table}`);
    const list = services.word(i, abi.SVC_LOCALS);
    const locals = services.byte(i, abi.SVC_LOCAL_COUNT);
    if ((list === 0) !== (locals === 0)) fail(`SVC_LOCALS is ${list}`);
    if (list !== 0) part(list - HEADER, locals * 4 + HEADER);
    if (table === 0) continue;
    const to = part(table - HEADER, size + HEADER);
    if (scheduler === Scheduler.Lblc || scheduler === Scheduler.Lblcr) cache(table);
    else {
      for (let at = table; at + 4 <= to; at += 4) {
        const dest = word(at);
        if (dest === 0) continue;
        const service = dests.word(dests.at(dest, 'a dest in SVC_TABLE'), abi.DEST_SERVICE);
        if (service !== services.address(i)) fail('a dest in SVC_TABLE is of another service');
      }
    }
  }
  return held;
}

/** Bytes of a scheduler's table. */
function tableSize(scheduler: number): number {
  switch (scheduler) {
    case Scheduler.Sh:
    case Scheduler.Dh:
      return 256 * 4;
    case Scheduler.Mh:
      return 4093 * 4;
    case Scheduler.Maglev:
      return 65_537 * 4;
    case Scheduler.Lblc:
    case Scheduler.Lblcr:
      return abi.CACHE_SIZE;
    default:
      return 0;
  }
}
