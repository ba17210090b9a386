/**
 * A dest record: one real server of one service (layout in src/abi/memory.ts).
 *
 * @module
 */
import {
  DEST_ACTIVE,
  DEST_ADDRESS_BE,
  DEST_CONNS,
  DEST_FLAGS,
  DEST_HOP,
  DEST_HOP_GENERATION,
  DEST_INACTIVE,
  DEST_LOWER_THRESHOLD,
  DEST_METHOD,
  DEST_NEXT,
  DEST_PORT_BE,
  DEST_PROTOCOL,
  DEST_SERVICE,
  DEST_STATS,
  DEST_UPPER_THRESHOLD,
  DEST_VADDR_BE,
  DEST_VPORT_BE,
  DEST_WEIGHT,
  DestFlag,
} from '../../src/abi/memory';
import { Hop, resolveHop } from '../net/hop';
import { netGeneration } from '../superblock';
import { releaseTrashed } from './trash';

/** View of a dest record. */
@unmanaged
@final
export class Dest {
  get addressBE(): u32 {
    return load<u32>(changetype<usize>(this), DEST_ADDRESS_BE);
  }
  set addressBE(value: u32) {
    store<u32>(changetype<usize>(this), value, DEST_ADDRESS_BE);
  }
  get portBE(): u32 {
    return load<u16>(changetype<usize>(this), DEST_PORT_BE);
  }
  set portBE(value: u32) {
    store<u16>(changetype<usize>(this), value, DEST_PORT_BE);
  }
  get method(): u32 {
    return load<u8>(changetype<usize>(this), DEST_METHOD);
  }
  set method(value: u32) {
    store<u8>(changetype<usize>(this), value, DEST_METHOD);
  }
  get flags(): u32 {
    return load<u8>(changetype<usize>(this), DEST_FLAGS);
  }
  set flags(value: u32) {
    store<u8>(changetype<usize>(this), value, DEST_FLAGS);
  }
  get isAvailable(): bool {
    return (this.flags & DestFlag.Available) != 0;
  }
  get isOverloaded(): bool {
    return (this.flags & DestFlag.Overload) != 0;
  }
  get weight(): i32 {
    return load<i32>(changetype<usize>(this), DEST_WEIGHT);
  }
  set weight(value: i32) {
    store<i32>(changetype<usize>(this), value, DEST_WEIGHT);
  }
  get active(): u32 {
    return load<u32>(changetype<usize>(this), DEST_ACTIVE);
  }
  set active(value: u32) {
    store<u32>(changetype<usize>(this), value, DEST_ACTIVE);
  }
  get inactive(): u32 {
    return load<u32>(changetype<usize>(this), DEST_INACTIVE);
  }
  set inactive(value: u32) {
    store<u32>(changetype<usize>(this), value, DEST_INACTIVE);
  }
  /** Next dest in its list, 0 at the end. */
  get next(): usize {
    return load<u32>(changetype<usize>(this), DEST_NEXT);
  }
  set next(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, DEST_NEXT);
  }
  /** Its service, 0 once that is deleted. */
  get service(): usize {
    return load<u32>(changetype<usize>(this), DEST_SERVICE);
  }
  set service(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, DEST_SERVICE);
  }
  get upperThreshold(): u32 {
    return load<u32>(changetype<usize>(this), DEST_UPPER_THRESHOLD);
  }
  set upperThreshold(value: u32) {
    store<u32>(changetype<usize>(this), value, DEST_UPPER_THRESHOLD);
  }
  get lowerThreshold(): u32 {
    return load<u32>(changetype<usize>(this), DEST_LOWER_THRESHOLD);
  }
  set lowerThreshold(value: u32) {
    store<u32>(changetype<usize>(this), value, DEST_LOWER_THRESHOLD);
  }
  /** Connections that point here. */
  get conns(): u32 {
    return load<u32>(changetype<usize>(this), DEST_CONNS);
  }
  set conns(value: u32) {
    store<u32>(changetype<usize>(this), value, DEST_CONNS);
  }
  get stats(): usize {
    return changetype<usize>(this) + DEST_STATS;
  }
  get vaddrBE(): u32 {
    return load<u32>(changetype<usize>(this), DEST_VADDR_BE);
  }
  set vaddrBE(value: u32) {
    store<u32>(changetype<usize>(this), value, DEST_VADDR_BE);
  }
  get vportBE(): u32 {
    return load<u16>(changetype<usize>(this), DEST_VPORT_BE);
  }
  set vportBE(value: u32) {
    store<u16>(changetype<usize>(this), value, DEST_VPORT_BE);
  }
  get protocol(): u32 {
    return load<u8>(changetype<usize>(this), DEST_PROTOCOL);
  }
  set protocol(value: u32) {
    store<u8>(changetype<usize>(this), value, DEST_PROTOCOL);
  }

  /** The way to this dest, looked up again when the network has changed. */
  hop(): Hop {
    const hop = changetype<Hop>(changetype<usize>(this) + DEST_HOP);
    const generation = netGeneration();
    if (load<u32>(changetype<usize>(this), DEST_HOP_GENERATION) != generation) {
      resolveHop(this.addressBE, hop);
      store<u32>(changetype<usize>(this), generation, DEST_HOP_GENERATION);
    }
    return hop;
  }
}

/** Counts a new connection, and closes an overfull dest to further ones. */
export function bindDest(dest: Dest): void {
  dest.conns += 1;
  dest.inactive += 1;
  const upper = dest.upperThreshold;
  if (upper != 0 && dest.active + dest.inactive >= upper) dest.flags = dest.flags | DestFlag.Overload;
}

/** Counts a connection out, and opens the dest again when it has fallen far enough. */
export function unbindDest(dest: Dest, wasActive: bool): void {
  dest.conns -= 1;
  if (wasActive) dest.active -= 1;
  else dest.inactive -= 1;
  const total = dest.active + dest.inactive;
  const lower = dest.lowerThreshold;
  const upper = dest.upperThreshold;
  const reopens = lower != 0 ? total < lower : upper == 0 || <u64>total * 4 < <u64>upper * 3;
  if (reopens) dest.flags = dest.flags & ~DestFlag.Overload;
  if (dest.conns == 0 && !dest.isAvailable) releaseTrashed(dest);
}
