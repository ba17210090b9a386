/**
 * What the memory of a new director holds.
 *
 * @module
 */
import * as abi from './abi/memory.js';
import { seedBytes } from './arguments.js';
import type { DirectorOptions } from './director-options.js';
import { portsOf, writePorts } from './local-ports.js';
import { checkNetworkShape } from './net-shape.js';
import { buildTables, type NetTables, writeTables } from './net-tables.js';
import { type Plan, writePlan, writePool, writeWheel } from './plan.js';
import {
  checkSysctl,
  DEFAULT_SYSCTL,
  DEFAULT_TIMEOUTS,
  ecnMode,
  evictedKinds,
  writeSysctl,
  writeTimeouts,
} from './settings.js';
import type { NetworkConfig, SysctlConfig } from './types.js';

/** What is known of a director before its memory is touched. */
export interface Beginning {
  readonly network: NetworkConfig;
  readonly tables: NetTables;
  readonly sysctl: SysctlConfig;
  readonly seed: Uint8Array;
  readonly ecn: number;
  readonly kinds: number;
}

/** Looks through all that may be refused. @throws as `Director.create` */
export function beginningOf(options: DirectorOptions, plan: Plan): Beginning {
  const { network: given = { interfaces: [] }, sysctl = {} } = options;
  const seed = seedBytes(options.seed);
  checkSysctl(sysctl);
  const ecn = ecnMode(options.ecn ?? 'kernel');
  const kinds = evictedKinds(options.evict ?? 'none');
  checkNetworkShape(given, 'network');
  const network = structuredClone(given);
  return { network, tables: buildTables(network, plan), sysctl, seed, ecn, kinds };
}

/** Writes it, with every switch as it is by default. */
export function writeBeginning(view: DataView, plan: Plan, options: DirectorOptions, beginning: Beginning): void {
  const { seed, ecn, kinds, tables } = beginning;
  const bytes = new Uint8Array(view.buffer);
  // A memory of our own is all 0 and touched nowhere yet; filling it would take its pages from the system.
  if (options.memory !== undefined) bytes.fill(0, abi.SUPERBLOCK, plan.portRings.base);
  writePlan(view, plan);
  writePool(view, plan);
  writePorts(view, portsOf(options.localPorts));
  writeWheel(view, plan);
  bytes.set(seed, abi.SUPERBLOCK + abi.SB_KEY0);
  bytes.set(seed.subarray(0, 8), abi.SUPERBLOCK + abi.SB_RANDOM);
  view.setUint32(abi.SUPERBLOCK + abi.SB_ECN_MODE, ecn, true);
  view.setUint32(abi.SUPERBLOCK + abi.SB_EVICT, kinds, true);
  writeTimeouts(view, DEFAULT_TIMEOUTS);
  writeSysctl(view, DEFAULT_SYSCTL);
  writeTables(view, plan, tables);
}
