/**
 * What the listings need to know of a service, a dest and a connection: the shapes that `services()` and
 * `connections()` of the director and the reference give.
 *
 * @module
 */
import type { MethodName, ProtocolName, SchedulerFlag } from '../types.js';

/** Counters; bytes are IP bytes. */
export interface ListedStats {
  readonly connections: bigint;
  readonly inPackets: bigint;
  readonly outPackets: bigint;
  readonly inBytes: bigint;
  readonly outBytes: bigint;
}

/** A dest of a service as configured. */
export interface SavedDest {
  readonly address: string;
  readonly port: number;
  /** `local` is a server on the director itself, as kernels before 2.6.37 listed it; rules cannot say it. */
  readonly method: MethodName | 'local';
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
}

/** A service as configured. */
export interface SavedService {
  readonly protocol: ProtocolName;
  readonly address: string;
  readonly port: number;
  readonly scheduler: string;
  readonly flags: readonly SchedulerFlag[];
  /** Newest first, as the kernel keeps them. */
  readonly dests: readonly SavedDest[];
}

/** A dest with what went through it. */
export interface ListedDest extends SavedDest {
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  readonly stats: ListedStats;
}

/** A service with what went through it. */
export interface ListedService extends SavedService {
  readonly stats: ListedStats;
  readonly dests: readonly ListedDest[];
}

/** A connection. */
export interface ListedConnection {
  readonly protocol: ProtocolName;
  readonly clientAddress: string;
  readonly clientPort: number;
  readonly virtualAddress: string;
  readonly virtualPort: number;
  readonly destAddress: string;
  readonly destPort: number;
  /** `ESTABLISHED`, `UDP`, ... */
  readonly state: string;
  /** Seconds left. */
  readonly expires: number;
}
