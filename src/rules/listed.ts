/**
 * What the listings need to know of a service, a dest and a connection: the shapes that `services()` and
 * `connections()` of the director and the reference give.
 *
 * @module
 */
import type {
  CarryName,
  MethodName,
  ProfileName,
  ProtocolName,
  SchedulerFlag,
  ServiceKey,
  TunnelConfig,
} from '../types.js';

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
  /** Of the method `tun`; plain IPIP without. */
  readonly tunnel?: Readonly<TunnelConfig>;
}

/** A service as configured. */
export type SavedService = Readonly<ServiceKey> & SavedSettings;

/** What a service has beside its name. */
export interface SavedSettings {
  readonly scheduler: string;
  readonly flags: readonly SchedulerFlag[];
  /** Seconds; left out: not persistent. */
  readonly persistent?: number;
  /** A mask of IPv4, the length of a prefix of IPv6; left out: the whole address. */
  readonly netmask?: string | number;
  readonly ops?: boolean;
  readonly pe?: string;
  /** What FullNAT has; left out: no address, `linux`, and no. */
  readonly localAddresses?: readonly string[];
  readonly profile?: ProfileName;
  readonly carry?: CarryName;
  readonly synproxy?: boolean;
  /** Newest first, as the kernel keeps them. */
  readonly dests: readonly SavedDest[];
}

/** A dest with what went through it. */
export interface ListedDest extends SavedDest {
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  /** Templates of a persistent service that point here; left out: none. */
  readonly persistentConnections?: number;
  readonly stats: ListedStats;
  /** What goes through it each second; left out: nothing. */
  readonly rates?: ListedStats;
}

/** A service with what went through it. */
export type ListedService = SavedService & {
  readonly stats: ListedStats;
  readonly rates?: ListedStats;
  readonly dests: readonly ListedDest[];
};

/** A connection. */
export interface ListedConnection {
  /** `ip`: a template of a service by firewall mark; `icmp`, `icmpv6`: queries by SNAT. */
  readonly protocol: ProtocolName | 'icmp' | 'icmpv6' | 'ip';
  readonly clientAddress: string;
  readonly clientPort: number;
  readonly virtualAddress: string;
  readonly virtualPort: number;
  readonly destAddress: string;
  readonly destPort: number;
  /** Where FullNAT has the server send its replies to. */
  readonly localAddress?: string;
  readonly localPort?: number;
  /** `bypass` is listed without its destination, as the kernel does. */
  readonly method?: string;
  /** `ESTABLISHED`, `UDP`, ... */
  readonly state: string;
  /** Seconds left. */
  readonly expires: number;
  /** What a persistence engine knows it by. */
  readonly pe?: { readonly name: string; readonly data: string };
}
