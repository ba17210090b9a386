/**
 * The Linux Virtual Server data path as a library.
 *
 * @module
 */
export { BURST_MAX } from './abi/memory.js';
export { Reason, Verdict } from './abi/verdict.js';
export type { Burst } from './burst.js';
export type { ConnectionInfo, ConnStateName } from './connections.js';
export {
  Director,
  type DirectorOptions,
  type EcnName,
  type EvictName,
  type Outcome,
  type RestoreOptions,
  type ServiceRules,
} from './director.js';
export { type ErrorCode, IpvsError } from './errors.js';
export type { Plan, PlanOptions } from './plan.js';
export {
  REASONS,
  type ReasonInfo,
  type ReasonName,
  reasonName,
  reasonText,
  type VerdictName,
  verdictName,
} from './reasons.js';
export type { AddressServiceInfo, DestInfo, MarkServiceInfo, ServiceInfo, ServiceState, Stats } from './records.js';
export type { Region } from './region.js';
export type * from './types.js';
export type { Variant, WasmMemory, WasmModule, WasmSource } from './wasm.js';
