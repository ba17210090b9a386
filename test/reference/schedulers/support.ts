/**
 * What the tests of the schedulers need.
 *
 * @module
 */
import type { SchedulerDest, SchedulerKey } from '../../../src/reference/index.js';

export interface Named extends SchedulerDest {
  name: string;
}

export function dest(name: string, weight = 1, active = 0, inactive = 0): Named {
  return {
    name,
    address: 0x0a010000 + name.charCodeAt(0),
    port: 80,
    weight,
    lastWeight: weight,
    overloaded: false,
    activeConnections: active,
    inactiveConnections: inactive,
    available: true,
  };
}

/** `count` picks in a row, `-` for none. */
export function picks(count: number, pick: () => Named | undefined): string {
  return Array.from({ length: count }, () => pick()?.name ?? '-').join('');
}

/** A packet of 10.0.0.2:40000 to 10.0.0.100 at time 0; nothing is random. */
export function keyOf(key: Partial<SchedulerKey>): SchedulerKey {
  return {
    sourceAddress: 0x0a000002,
    sourcePort: 40000,
    destinationAddress: 0x0a000064,
    now: 0,
    random: () => {
      throw new Error('nothing was to be drawn');
    },
    ...key,
  };
}
