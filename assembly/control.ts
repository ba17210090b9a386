/**
 * What the control plane does to services and dests. Keys were checked by the host; what is
 * answered is the record's address, or 0 when the table is full.
 *
 * @module
 */

import { Method, PersistenceEngine, Refusal, Scheduler } from '../src/abi/protocol';
import {
  SB_DEST_COUNT,
  SB_DEST_FREE,
  SB_DEST_MAX,
  SB_DEST_TRASH,
  SB_DESTS,
  SB_EXPIRE_NODEST_CONN,
  SB_TUNNELS_GIVEN,
} from '../src/abi/superblock';
import { DEST_SIZE, DestFlag, EST_SIZE, STATS_SIZE } from '../src/abi/tables';
import { endAbandoned } from './conn/expiry';
import { isList, leaveList, makeList, setList } from './local-list';
import { schedulerChanged, schedulerEnds, schedulerRestarts, setScheduler } from './sched/index';
import { Dest } from './service/dest';
import { keepCounts } from './service/estimator';
import { Local, leaveLocal, useLocal } from './service/local';
import { freeService, Service, setEngine } from './service/service';
import { discard, recover } from './service/trash';
import { field, setField } from './superblock';
import { copyAddress6 } from './wire/ipv6';

/**
 * Sets scheduler, flags, persistence, profile, how servers are told their clients, and local addresses, of which the host handed `locals` over; a scheduler that
 * stays keeps its place. When it is refused nothing has changed.
 */
export function editService(
  service: Service,
  scheduler: u32,
  flags: u32,
  timeout: u32,
  netmask: u32,
  engine: u32,
  profile: u32,
  carry: u32,
  locals: u32,
): Refusal {
  const list = makeList(locals);
  if (!isList(list)) return <Refusal>list;
  if (service.scheduler != scheduler && !setScheduler(service, scheduler)) {
    leaveList(list, locals);
    return Refusal.Schedulers;
  }
  setList(service, list, locals);
  service.profile = profile;
  service.carry = carry;
  service.flags = flags;
  service.timeout = timeout;
  service.netmask = netmask;
  setEngine(service, engine);
  return Refusal.None;
}

/** Deletes a service; its dests go the way of deleted dests. */
export function deleteService(service: Service): void {
  schedulerEnds(service);
  setEngine(service, PersistenceEngine.None);
  setList(service, 0, 0);
  let at = service.dests;
  while (at != 0) {
    const dest = changetype<Dest>(at);
    at = dest.next;
    retire(dest);
  }
  // Also those that were deleted before: another service may get this record.
  for (at = field(SB_DEST_TRASH); at != 0; at = changetype<Dest>(at).next) {
    const dest = changetype<Dest>(at);
    if (dest.service == changetype<usize>(service)) dest.service = 0;
  }
  keepCounts(service);
  freeService(service);
  expireNodest();
}

/**
 * Adds a dest at the head of its service's list, or brings it back from the trash; `isSnat`: its method will be that. A Refusal
 * when there is no room for it as a local address.
 */
export function addDest(service: Service, family: u32, rip: usize, portBE: u32, isSnat: bool): usize {
  const local: usize = isSnat ? useLocal(family, rip) : 0;
  if (isSnat && local == 0) return Refusal.Locals;
  let address = recover(service, family, rip, portBE);
  if (address == 0) {
    address = takeRecord();
    if (address == 0) {
      if (isSnat) leaveLocal(changetype<Local>(local));
      return 0;
    }
    const dest = changetype<Dest>(address);
    dest.family = family;
    copyAddress6(dest.address, rip);
    dest.portBE = portBE;
    dest.protocol = service.protocol;
    dest.vfamily = service.family;
    copyAddress6(dest.vaddr, service.address);
    dest.vportBE = service.portBE;
    dest.fwmark = service.fwmark;
  }
  const dest = changetype<Dest>(address);
  dest.local = local;
  dest.tunnelOrder = 0;
  // Counts of traffic belong to a service: they end with it.
  if (dest.service != changetype<usize>(service)) {
    memory.fill(dest.stats, 0, STATS_SIZE);
    memory.fill(dest.estimator, 0, EST_SIZE);
  }
  dest.flags = dest.flags | DestFlag.Available;
  dest.lastWeight = 0;
  dest.service = changetype<usize>(service);
  dest.next = service.dests;
  service.dests = address;
  service.destCount += 1;
  return address;
}

