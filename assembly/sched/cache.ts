/**
 * What lblc and lblcr remember: for each destination address the dests that served it. Entries keep their dest from being
 * forgotten when it is deleted: added again, it serves the address again.
 *
 * @module
 */
import {
  CACHE_BUCKET_BITS,
  CACHE_CELL_SIZE,
  CACHE_CHECK_AT,
  CACHE_COUNT,
  CACHE_FREE,
  CACHE_PAGE_SIZE,
  CACHE_PAGES,
  CACHE_ROVER,
  CACHE_RUNS,
  CELL_ADDRESS,
  CELL_DEST,
  CELL_MODIFIED,
  CELL_NEXT,
  CELL_SET,
  CELL_SIZE,
  CELL_USED,
} from '../../src/abi/tables';
import { holdDest, releaseDest } from '../service/bind';
import { Dest } from '../service/dest';
import { now, now32 } from '../superblock';
import { copyAddress6, foldAddress6, sameAddress6 } from '../wire/ipv6';
import { hash32 } from './hash';
import { allocate, release } from './pool';

const BUCKETS: u32 = 1 << CACHE_BUCKET_BITS;
/** How many entries there may be before idle ones are collected. */
const ENTRIES_MAX: u32 = BUCKETS * 16;
/** Milliseconds between two runs of the collector, and after which an entry is idle. */
const RUN_EVERY: u64 = 60_000;
const IDLE: u32 = 360_000;
/** Each so many runs all entries are looked at. */
const RUNS_UNTIL_ALL: u32 = 30;
/** As many missed runs are made up for; by then the collector has nothing more to do. */
const RUNS_MADE_UP: u64 = 2 * RUNS_UNTIL_ALL;
/** Records have the low half of the time only: when so much has passed unseen (ms), no age can be told. */
const TOO_LONG: u64 = 1 << 31;

/** View of an entry: a destination address and its set, whose members are cells, too. */
@unmanaged
@final
export class Entry {
  get address(): usize {
    return changetype<usize>(this) + CELL_ADDRESS;
  }
  get next(): usize {
    return load<u32>(changetype<usize>(this), CELL_NEXT);
  }
  set next(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, CELL_NEXT);
  }
  /** The member that came last. */
  get members(): usize {
    return load<u32>(changetype<usize>(this), CELL_SET);
  }
  set members(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, CELL_SET);
  }
  get size(): u32 {
    return load<u32>(changetype<usize>(this), CELL_SIZE);
  }
  set size(value: u32) {
    store<u32>(changetype<usize>(this), value, CELL_SIZE);
  }
  /** When it was last used, and when its set last changed. */
  get used(): u32 {
    return load<u32>(changetype<usize>(this), CELL_USED);
  }
  set used(value: u32) {
    store<u32>(changetype<usize>(this), value, CELL_USED);
  }
  get modified(): u32 {
    return load<u32>(changetype<usize>(this), CELL_MODIFIED);
  }
  set modified(value: u32) {
    store<u32>(changetype<usize>(this), value, CELL_MODIFIED);
  }
}

/** View of a member of a set. */
@unmanaged
@final
export class Member {
  get dest(): Dest {
    return changetype<Dest>(<usize>load<u32>(changetype<usize>(this), CELL_DEST));
  }
  set dest(value: Dest) {
    store<u32>(changetype<usize>(this), <u32>changetype<usize>(value), CELL_DEST);
  }
  get next(): usize {
    return load<u32>(changetype<usize>(this), CELL_NEXT);
  }
  set next(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, CELL_NEXT);
  }
}

function head(cache: usize, bucket: u32): usize {
  return cache + ((<usize>bucket) << 2);
}

function count(cache: usize): u32 {
  return load<u32>(cache, CACHE_COUNT);
}

/** Begins a service's cache, in memory that is all 0. Before the first packet there is no time yet. */
export function startCache(cache: usize): void {
  store<u32>(cache, 1, CACHE_RUNS);
  if (now() != 0) store<u64>(cache, now() + RUN_EVERY, CACHE_CHECK_AT);
}

/** Gives all back that the cache holds. */
export function endCache(cache: usize): void {
  clear(cache);
  for (let page = <usize>load<u32>(cache, CACHE_PAGES); page != 0; ) {
    const next = <usize>load<u32>(page);
    release(page);
    page = next;
  }
}

function clear(cache: usize): void {
  for (let bucket: u32 = 0; bucket < BUCKETS; bucket++) collect(cache, bucket, 0, 0);
}

/** The entry of a destination address, 0 when there is none. Collects what is due before, `expiration` in milliseconds. */
export function findEntry(cache: usize, address: usize, expiration: u32): usize {
  catchUp(cache, expiration);
  let at = <usize>load<u32>(head(cache, hash32(foldAddress6(address), CACHE_BUCKET_BITS)));
  while (at != 0 && !sameAddress6(changetype<Entry>(at).address, address)) at = changetype<Entry>(at).next;
  if (at != 0) changetype<Entry>(at).used = now32();
  return at;
}

/** Makes the entry of a destination address that has none, its set empty; 0 when there is no room. */
export function makeEntry(cache: usize, address: usize): usize {
  const at = takeCell(cache);
  if (at == 0) return 0;
  const entry = changetype<Entry>(at);
  copyAddress6(entry.address, address);
  entry.used = now32();
  const link = head(cache, hash32(foldAddress6(address), CACHE_BUCKET_BITS));
  entry.next = load<u32>(link);
  store<u32>(link, <u32>at);
  store<u32>(cache, count(cache) + 1, CACHE_COUNT);
  return at;
}

