/**
 * How much goes through services and dests each second: every two seconds the average moves by a quarter of the way to what
 * was counted since the last time, in the fixed point numbers of Linux's ip_vs_est.c (6.1).
 *
 * @module
 */
import {
  SB_ESTIMATE_AT,
  SB_GONE,
  SB_SERVICE_MAX,
  SB_SERVICES,
  SB_TOTAL,
  SB_TOTAL_ESTIMATOR,
  SUPERBLOCK,
} from '../../src/abi/superblock';
import {
  EST_COUNTS,
  EST_EVERY,
  EST_RATES,
  SERVICE_SIZE,
  STATS_IN_BYTES,
  STATS_SIZE,
  SVC_USED,
} from '../../src/abi/tables';
import { field } from '../superblock';
import { Dest } from './dest';
import { Service } from './service';

/** Bits behind the point of connections and packets, and of bytes, less one: a count is of two seconds. */
const COUNT_SHIFT: u64 = 9;
const BYTES_SHIFT: u64 = 4;

/** Estimates as often as it was due up to `to` (milliseconds), at multiples of two seconds. */
export function estimate(to: u64): void {
  const due = load<u64>(SUPERBLOCK, SB_ESTIMATE_AT);
  if (to < due) return;
  store<u64>(SUPERBLOCK, (to / EST_EVERY + 1) * EST_EVERY, SB_ESTIMATE_AT);
  // Before the first packet nothing was counted.
  if (due != 0) estimateAll((to - due) / EST_EVERY);
}

/** `quiet`: how many times it was due since without that anything was counted. */
function estimateAll(quiet: u64): void {
  const total = <usize>SUPERBLOCK + SB_TOTAL;
  memory.copy(total, <usize>SUPERBLOCK + SB_GONE, STATS_SIZE);
  let at = <usize>field(SB_SERVICES);
  const end = at + <usize>field(SB_SERVICE_MAX) * SERVICE_SIZE;
  for (; at < end; at += SERVICE_SIZE) {
    if (load<u8>(at, SVC_USED) == 0) continue;
    const service = changetype<Service>(at);
    addStats(total, service.stats);
    update(service.stats, service.estimator, quiet);
    for (let next = service.dests; next != 0; next = changetype<Dest>(next).next) {
      const dest = changetype<Dest>(next);
      update(dest.stats, dest.estimator, quiet);
    }
  }
  update(total, <usize>SUPERBLOCK + SB_TOTAL_ESTIMATOR, quiet);
}

function update(stats: usize, estimator: usize, quiet: u64): void {
  for (let i: usize = 0; i < <usize>STATS_SIZE; i += 8) {
    const count = load<u64>(stats + i);
    const rate =
      (count - load<u64>(estimator + i, EST_COUNTS)) << (i < <usize>STATS_IN_BYTES ? COUNT_SHIFT : BYTES_SHIFT);
    store<u64>(estimator + i, count, EST_COUNTS);
    let average = <i64>load<u64>(estimator + i, EST_RATES);
    average += (<i64>rate - average) >> 2;
    // It reaches 0 after some 150 times at most.
    for (let left = quiet; left > 0 && average != 0; left--) average += -average >> 2;
    store<u64>(estimator + i, average, EST_RATES);
  }
}

function addStats(to: usize, stats: usize): void {
  for (let i: usize = 0; i < <usize>STATS_SIZE; i += 8) store<u64>(to + i, load<u64>(to + i) + load<u64>(stats + i));
}

/** A service ends: what went through it stays in the total. */
export function keepCounts(service: Service): void {
  addStats(<usize>SUPERBLOCK + SB_GONE, service.stats);
}
