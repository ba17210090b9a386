/**
 * The schedulers: which dest a new connection goes to.
 *
 * All of them see the same thing: the service, whose list has the dest added last first, and a
 * key. None sees a packet. A dest is usable when it is not overloaded and its weight is above 0.
 *
 * @module
 */

import { Scheduler } from '../../src/abi/protocol';
import { SB_ARG_ADDRESS, SUPERBLOCK } from '../../src/abi/superblock';
import { CACHE_SIZE } from '../../src/abi/tables';
import { Service } from '../service/service';
import { foldAddress6 } from '../wire/ipv6';
import { endCache, startCache } from './cache';
import { pickFo, pickOvf } from './fo';
import { pickLblc, pickLblcr } from './lblc';
import { pickLc } from './lc';
import { fillMh, mhTableSize, pickMh } from './mh';
import { allocate, release } from './pool';
import { pickRr, rrDestDeleted } from './rr';
import { pickNq, pickSed } from './sed';
import { fillSh, pickDh, pickSh, SH_TABLE_SIZE } from './sh';
import { pickTwos } from './twos';
import { pickWlc } from './wlc';
import { pickWrr, wrrChanged, wrrStarts } from './wrr';

/**
 * The dest for a new connection, 0 when none is usable. `client` and `destination` are where the packet's addresses are,
 * those of IPv6 if `v6`.
 */
export function pickDest(service: Service, v6: bool, client: usize, destination: usize, clientPortBE: u32): usize {
  switch (service.scheduler) {
    case Scheduler.Rr:
      return pickRr(service);
    case Scheduler.Wrr:
      return pickWrr(service);
    case Scheduler.Wlc:
      return pickWlc(service);
    case Scheduler.Sh:
      return pickSh(service, fold(v6, client), bswap<u16>(<u16>clientPortBE));
    case Scheduler.Lc:
      return pickLc(service);
    case Scheduler.Sed:
      return pickSed(service);
    case Scheduler.Nq:
      return pickNq(service);
    case Scheduler.Fo:
      return pickFo(service);
    case Scheduler.Ovf:
      return pickOvf(service);
    case Scheduler.Twos:
      return pickTwos(service);
    case Scheduler.Dh:
      return pickDh(service, fold(v6, destination));
    case Scheduler.Mh:
    case Scheduler.Maglev:
      return pickMh(service, fold(v6, client), bswap<u16>(<u16>clientPortBE));
    case Scheduler.Lblc:
      return pickLblc(service, keyOf(v6, destination));
    case Scheduler.Lblcr:
      return pickLblcr(service, keyOf(v6, destination));
    default:
      return 0;
  }
}

/** An address as hashes know it: in host order, the words of an IPv6 address folded into one. */
function fold(v6: bool, address: usize): u32 {
  return v6 ? foldAddress6(address) : bswap<u32>(load<u32>(address));
}

/** Where the address is in 16 bytes, those behind an IPv4 address 0. */
function keyOf(v6: bool, address: usize): usize {
  if (v6) return address;
  const key = <usize>SUPERBLOCK + SB_ARG_ADDRESS;
  v128.store(key, i64x2.splat(0));
  store<u32>(key, load<u32>(address));
  return key;
}

/** Gives a service a scheduler in place of the one it has. False: there is no room for its table, and nothing has changed. */
export function setScheduler(service: Service, scheduler: u32): bool {
  const size = tableSize(scheduler);
  const table: usize = size == 0 ? 0 : allocate(size);
  if (size != 0 && table == 0) return false;
  schedulerEnds(service);
  service.scheduler = scheduler;
  service.table = table;
  schedulerRestarts(service);
  if (isCached(scheduler)) startCache(table);
  else fillTable(service);
  return true;
}

/** The scheduler begins at the head of the list again. */
export function schedulerRestarts(service: Service): void {
  service.cursor = 0;
  if (service.scheduler == Scheduler.Wrr) wrrStarts(service);
}

/** Gives back what a service's scheduler holds. */
export function schedulerEnds(service: Service): void {
  const table = service.table;
  if (table == 0) return;
  if (isCached(service.scheduler)) endCache(table);
  release(table);
  service.table = 0;
}

/**
 * A dest was added, edited or deleted. For a deleted one, `deleted` is its address and `before`
 * the dest before it in the list (0: the head).
 */
export function schedulerChanged(service: Service, deleted: usize, before: usize): void {
  switch (service.scheduler) {
    case Scheduler.Rr:
      if (deleted != 0) rrDestDeleted(service, deleted, before);
      break;
    case Scheduler.Wrr:
      wrrChanged(service);
      break;
    default:
      fillTable(service);
  }
}

/** Bytes of a scheduler's table. */
function tableSize(scheduler: u32): u32 {
  switch (scheduler) {
    case Scheduler.Sh:
    case Scheduler.Dh:
      return SH_TABLE_SIZE;
    case Scheduler.Mh:
    case Scheduler.Maglev:
      return mhTableSize(scheduler);
    default:
      return isCached(scheduler) ? CACHE_SIZE : 0;
  }
}

function isCached(scheduler: u32): bool {
  return scheduler == Scheduler.Lblc || scheduler == Scheduler.Lblcr;
}

/** Makes the table anew that hangs on the list of dests alone. */
function fillTable(service: Service): void {
  switch (service.scheduler) {
    case Scheduler.Sh:
    case Scheduler.Dh:
      fillSh(service, service.scheduler == Scheduler.Sh);
      break;
    case Scheduler.Mh:
    case Scheduler.Maglev:
      fillMh(service);
      break;
  }
}
