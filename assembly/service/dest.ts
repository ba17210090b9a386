/**
 * A dest record: one real server of one service (layout in src/abi/tables.ts).
 *
 * @module
 */

import { Method } from '../../src/abi/protocol';
import { SB_DEST_MAX, SB_DESTS } from '../../src/abi/superblock';
import {
  DEST_ACTIVE,
  DEST_ADDRESS,
  DEST_CONNS,
  DEST_ESTIMATOR,
  DEST_FAMILY,
  DEST_FLAGS,
  DEST_FWMARK,
  DEST_HELD,
  DEST_HOP,
  DEST_HOP_GENERATION,
  DEST_INACTIVE,
  DEST_LAST_WEIGHT,
  DEST_LOCAL,
  DEST_LOWER_THRESHOLD,
  DEST_METHOD,
  DEST_MTU_SEEN,
  DEST_NEXT,
  DEST_PMTU,
  DEST_PMTU_SINCE,
  DEST_PORT_BE,
  DEST_PROTOCOL,
  DEST_SERVICE,
  DEST_SIZE,
  DEST_SLOT,
  DEST_STATS,
  DEST_STEP,
  DEST_TUN_CHECKSUM,
  DEST_TUN_ORDER,
  DEST_TUN_PORT_BE,
  DEST_TUN_TYPE,
  DEST_TURNS,
  DEST_UPPER_THRESHOLD,
  DEST_VADDR,
  DEST_VFAMILY,
  DEST_VPORT_BE,
  DEST_WEIGHT,
  DestFlag,
  Family,
} from '../../src/abi/tables';
import { Hop, resolveAny } from '../net/hop';
import { field, netGeneration, now32 } from '../superblock';
import { sameAddress6 } from '../wire/ipv6';