/** Adds a dest to an entry's set unless it is in it; when there is no room, it is not. */
export function addMember(cache: usize, entry: Entry, dest: Dest): void {
  for (let at = entry.members; at != 0; at = changetype<Member>(at).next) {
    if (changetype<Member>(at).dest == dest) return;
  }
  const at = takeCell(cache);
  if (at == 0) return;
  const member = changetype<Member>(at);
  member.dest = dest;
  member.next = entry.members;
  entry.members = at;
  entry.size += 1;
  entry.modified = now32();
  holdDest(dest);
}

/** Takes a dest out of an entry's set. */
export function dropMember(cache: usize, entry: Entry, dest: Dest): void {
  let before: usize = 0;
  for (let at = entry.members; at != 0; at = changetype<Member>(at).next) {
    const member = changetype<Member>(at);
    if (member.dest == dest) {
      if (before == 0) entry.members = member.next;
      else changetype<Member>(before).next = member.next;
      entry.size -= 1;
      entry.modified = now32();
      freeMember(cache, member);
      return;
    }
    before = at;
  }
}

/** Runs the collector as often as it was due since the last time. */
function catchUp(cache: usize, expiration: u32): void {
  const due = load<u64>(cache, CACHE_CHECK_AT);
  const time = now();
  if (due == 0) store<u64>(cache, time + RUN_EVERY, CACHE_CHECK_AT);
  if (due == 0 || time < due) return;
  const missed = (time - due) / RUN_EVERY + 1;
  store<u64>(cache, due + missed * RUN_EVERY, CACHE_CHECK_AT);
  if (time - due > TOO_LONG) {
    clear(cache);
    return;
  }
  for (let run: u64 = missed - min(missed, RUNS_MADE_UP); run < missed; run++) {
    runCollector(cache, <u32>(due + run * RUN_EVERY), expiration);
  }
}

/** What is idle goes when there are too many entries, and each half hour all that was not used for `expiration`. */
function runCollector(cache: usize, at: u32, expiration: u32): void {
  const runs = load<u32>(cache, CACHE_RUNS);
  const isFull = runs == RUNS_UNTIL_ALL;
  const entries = count(cache);
  if (!isFull && entries <= ENTRIES_MAX) {
    store<u32>(cache, runs + 1, CACHE_RUNS);
    return;
  }
  if (isFull) store<u32>(cache, 1, CACHE_RUNS);
  let bucket = load<u32>(cache, CACHE_ROVER);
  // A third more than there are too many, but not more than half of all.
  const goal: u32 = isFull ? u32.MAX_VALUE : min(((entries - ENTRIES_MAX) * 4) / 3, ENTRIES_MAX / 2);
  let collected: u32 = 0;
  for (let i: u32 = 0; i < BUCKETS && collected < goal; i++) {
    bucket = (bucket + 1) & (BUCKETS - 1);
    collected += collect(cache, bucket, at, isFull ? expiration : IDLE);
  }
  store<u32>(cache, bucket, CACHE_ROVER);
}

/** Frees a bucket's entries that at time `at` were not used for `age` milliseconds or more; how many they were. */
function collect(cache: usize, bucket: u32, at: u32, age: u32): u32 {
  let freed: u32 = 0;
  let link = head(cache, bucket);
  for (let address = <usize>load<u32>(link); address != 0; address = load<u32>(link)) {
    const entry = changetype<Entry>(address);
    if (age != 0 && at - entry.used < age) {
      link = address + CELL_NEXT;
      continue;
    }
    store<u32>(link, <u32>entry.next);
    for (let member = entry.members; member != 0; ) {
      const next = changetype<Member>(member).next;
      freeMember(cache, changetype<Member>(member));
      member = next;
    }
    freeCell(cache, address);
    freed++;
  }
  store<u32>(cache, count(cache) - freed, CACHE_COUNT);
  return freed;
}

function freeMember(cache: usize, member: Member): void {
  releaseDest(member.dest);
  freeCell(cache, changetype<usize>(member));
}

function freeCell(cache: usize, cell: usize): void {
  memory.fill(cell, 0, CACHE_CELL_SIZE);
  store<u32>(cell, load<u32>(cache, CACHE_FREE), CELL_NEXT);
  store<u32>(cache, <u32>cell, CACHE_FREE);
}

/** A cell, all 0; 0 when there is no room. */
function takeCell(cache: usize): usize {
  let cell = <usize>load<u32>(cache, CACHE_FREE);
  if (cell == 0) {
    const page = allocate(CACHE_PAGE_SIZE);
    if (page == 0) return 0;
    store<u32>(page, load<u32>(cache, CACHE_PAGES));
    store<u32>(cache, <u32>page, CACHE_PAGES);
    // The first cell's place has the address of the next page.
    for (let at = page + CACHE_CELL_SIZE; at + CACHE_CELL_SIZE <= page + CACHE_PAGE_SIZE; at += CACHE_CELL_SIZE) {
      freeCell(cache, at);
    }
    cell = load<u32>(cache, CACHE_FREE);
  }
  store<u32>(cache, load<u32>(cell, CELL_NEXT), CACHE_FREE);
  store<u32>(cell, 0, CELL_NEXT);
  return cell;
}
