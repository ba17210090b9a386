/**
 * Local addresses of FullNAT, and the pools of their ports (layout in src/abi/tables.ts). An address is one record, whichever
 * services list it. A server belongs to one pool of each address, so that no port is given twice for it.
 *
 * @module
 */
import {
  SB_LOCAL_FREE,
  SB_LOCAL_HIGH,
  SB_LOCAL_MAX,
  SB_LOCALS,
  SB_PORT_COUNT,
  SB_PORT_FIRST,
  SB_PORT_RINGS,
  SB_PORT_STEP,
} from '../../src/abi/superblock';
import {
  LOCAL_ADDRESS,
  LOCAL_CONNS,
  LOCAL_FAMILY,
  LOCAL_NEXT,
  LOCAL_POOLS,
  LOCAL_SIZE,
  LOCAL_USERS,
  POOL_COUNT,
  POOL_FREED,
  POOL_GIVEN,
  POOL_HEAD,
  POOL_SIZE,
} from '../../src/abi/tables';
import { field, setField } from '../superblock';
import { copyAddress6, sameAddress6 } from '../wire/ipv6';
import { Service } from './service';

/** View of a local address's record. */
@unmanaged
@final
export class Local {
  get address(): usize {
    return changetype<usize>(this) + LOCAL_ADDRESS;
  }
  get family(): u32 {
    return load<u8>(changetype<usize>(this), LOCAL_FAMILY);
  }
  set family(value: u32) {
    store<u8>(changetype<usize>(this), value, LOCAL_FAMILY);
  }
  get next(): u32 {
    return load<u32>(changetype<usize>(this), LOCAL_NEXT);
  }
  set next(value: u32) {
    store<u32>(changetype<usize>(this), value, LOCAL_NEXT);
  }
  /** Services that list it, and dests by SNAT that it is. */
  get users(): u32 {
    return load<u32>(changetype<usize>(this), LOCAL_USERS);
  }
  set users(value: u32) {
    store<u32>(changetype<usize>(this), value, LOCAL_USERS);
  }
  /** Connections that have it. */
  get conns(): u32 {
    return load<u32>(changetype<usize>(this), LOCAL_CONNS);
  }
  set conns(value: u32) {
    store<u32>(changetype<usize>(this), value, LOCAL_CONNS);
  }
  /** One of its pools. */
  pool(number: u32): Pool {
    return changetype<Pool>(changetype<usize>(this) + LOCAL_POOLS + <usize>number * POOL_SIZE);
  }
  /** Where the ring of a pool's freed ports is. */
  ring(number: u32): usize {
    const record = <u32>(changetype<usize>(this) - <usize>field(SB_LOCALS)) / LOCAL_SIZE;
    return <usize>field(SB_PORT_RINGS) + ((<usize>((record * POOL_COUNT + number) * field(SB_PORT_COUNT))) << 1);
  }
}

/** View of a pool. */
@unmanaged
@final
class Pool {
  get given(): u32 {
    return load<u32>(changetype<usize>(this), POOL_GIVEN);
  }
  set given(value: u32) {
    store<u32>(changetype<usize>(this), value, POOL_GIVEN);
  }
  get head(): u32 {
    return load<u32>(changetype<usize>(this), POOL_HEAD);
  }
  set head(value: u32) {
    store<u32>(changetype<usize>(this), value, POOL_HEAD);
  }
  get freed(): u32 {
    return load<u32>(changetype<usize>(this), POOL_FREED);
  }
  set freed(value: u32) {
    store<u32>(changetype<usize>(this), value, POOL_FREED);
  }
}

/** Lets a service, or a dest, use the address, which becomes known if it is not; 0 when there is no room for one more. */
export function useLocal(family: u32, address: usize): usize {
  const high = field(SB_LOCAL_HIGH);
  let at = <usize>field(SB_LOCALS);
  const end = at + <usize>high * LOCAL_SIZE;
  while (at != end && !isLocal(changetype<Local>(at), family, address)) at += LOCAL_SIZE;
  if (at == end) {
    at = <usize>field(SB_LOCAL_FREE);
    if (at != 0) {
      setField(SB_LOCAL_FREE, changetype<Local>(at).next);
    } else {
      if (high == field(SB_LOCAL_MAX)) return 0;
      setField(SB_LOCAL_HIGH, high + 1);
      at = end;
    }
    memory.fill(at, 0, LOCAL_SIZE);
    changetype<Local>(at).family = family;
    copyAddress6(changetype<Local>(at).address, address);
  }
  changetype<Local>(at).users += 1;
  return at;
}

function isLocal(local: Local, family: u32, address: usize): bool {
  return local.family == family && sameAddress6(local.address, address);
}

/** One of them does not use it any more. */
export function leaveLocal(local: Local): void {
  local.users -= 1;
  forgetUnused(local);
}

/** Forgets an address, and which ports it gave, once nobody has it. */
function forgetUnused(local: Local): void {
  if (local.users != 0 || local.conns != 0) return;
  local.family = 0;
  local.next = field(SB_LOCAL_FREE);
  setField(SB_LOCAL_FREE, <u32>changetype<usize>(local));
}

/** The pool of the server whose address is at `server`. */
export function poolOf(v6: bool, server: usize, portBE: u32, protocol: u32): u32 {
  let folded = load<u32>(server);
  if (v6) folded ^= load<u32>(server, 4) ^ load<u32>(server, 8) ^ load<u32>(server, 12);
  // Of whichever order the bytes of a word are, the outcome is the same.
  folded = (folded ^ (folded >> 16) ^ portBE ^ protocol) & 0xffff;
  folded ^= folded >> 8;
  return (folded ^ (folded >> 4)) & (POOL_COUNT - 1);
}

/** Which local address of a service, and of the family, gives it the next port of the pool: its place in the list, or their number when none has one. */
export function nextLocal(service: Service, family: u32, pool: u32): u32 {
  const count = service.localCount;
  let place = service.localNext;
  for (let left = count; left != 0; left--) {
    const local = service.localAt(place);
    if (local.family == family && hasPort(local, pool)) return place;
    place = place + 1 == count ? 0 : place + 1;
  }
  return count;
}

/** Whether a pool of the address has a port. */
export function hasPort(local: Local, number: u32): bool {
  const pool = local.pool(number);
  return pool.freed != 0 || pool.given != field(SB_PORT_COUNT);
}

/** Takes a port of a pool that has one: that which was never given yet, the lowest first, else the one that was freed first. */
export function takePort(local: Local, number: u32): u32 {
  const pool = local.pool(number);
  const count = field(SB_PORT_COUNT);
  local.conns += 1;
  const given = pool.given;
  if (given != count) {
    pool.given = given + 1;
    return field(SB_PORT_FIRST) + given * field(SB_PORT_STEP);
  }
  const head = pool.head;
  pool.head = head + 1 == count ? 0 : head + 1;
  pool.freed -= 1;
  return load<u16>(local.ring(number) + ((<usize>head) << 1));
}

/** Gives a port back; it is the last of its pool to be given again. */
export function freePort(local: Local, number: u32, port: u32): void {
  const pool = local.pool(number);
  const count = field(SB_PORT_COUNT);
  const place = pool.head + pool.freed;
  store<u16>(local.ring(number) + ((<usize>(place < count ? place : place - count)) << 1), port);
  pool.freed += 1;
  local.conns -= 1;
  forgetUnused(local);
}
