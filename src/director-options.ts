/**
 * How a director is made: its options, its plan, its memory.
 *
 * @module
 */
import { IpvsError } from './errors.js';
import { portsOf, readPorts } from './local-ports.js';
import { extensionsFor, layOut, type Plan, type PlanOptions } from './plan.js';
import type { EcnName, EvictName } from './settings.js';
import { assertKeys } from './shape.js';
import type { Snapshot } from './snapshot/format.js';
import type { LocalPortsConfig, NetworkConfig, SysctlConfig } from './types.js';
import type { Variant, WasmMemory, WasmSource } from './wasm.js';

/** How to make a director. */
export interface DirectorOptions {
  network?: NetworkConfig;
  sysctl?: SysctlConfig;
  /** Sizes of the tables. */
  plan?: Partial<PlanOptions>;
  /** Ports that FullNAT gives; a restored director has those of its snapshot. Default: 1024 to 65535. */
  localPorts?: LocalPortsConfig;
  /** The ECN field of outer headers; default `kernel`. */
  ecn?: EcnName;
  /** Which connections make room for new ones when the table is full; default `none`: new ones are refused. */
  evict?: EvictName;
  /** Key of the connection index: 128 bits, or 16 bytes. Default: from the host's random generator. */
  seed?: bigint | Uint8Array;
  /** Memory to work in, shared or not; at least as large as the plan, and never to grow. Default: its own. */
  memory?: WasmMemory;
  /** Default `release`. A shared memory always has the release build. */
  variant?: Variant;
  /** The binary, when not the package's own file: a compiled module, bytes, or where to fetch it. */
  wasm?: WasmSource;
}

/** What a snapshot leaves open. */
export type RestoreOptions = Pick<DirectorOptions, 'plan' | 'memory' | 'variant' | 'wasm'>;

const RESTORE_OPTIONS: Readonly<Record<keyof RestoreOptions, true>> = {
  plan: true,
  memory: true,
  variant: true,
  wasm: true,
};

const OPTIONS: Readonly<Record<keyof DirectorOptions, true>> = {
  network: true,
  sysctl: true,
  plan: true,
  localPorts: true,
  ecn: true,
  evict: true,
  seed: true,
  memory: true,
  variant: true,
  wasm: true,
};

/** How to make the director that a snapshot is put into. @throws as {@link planOf}. */
export function restoring({ plan, network, sections }: Snapshot, options: RestoreOptions): DirectorOptions {
  assertKeys('restore', options, RESTORE_OPTIONS);
  const wanted = { ...plan, ...options.plan };
  // Where fewer extensions than connections were planned that stays so; else more connections have more.
  const isFew = plan.extensions < extensionsFor(plan) || options.plan?.extensions !== undefined;
  const extensions = isFew ? wanted.extensions : Math.max(plan.extensions, extensionsFor(wanted));
  return { ...options, network, localPorts: readPorts(sections.superblock.bytes), plan: { ...wanted, extensions } };
}

/** The laid-out plan. @throws TypeError for what is no object; RangeError for an unknown option, or a plan out of bounds. */
export function planOf(options: DirectorOptions): Plan {
  assertKeys('director', options, OPTIONS);
  return layOut(options.plan, portsOf(options.localPorts).count);
}

/** The embedder's memory, or one of our own. @throws IpvsError MEMORY_TOO_SMALL. */
export function memoryFor(plan: Plan, { memory }: DirectorOptions): WasmMemory {
  if (memory === undefined) return new WebAssembly.Memory({ initial: plan.pages, maximum: plan.pages });
  if (memory.buffer.byteLength < plan.bytes) {
    throw new IpvsError(
      'MEMORY_TOO_SMALL',
      `the plan needs ${plan.bytes} bytes (${plan.pages} pages), the memory has ${memory.buffer.byteLength}`,
    );
  }
  return memory;
}
