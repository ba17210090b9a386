/**
 * The lists of services' local addresses: u32 each, in the schedulers' memory.
 *
 * @module
 */
import { Refusal } from '../src/abi/protocol';
import { SB_SCRATCH } from '../src/abi/superblock';
import { LOCAL_GIVEN_FAMILY, LOCAL_GIVEN_SIZE } from '../src/abi/tables';
import { allocate, release } from './sched/pool';
import { Local, leaveLocal, useLocal } from './service/local';
import { Service } from './service/service';
import { field } from './superblock';

/**
 * A list of the `count` local addresses that the host wrote where the scratch records are, which count as used by a service
 * from now on; 0 for none. A Refusal when there is no room.
 */
export function makeList(count: u32): usize {
  if (count == 0) return 0;
  const list = allocate(count << 2);
  if (list == 0) return Refusal.Schedulers;
  for (let i: u32 = 0; i < count; i++) {
    const given = <usize>field(SB_SCRATCH) + <usize>i * LOCAL_GIVEN_SIZE;
    const local = useLocal(load<u8>(given, LOCAL_GIVEN_FAMILY), given);
    if (local == 0) {
      leaveList(list, i);
      return Refusal.Locals;
    }
    store<u32>(list + ((<usize>i) << 2), <u32>local);
  }
  return list;
}

/** Whether it is a list, or none, and no Refusal. */
export function isList(made: usize): bool {
  return made == 0 || made > 0xff;
}

/** Gives a list back, and the `count` addresses on it. */
export function leaveList(list: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) leaveLocal(localOn(list, i));
  if (list != 0) release(list);
}

/** Gives a service a list in place of the one that it has; with the same addresses it goes on where it was. */
export function setList(service: Service, list: usize, count: u32): void {
  let isSame = service.localCount == count;
  for (let i: u32 = 0; isSame && i < count; i++) isSame = service.localAt(i) == localOn(list, i);
  if (!isSame) service.localNext = 0;
  leaveList(service.locals, service.localCount);
  service.locals = list;
  service.localCount = count;
}

function localOn(list: usize, place: u32): Local {
  return changetype<Local>(<usize>load<u32>(list + ((<usize>place) << 2)));
}
