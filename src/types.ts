/**
 * The words in which rules and the network around the director are given.
 *
 * @module
 */

/** Transport protocol of a service. */
export type ProtocolName = 'tcp' | 'udp';

/** Forwarding method: ipvsadm's `-m` (NAT), `-g` (DR) and `-i` (TUN, IPIP). */
export type MethodName = 'nat' | 'dr' | 'tun';

/** Scheduler, as ipvsadm's `-s`. */
export type SchedulerName = 'rr' | 'wrr' | 'wlc' | 'sh';

/** Scheduler flag, as ipvsadm's `-b`. */
export type SchedulerFlag = 'sh-fallback' | 'sh-port';

/** What names a virtual service. */
export interface ServiceKey {
  protocol: ProtocolName;
  /** VIP, dotted quad. */
  address: string;
  /** 1..65535. */
  port: number;
}

/** A virtual service. */
export interface ServiceConfig extends ServiceKey {
  /** Default `wlc`, as ipvsadm's. */
  scheduler?: SchedulerName;
  flags?: readonly SchedulerFlag[];
}

/** What names a real server within its service. */
export interface DestKey {
  /** RIP, dotted quad. */
  address: string;
  /** 1..65535. Default: the service's port. DR and TUN force the service's port. */
  port?: number;
}

/** A real server ("dest"). */
export interface DestConfig extends DestKey {
  /** Default `dr`, as ipvsadm's. */
  method?: MethodName;
  /** 0..65535, default 1; 0 takes no new connections. */
  weight?: number;
  /** Connections at which the dest takes no more; 0 (the default): no limit. */
  upperThreshold?: number;
  /** Connections below which an overloaded dest takes new ones again; 0: three quarters of the upper one. */
  lowerThreshold?: number;
}

/** A network interface of the director, in the words of `ip -j addr`. */
export interface InterfaceConfig {
  name: string;
  /**
   * `ether` frames carry an Ethernet header, `raw` ones are bare IP packets, `loopback` is the host's own,
   * `ipip` takes IPIP packets addressed to the host out of their tunnel (Linux's `tunl0`).
   * Default: `ether`, `loopback` for an interface called `lo`.
   */
  kind?: 'ether' | 'raw' | 'loopback' | 'ipip';
  /** MAC address, `02:00:00:00:00:01`; needed for `ether`. A VLAN without one has its parent's. */
  mac?: string;
  /** Bytes of the largest IP packet; default 1500. */
  mtu?: number;
  /** Default true. */
  up?: boolean;
  /** `10.0.0.1/24`; IPv6 addresses are accepted and not used yet. */
  addresses?: readonly string[];
  /** 802.1Q: this interface is VLAN `id` (1..4094) on the interface `parent`. */
  vlan?: { parent: string; id: number };
}

/** A route, in the words of `ip -j route`. Routes to the interfaces' own addresses are implied. */
export interface RouteConfig {
  /** `10.0.0.0/24`, a bare address, or `default`. */
  dst: string;
  dev: string;
  gateway?: string;
  /** Source address of packets the director makes; default: the first address of `dev`. */
  prefsrc?: string;
  /** Lower wins; default 0. */
  metric?: number;
}

/** A neighbour, in the words of `ip -j neigh`. */
export interface NeighbourConfig {
  dst: string;
  dev: string;
  lladdr: string;
}

/** The network around the director. */
export interface NetworkConfig {
  interfaces: readonly InterfaceConfig[];
  routes?: readonly RouteConfig[];
  neighbours?: readonly NeighbourConfig[];
}

/** Switches of the host and of IPVS, named as under `net.ipv4` and `net.ipv4.vs`. */
export interface SysctlConfig {
  /** Route packets that are not ours: 0 or 1. Default 1 (a director). */
  ip_forward?: number;
  /** Answer a tunnelled packet that is too big instead of fragmenting the tunnel: 0 or 1. Default 1. */
  pmtu_disc?: number;
  /** Let any segment but a RST open a connection: 0 or 1. Default 0. */
  sloppy_tcp?: number;
  /** Expire a connection whose dest is gone instead of dropping silently: 0 or 1. Default 0. */
  expire_nodest_conn?: number;
  /** Answer servers' packets that have no connection with port unreachable: 0 or 1. Default 0. */
  nat_icmp_send?: number;
}
