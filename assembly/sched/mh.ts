/**
 * Maglev hashing (Eisenbud et al., NSDI 2016 §3.4): each dest has an order of its own in which it wants the slots of a
 * table, and in turn they take what is still free. When a dest goes few other clients move.
 *
 * @module
 */
import { Scheduler, ServiceFlag } from '../../src/abi/protocol';
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { foldAddress6 } from '../wire/ipv6';
import { hsiphash } from './hash';
import { commonDivisor, isUsable } from './load';

/** Slots of mh as kernels are built, and of maglev: both prime, so that each order comes by every slot. */
const SLOTS: u32 = 4093;
const MAGLEV_SLOTS: u32 = 65537;
/** The keys for where an order begins, and for its step. */
const START_KEY: u64 = 2654435761;
const STEP_KEY: u64 = 2654446892;
/** Bits of the largest weight that count. */
const WEIGHT_BITS: i32 = 6;

/** Bytes of a service's table: a u32 for each slot, the address of its dest. */
export function mhTableSize(scheduler: u32): u32 {
  return slotsOf(scheduler) * 4;
}

function slotsOf(scheduler: u32): u32 {
  return scheduler == Scheduler.Maglev ? MAGLEV_SLOTS : SLOTS;
}

/** Hash of a client, or of a dest, moved on by `offset`. */
function hashOf(fold: u32, port: u32, offset: u32, key: u64): u32 {
  return hsiphash(fold + port + offset, key);
}

/** Lets the dests choose their slots. The last weight above 0 counts: one that is quiesced keeps its slots. */
export function fillMh(service: Service): void {
  const table = service.table;
  const slots = slotsOf(service.scheduler);
  memory.fill(table, 0, slots << 2);
  if (!takeTurns(service, slots)) return;
  let left = slots;
  for (;;) {
    for (let at = service.dests; at != 0; at = changetype<Dest>(at).next) {
      const dest = changetype<Dest>(at);
      for (let turn: i32 = 0; turn < dest.turns; turn++) {
        let slot = dest.slot;
        while (load<u32>(table + ((<usize>slot) << 2)) != 0) {
          slot += dest.step;
          if (slot >= slots) slot -= slots;
        }
        dest.slot = slot;
        store<u32>(table + ((<usize>slot) << 2), <u32>at);
        if (--left == 0) return;
      }
    }
  }
}

/** Writes down for each dest where it begins, its step, and how many slots it takes at a time. False: none takes any. */
function takeTurns(service: Service, slots: u32): bool {
  let divisor: i32 = 0;
  let highest: i32 = 0;
  for (let at = service.dests; at != 0; at = changetype<Dest>(at).next) {
    const weight = changetype<Dest>(at).lastWeight;
    if (weight > 0) divisor = commonDivisor(weight, divisor);
    highest = max(highest, weight);
  }
  if (divisor == 0) return false;
  const shift = max(32 - clz<i32>(highest / divisor) - WEIGHT_BITS, 0);
  for (let at = service.dests; at != 0; at = changetype<Dest>(at).next) {
    const dest = changetype<Dest>(at);
    // As the kernel: by the family of the service, of which an IPv6 dest has the first word only.
    const fold = service.isV6 ? foldAddress6(dest.address) : bswap<u32>(dest.addressBE);
    const port = <u32>bswap<u16>(<u16>dest.portBE);
    dest.slot = hashOf(fold, port, 0, START_KEY) % slots;
    dest.step = (hashOf(fold, port, 0, STEP_KEY) % (slots - 1)) + 1;
    const turns = (dest.lastWeight / divisor) >> shift;
    dest.turns = turns > 0 || dest.lastWeight == 0 ? turns : 1;
  }
  return true;
}

/** The dest of the client's slot; 0 when it is not usable and mh-fallback finds no other. */
export function pickMh(service: Service, client: u32, clientPort: u32): usize {
  const slots = slotsOf(service.scheduler);
  const port = service.flags & ServiceFlag.Sched2 ? clientPort : 0;
  const first = hashOf(client, port, 0, START_KEY) % slots;
  const found = entry(service, first);
  if (found == 0 || isUsable(changetype<Dest>(found))) return found;
  if ((service.flags & ServiceFlag.Sched1) == 0) return 0;
  for (let i: u32 = 0; i < slots; i++) {
    const at = entry(service, hashOf(client, port, (first + i) % slots, START_KEY) % slots);
    if (isUsable(changetype<Dest>(at))) return at;
  }
  return 0;
}

function entry(service: Service, slot: u32): usize {
  return load<u32>(service.table + ((<usize>slot) << 2));
}