/** View of a dest record. */
@unmanaged
@final
export class Dest {
  /** Address of its address. */
  get address(): usize {
    return changetype<usize>(this) + DEST_ADDRESS;
  }
  /** Its address when that is IPv4. */
  get addressBE(): u32 {
    return load<u32>(changetype<usize>(this), DEST_ADDRESS);
  }
  /** Family (4, 6) of its address. */
  get family(): u32 {
    return load<u8>(changetype<usize>(this), DEST_FAMILY);
  }
  set family(value: u32) {
    store<u8>(changetype<usize>(this), value, DEST_FAMILY);
  }
  get isV6(): bool {
    return this.family == Family.V6;
  }
  get tunnelType(): u32 {
    return load<u8>(changetype<usize>(this), DEST_TUN_TYPE);
  }
  set tunnelType(value: u32) {
    store<u8>(changetype<usize>(this), value, DEST_TUN_TYPE);
  }
  get tunnelChecksum(): u32 {
    return load<u8>(changetype<usize>(this), DEST_TUN_CHECKSUM);
  }
  set tunnelChecksum(value: u32) {
    store<u8>(changetype<usize>(this), value, DEST_TUN_CHECKSUM);
  }
  /** UDP port of GUE. */
  get tunnelPortBE(): u32 {
    return load<u16>(changetype<usize>(this), DEST_TUN_PORT_BE);
  }
  set tunnelPortBE(value: u32) {
    store<u16>(changetype<usize>(this), value, DEST_TUN_PORT_BE);
  }
  get tunnelOrder(): u32 {
    return load<u32>(changetype<usize>(this), DEST_TUN_ORDER);
  }
  set tunnelOrder(value: u32) {
    store<u32>(changetype<usize>(this), value, DEST_TUN_ORDER);
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
  /** The last weight that was not 0; 0 when it never had another. */
  get lastWeight(): i32 {
    return load<i32>(changetype<usize>(this), DEST_LAST_WEIGHT);
  }
  set lastWeight(value: i32) {
    store<i32>(changetype<usize>(this), value, DEST_LAST_WEIGHT);
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
  /** Caches of schedulers that point here. */
  get held(): u32 {
    return load<u32>(changetype<usize>(this), DEST_HELD);
  }
  set held(value: u32) {
    store<u32>(changetype<usize>(this), value, DEST_HELD);
  }
  /** mh, while its table is made: the slot that it wants next. */
  get slot(): u32 {
    return load<u32>(changetype<usize>(this), DEST_SLOT);
  }
  set slot(value: u32) {
    store<u32>(changetype<usize>(this), value, DEST_SLOT);
  }
  /** mh: from one slot that it wants to the next. */
  get step(): u32 {
    return load<u32>(changetype<usize>(this), DEST_STEP);
  }
  set step(value: u32) {
    store<u32>(changetype<usize>(this), value, DEST_STEP);
  }
  /** mh: how many slots it takes in a row. */
  get turns(): i32 {
    return load<u8>(changetype<usize>(this), DEST_TURNS);
  }
  set turns(value: i32) {
    store<u8>(changetype<usize>(this), <u8>value, DEST_TURNS);
  }
  /** Whether nothing refers to it: neither a service, nor a connection, nor a scheduler's cache. */
  get isForgotten(): bool {
    return this.conns == 0 && this.held == 0 && !this.isAvailable;
  }
  get stats(): usize {
    return changetype<usize>(this) + DEST_STATS;
  }
  get estimator(): usize {
    return changetype<usize>(this) + DEST_ESTIMATOR;
  }
  /** Address of its service's address. */
  get vaddr(): usize {
    return changetype<usize>(this) + DEST_VADDR;
  }
  get vfamily(): u32 {
    return load<u8>(changetype<usize>(this), DEST_VFAMILY);
  }
  set vfamily(value: u32) {
    store<u8>(changetype<usize>(this), value, DEST_VFAMILY);
  }
  get fwmark(): u32 {
    return load<u32>(changetype<usize>(this), DEST_FWMARK);
  }
  set fwmark(value: u32) {
    store<u32>(changetype<usize>(this), value, DEST_FWMARK);
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

  /** The record of its address with the ports of its connections, while it is a service's by SNAT; else 0. */
  get local(): usize {
    return load<u32>(changetype<usize>(this), DEST_LOCAL);
  }
  set local(value: usize) {
    store<u32>(changetype<usize>(this), <u32>value, DEST_LOCAL);
  }

  get isMixed(): bool {
    return (this.flags & DestFlag.Mixed) != 0;
  }

  /**
   * Keeps the way of a packet of a connection by `method`, if it is the first one since the dest was edited. Whether packets by
   * DR take one that was kept for others, on which nobody is known to be next.
   */
  keepWay(method: u32): bool {
    const isDirect = method == Method.Route;
    if ((this.flags & DestFlag.WayKept) == 0) {
      this.flags = this.flags | (isDirect ? DestFlag.WayKept : DestFlag.WayKept | DestFlag.WayByTarget);
    }
    return isDirect && (this.flags & DestFlag.WayByTarget) != 0;
  }

  /** The way to this dest, looked up again when the network has changed. */
  hop(): Hop {
    const hop = changetype<Hop>(changetype<usize>(this) + DEST_HOP);
    const generation = netGeneration();
    if (load<u32>(changetype<usize>(this), DEST_HOP_GENERATION) != generation) {
      resolveAny(this.isV6, this.address, hop);
      store<u32>(changetype<usize>(this), generation, DEST_HOP_GENERATION);
    }
    return hop;
  }

  /** MTU of the way to this dest, for a packet that goes there now: the interface's, or a smaller one that was learnt. */
  pathMtu(hop: Hop): u32 {
    return load<u32>(changetype<usize>(this), DEST_PMTU) == 0 ? hop.mtu : this.currentMtu(hop.mtu);
  }

  /** Whether a packet was sent into its tunnel. */
  get wasTunnelled(): bool {
    return load<u32>(changetype<usize>(this), DEST_MTU_SEEN) != 0;
  }

  /** Remembers by which way a packet was sent into a tunnel, once it is known which MTU holds there: its own, and whether one was learnt. */
  noteWay(hop: Hop): void {
    const isLearnt = load<u32>(changetype<usize>(this), DEST_PMTU) != 0;
    store<u32>(changetype<usize>(this), hop.mtu | (isLearnt ? MTU_LEARNT : 0), DEST_MTU_SEEN);
  }

  /**
   * What the kernel goes by until it sends another packet. It keeps the route of the last one: an MTU learnt since counts
   * only if that one's was a learnt one, too.
   */
  get usedMtu(): u32 {
    const seen = load<u32>(changetype<usize>(this), DEST_MTU_SEEN);
    const own = seen & ~MTU_LEARNT;
    return own == seen ? own : this.currentMtu(own);
  }

  /** Of a way whose own MTU is `own`. */
  private currentMtu(own: u32): u32 {
    const learnt = load<u32>(changetype<usize>(this), DEST_PMTU);
    if (learnt == 0) return own;
    if (now32() - load<u32>(changetype<usize>(this), DEST_PMTU_SINCE) >= PMTU_LIFE) {
      store<u32>(changetype<usize>(this), 0, DEST_PMTU);
      return own;
    }
    return min<u32>(learnt, own);
  }

  /**
   * A router on the way said that packets of more than `mtu` bytes do not get through. A larger MTU is not learnt. It holds
   * for every server of that address.
   */
  learnMtu(hop: Hop, mtu: u32): void {
    const current = this.currentMtu(hop.mtu);
    if (mtu > current) return;
    const learnt = max<u32>(mtu, min<u32>(current, PMTU_MIN));
    let at = <usize>field(SB_DESTS);
    const end = at + <usize>field(SB_DEST_MAX) * DEST_SIZE;
    for (; at < end; at += DEST_SIZE) {
      const dest = changetype<Dest>(at);
      if (dest.family != this.family || !sameAddress6(dest.address, this.address)) continue;
      // That is no server.
      if (dest.method == Method.Snat) continue;
      store<u32>(at, learnt, DEST_PMTU);
      store<u32>(at, now32(), DEST_PMTU_SINCE);
    }
  }
}

/** Seconds, in milliseconds, that a learnt MTU holds (Linux: mtu_expires). */
const PMTU_LIFE: u32 = 600_000;
/** In DEST_MTU_SEEN: an MTU was learnt then. None is so large. */
const MTU_LEARNT: u32 = 1 << 31;
/** Linux believes no smaller one (min_pmtu). */
const PMTU_MIN: u32 = 552;

/**
 * The dest whose tunnel leads to that IPv4 address, and UDP port (0 but for GUE); 0: there is none. Of several the one that
 * was given its tunnel last, whatever kind of tunnel that is.
 */
export function findTunnel(addressBE: u32, portBE: u32): usize {
  let found: usize = 0;
  let order: u32 = 0;
  let at = <usize>field(SB_DESTS);
  const end = at + <usize>field(SB_DEST_MAX) * DEST_SIZE;
  for (; at < end; at += DEST_SIZE) {
    const dest = changetype<Dest>(at);
    if (!dest.isAvailable || dest.method != Method.Tunnel || dest.tunnelOrder < order) continue;
    if (dest.isV6 || dest.addressBE != addressBE || dest.tunnelPortBE != portBE) continue;
    found = at;
    order = dest.tunnelOrder;
  }
  return found;
}

/** Whether this is the end of a dest by NAT. */
export function hasNatDest(v6: bool, protocol: u32, address: usize, portBE: u32): bool {
  return findNatDest(v6, protocol, address, portBE) != 0;
}

/** The dest by NAT whose end this is, of several the one that became such last; a firewall mark's dest takes any protocol. */
export function findNatDest(v6: bool, protocol: u32, address: usize, portBE: u32): usize {
  const family: u32 = v6 ? Family.V6 : Family.V4;
  let found: usize = 0;
  let order: u32 = 0;
  let at = <usize>field(SB_DESTS);
  const end = at + <usize>field(SB_DEST_MAX) * DEST_SIZE;
  for (; at < end; at += DEST_SIZE) {
    const dest = changetype<Dest>(at);
    if (
      dest.isAvailable &&
      dest.method == Method.Masq &&
      dest.portBE == portBE &&
      (dest.protocol == protocol || dest.fwmark != 0) &&
      dest.family == family &&
      (v6 ? sameAddress6(dest.address, address) : dest.addressBE == load<u32>(address)) &&
      dest.tunnelOrder >= order
    ) {
      found = at;
      order = dest.tunnelOrder;
    }
  }
  return found;
}
