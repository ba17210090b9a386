/**
 * Traffic counters of a service or dest (layout in src/abi/tables.ts). Bytes are those of the IP packet.
 *
 * @module
 */
import {
  STATS_CONNS,
  STATS_IN_BYTES,
  STATS_IN_PACKETS,
  STATS_OUT_BYTES,
  STATS_OUT_PACKETS,
} from '../../src/abi/tables';
import { Dest } from './dest';
import { Service } from './service';

function add(at: usize, amount: u64): void {
  store<u64>(at, load<u64>(at) + amount);
}

/** A client's packet of `bytes` for `dest`; a deleted dest counts no more. */
export function countIn(dest: Dest, bytes: u32): void {
  if (!dest.isAvailable) return;
  const service = changetype<Service>(dest.service).stats;
  add(dest.stats + STATS_IN_PACKETS, 1);
  add(dest.stats + STATS_IN_BYTES, bytes);
  add(service + STATS_IN_PACKETS, 1);
  add(service + STATS_IN_BYTES, bytes);
}

/** A server's packet of `bytes` from `dest`. */
export function countOut(dest: Dest, bytes: u32): void {
  if (!dest.isAvailable) return;
  const service = changetype<Service>(dest.service).stats;
  add(dest.stats + STATS_OUT_PACKETS, 1);
  add(dest.stats + STATS_OUT_BYTES, bytes);
  add(service + STATS_OUT_PACKETS, 1);
  add(service + STATS_OUT_BYTES, bytes);
}

/** A new connection of `service` to `dest`. */
export function countConnection(service: Service, dest: Dest): void {
  add(dest.stats + STATS_CONNS, 1);
  add(service.stats + STATS_CONNS, 1);
}