/** Sets what can be edited of a dest, and tells the scheduler. When it is refused nothing has changed. */
export function setDest(
  dest: Dest,
  method: u32,
  weight: i32,
  upper: u32,
  lower: u32,
  tunnelType: u32,
  tunnelPortBE: u32,
  tunnelChecksum: u32,
): Refusal {
  if (!holdLocal(dest, method == Method.Snat)) return Refusal.Locals;
  // As the kernel: a limit that is lifted, or raised, opens the dest at once.
  if (upper == 0 || upper > dest.upperThreshold) dest.flags = dest.flags & ~DestFlag.Overload;
  const isOther = dest.method != method || dest.tunnelType != tunnelType || dest.tunnelPortBE != tunnelPortBE;
  if (isOther || dest.tunnelOrder == 0) {
    dest.tunnelOrder = field(SB_TUNNELS_GIVEN) + 1;
    setField(SB_TUNNELS_GIVEN, dest.tunnelOrder);
  }
  if (dest.method != method && dest.conns != 0) dest.flags = dest.flags | DestFlag.Mixed;
  dest.flags = dest.flags & ~(DestFlag.WayKept | DestFlag.WayByTarget);
  dest.method = method;
  dest.weight = weight;
  if (weight != 0) dest.lastWeight = weight;
  dest.upperThreshold = upper;
  dest.lowerThreshold = lower;
  dest.tunnelType = tunnelType;
  dest.tunnelPortBE = tunnelPortBE;
  dest.tunnelChecksum = tunnelChecksum;
  schedulerChanged(changetype<Service>(dest.service), 0, 0);
  return Refusal.None;
}

/** A dest by SNAT uses its own address as a local one; false when there is no room for that. */
function holdLocal(dest: Dest, isSnat: bool): bool {
  if (isSnat) {
    if (dest.local == 0) dest.local = useLocal(dest.family, dest.address);
    return dest.local != 0;
  }
  if (dest.local != 0) leaveLocal(changetype<Local>(dest.local));
  dest.local = 0;
  return true;
}

/** Takes a dest out of its service; it stays in the trash while something points to it. */
export function deleteDest(service: Service, dest: Dest): void {
  const address = changetype<usize>(dest);
  const after = dest.next;
  let before: usize = 0;
  let at = service.dests;
  while (at != address) {
    before = at;
    at = changetype<Dest>(at).next;
  }
  if (before == 0) service.dests = after;
  else changetype<Dest>(before).next = after;
  service.destCount -= 1;
  retire(dest);
  schedulerChanged(service, address, before);
  expireNodest();
}

/** Empties a service's list, whose dests stay what they are, and lets its scheduler begin anew. */
export function unlinkDests(service: Service): void {
  service.dests = 0;
  service.destCount = 0;
  schedulerRestarts(service);
}

/** Puts a dest that is in no list at the head of its service's, as if it had just been added; `last`: the list is whole. */
export function linkDest(dest: Dest, last: bool): void {
  const service = changetype<Service>(dest.service);
  dest.lastWeight = dest.weight;
  dest.next = service.dests;
  service.dests = changetype<usize>(dest);
  service.destCount += 1;
  // Tables are made of the whole list; what wrr begins with hangs on the order in which dests came.
  if (last || service.scheduler == Scheduler.Wrr) schedulerChanged(service, 0, 0);
}

/** expire_nodest_conn: connections go with their dest. */
function expireNodest(): void {
  if (field(SB_EXPIRE_NODEST_CONN) != 0) endAbandoned();
}

function retire(dest: Dest): void {
  holdLocal(dest, false);
  dest.flags = dest.flags & ~DestFlag.Available;
  discard(dest);
}

function takeRecord(): usize {
  let address = <usize>field(SB_DEST_FREE);
  const count = field(SB_DEST_COUNT);
  if (address != 0) {
    setField(SB_DEST_FREE, <u32>changetype<Dest>(address).next);
  } else {
    if (count == field(SB_DEST_MAX)) return 0;
    address = <usize>field(SB_DESTS) + <usize>count * DEST_SIZE;
  }
  setField(SB_DEST_COUNT, count + 1);
  memory.fill(address, 0, DEST_SIZE);
  return address;
}
