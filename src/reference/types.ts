/**
 * The words in which the reference takes rules and network, and gives its answers.
 *
 * @module
 */

/** Transport protocol of a service. */
export type ReferenceProtocol = 'tcp' | 'udp';

/** Forwarding method: ipvsadm's `-m`, `-g` and `-i`. */
export type ReferenceMethod = 'nat' | 'dr' | 'tun';

/** Scheduler: ipvsadm's `-s`. */
export type ReferenceScheduler = 'rr' | 'wrr' | 'wlc' | 'sh';

/** Scheduler flag: ipvsadm's `-b`. */
export type ReferenceFlag = 'sh-fallback' | 'sh-port';

/** What names a virtual service. */
export interface ReferenceServiceKey {
  protocol: ReferenceProtocol;
  /** VIP, dotted quad. */
  address: string;
  port: number;
}

/** A virtual service. */
export interface ReferenceService extends ReferenceServiceKey {
  /** Default `wlc`. */
  scheduler?: ReferenceScheduler;
  flags?: readonly ReferenceFlag[];
}

/** What names a real server within its service. */
export interface ReferenceDestKey {
  /** RIP, dotted quad. */
  address: string;
  /** Default: the service's. DR and TUN have no port of their own and always use the service's. */
  port?: number;
}

/** A real server. */
export interface ReferenceDest extends ReferenceDestKey {
  /** Default `dr`. */
  method?: ReferenceMethod;
  /** Default 1; 0 takes no new connections. */
  weight?: number;
  /** Connections at which it takes no more; 0, the default: no limit. */
  upperThreshold?: number;
  /** Connections below which it takes new ones again; 0: three quarters of the upper threshold. */
  lowerThreshold?: number;
}

/** An interface of the director. */
export interface ReferenceInterface {
  name: string;
  /** Default `ether`, `loopback` for `lo`. */
  kind?: 'ether' | 'raw' | 'loopback' | 'ipip';
  /** Needed for `ether`; a VLAN interface takes its parent's by default. */
  mac?: string;
  /** Bytes of the largest IP packet, default 1500. */
  mtu?: number;
  /** Default true. */
  up?: boolean;
  /** `10.0.0.1/24`; IPv6 ones are left out. */
  addresses?: readonly string[];
  vlan?: { parent: string; id: number };
}

/** A route; IPv6 ones are left out. */
export interface ReferenceRoute {
  /** `10.0.0.0/24`, a bare address, or `default`. */
  dst: string;
  dev: string;
  gateway?: string;
  /** Default: the first address of `dev` in the subnet of gateway or `dst`, else its first, else any interface's. */
  prefsrc?: string;
  /** Lower wins, default 0. */
  metric?: number;
}

/** A neighbour; IPv6 ones are left out. */
export interface ReferenceNeighbour {
  dst: string;
  dev: string;
  lladdr: string;
}

/** The network around the director. */
export interface ReferenceNetwork {
  interfaces: readonly ReferenceInterface[];
  routes?: readonly ReferenceRoute[];
  neighbours?: readonly ReferenceNeighbour[];
}

/** Switches, 0 or 1, as under `net.ipv4` and `net.ipv4.vs`. */
export interface ReferenceSysctl {
  /** Default 1. */
  ip_forward?: number;
  /** Default 1. */
  pmtu_disc?: number;
  /** Default 0. */
  sloppy_tcp?: number;
  /** Default 0. */
  expire_nodest_conn?: number;
  /** Default 0. */
  nat_icmp_send?: number;
}

/** Timeouts in seconds, as ipvsadm's `--set`; one that is 0 or missing stays as it is. */
export interface ReferenceTimeouts {
  tcp?: number;
  tcpfin?: number;
  udp?: number;
}

/** What became of a frame. */
export interface ReferenceOutcome {
  /** `forward`, `local`, `pass` or `drop`. */
  verdict: string;
  /** Why, in a word. */
  reason: string;
  /** Where it leaves; `undefined` unless forwarded. */
  outInterface: string | undefined;
  /** The frame as it leaves; as it came when it is not forwarded. */
  frame: Uint8Array;
  /** Whether the director made this frame itself. */
  made: boolean;
}

/** Counters; bytes are IP bytes. */
export interface ReferenceStats {
  connections: bigint;
  inPackets: bigint;
  outPackets: bigint;
  inBytes: bigint;
  outBytes: bigint;
}

/** A real server as it stands. */
export interface ReferenceDestInfo {
  address: string;
  port: number;
  method: ReferenceMethod;
  weight: number;
  upperThreshold: number;
  lowerThreshold: number;
  activeConnections: number;
  inactiveConnections: number;
  stats: ReferenceStats;
}

/** A service as it stands; `dests` in the scheduler's order, newest first. */
export interface ReferenceServiceInfo {
  protocol: ReferenceProtocol;
  address: string;
  port: number;
  scheduler: ReferenceScheduler;
  flags: ReferenceFlag[];
  stats: ReferenceStats;
  dests: ReferenceDestInfo[];
}

/** A connection as it stands. */
export interface ReferenceConnectionInfo {
  protocol: ReferenceProtocol;
  clientAddress: string;
  clientPort: number;
  virtualAddress: string;
  virtualPort: number;
  destAddress: string;
  destPort: number;
  method: ReferenceMethod;
  /** `ESTABLISHED`, `SYN_RECV`, …, `UDP`. */
  state: string;
  /** Seconds until it expires, with fractions. */
  expires: number;
  /** Packets from the client. */
  inPackets: number;
}
