/**
 * The ports that FullNAT gives.
 *
 * @module
 */
import * as abi from './abi/memory.js';
import { assertKeys, shown } from './shape.js';
import type { LocalPortsConfig } from './types.js';

/** Ports of a pool: the first, from one to the next, and how many. */
export interface Ports {
  readonly first: number;
  readonly step: number;
  readonly count: number;
}

const PORT_MAX = 65_535;
const DEFAULTS: Required<LocalPortsConfig> = { first: 1024, last: PORT_MAX, shards: 1, shard: 0 };

/** The ports that are meant. @throws TypeError, RangeError for an unknown key, a number out of bounds, or when there are none. */
export function portsOf(given: LocalPortsConfig = {}): Ports {
  assertKeys('localPorts', given, DEFAULTS);
  const { first, last, shards, shard } = { ...DEFAULTS, ...given };
  const check = (name: string, value: number, least: number, most: number): void => {
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new RangeError(`localPorts.${name}: expected an integer from ${least} to ${most}, got ${shown(value)}`);
    }
  };
  check('first', first, 1, PORT_MAX);
  check('last', last, first, PORT_MAX);
  check('shards', shards, 1, PORT_MAX);
  check('shard', shard, 0, shards - 1);
  const lowest = first + ((shard - (first % shards) + shards) % shards);
  if (lowest > last) {
    throw new RangeError(`localPorts: expected a port from ${first} to ${last} that is ${shard} modulo ${shards}`);
  }
  return { first: lowest, step: shards, count: Math.floor((last - lowest) / shards) + 1 };
}

/** Writes them. */
export function writePorts(view: DataView, { first, step, count }: Ports): void {
  view.setUint32(abi.SUPERBLOCK + abi.SB_PORT_FIRST, first, true);
  view.setUint32(abi.SUPERBLOCK + abi.SB_PORT_STEP, step, true);
  view.setUint32(abi.SUPERBLOCK + abi.SB_PORT_COUNT, count, true);
}

/** Those of a superblock, as an option. */
export function readPorts(superblock: Uint8Array): Required<LocalPortsConfig> {
  const view = new DataView(superblock.buffer, superblock.byteOffset);
  const [first, shards, count] = [abi.SB_PORT_FIRST, abi.SB_PORT_STEP, abi.SB_PORT_COUNT].map((field) =>
    view.getUint32(field, true),
  ) as [number, number, number];
  return { first, last: first + (count - 1) * shards, shards, shard: first % shards };
}
