/**
 * The words in which rules and the network around the director are given.
 *
 * Addresses are texts: a dotted quad, or IPv6 in any form of RFC 4291 §2.2 (what comes out is in the form of RFC 5952).
 * Where either may stand, the text tells the family.
 *
 * @module
 */

/** Transport protocol of a service. */
export type ProtocolName = 'tcp' | 'udp' | 'sctp';

/**
 * Forwarding method: ipvsadm's `-m` (NAT), `-g` (DR) and `-i` (TUN); and those that Linux does not have, FullNAT
 * (docs/fullnat.md) and SNAT (docs/snat.md).
 */
export type MethodName = 'nat' | 'dr' | 'tun' | 'fullnat' | 'snat';

/** Whose FullNAT a service's is like: see docs/fullnat.md. */
export type ProfileName = 'linux' | 'alibaba' | 'dpvs';

/**
 * How FullNAT tells a server who its client is: in an option of TCP; in front of the data, by haproxy's PROXY protocol; in an
 * option of IPv4 that UDP's datagrams have; or in a header of its own in front of UDP's.
 */
export type CarryName = 'toa' | 'proxy-v1' | 'proxy-v2' | 'uoa-option' | 'uoa-protocol';

/** Scheduler, as ipvsadm's `-s`; `maglev` is our own: `mh` with a table of 65,537 slots. */
export type SchedulerName =
  | 'rr'
  | 'wrr'
  | 'lc'
  | 'wlc'
  | 'lblc'
  | 'lblcr'
  | 'dh'
  | 'sh'
  | 'mh'
  | 'maglev'
  | 'sed'
  | 'nq'
  | 'fo'
  | 'ovf'
  | 'twos';

/**
 * Scheduler flag, as ipvsadm's `-b`. The first two bits have names of their own with `sh` and `mh`; any scheduler may be given
 * any bit, which it then does not look at.
 */
export type SchedulerFlag = 'sh-fallback' | 'sh-port' | 'mh-fallback' | 'mh-port' | 'flag-1' | 'flag-2' | 'flag-3';

/** Persistence engine, as ipvsadm's `--pe`. */
export type PersistenceEngineName = 'sip';

/** What names a service for one virtual address and port. */
export interface AddressServiceKey {
  protocol: ProtocolName;
  /** VIP. */
  address: string;
  /** 1..65535; 0 for every port of the address that no other service has: a persistent service only. */
  port: number;
}

/**
 * What names a service for the packets with a firewall mark, whatever their address, port and protocol (TCP, UDP or
 * SCTP). A mark is looked up before addresses are.
 */
export interface MarkServiceKey {
  /** 1..2^32-1. */
  fwmark: number;
  /** Of the packets; default 4. */
  family?: 4 | 6;
}

/** What names a virtual service. */
export type ServiceKey = AddressServiceKey | MarkServiceKey;

/** What a virtual service has beside its name. */
export interface ServiceSettings {
  /** Default `wlc`, as ipvsadm's. */
  scheduler?: SchedulerName;
  flags?: readonly SchedulerFlag[];
  /**
   * Seconds, 1..2678400, for which a client's next connections go to the same dest, as ipvsadm's `-p`; 0 (the default):
   * each connection is scheduled by itself.
   */
  persistent?: number;
  /**
   * Which clients are one to a persistent service, as ipvsadm's `-M`: for IPv4 a mask (default `255.255.255.255`), for IPv6
   * the length of a prefix (1..128, the default).
   */
  netmask?: string | number;
  /** One-packet scheduling, as ipvsadm's `-o`: each UDP datagram is scheduled by itself. Default false. */
  ops?: boolean;
  /** Persistence engine, as ipvsadm's `--pe`: `sip` keeps the datagrams of one Call-ID together. Default: none. */
  pe?: PersistenceEngineName;
  /**
   * What clients' addresses are replaced by on the way to dests by FullNAT, which have nothing without: up to 255 addresses of
   * hosts, of the service's family, each once; for servers of IPv4 behind a service of IPv6 (docs/nat64.md) of IPv4, too. They take
   * turns; changed ones begin with the first. Default: none.
   */
  localAddresses?: readonly string[];
  /** Default `linux`. Connections keep that which they began with. */
  profile?: ProfileName;
  /**
   * SYN proxy: the director answers a SYN of TCP with a cookie, and remembers nothing until the client has answered that
   * (docs/synproxy.md). Its dests are by `nat` or `fullnat`. Default false.
   */
  synproxy?: boolean;
  /**
   * How servers by FullNAT are told the client's address (docs/fullnat.md). Default: not at all. A service of TCP may have `toa`,
   * `proxy-v1` and `proxy-v2`, one of UDP `uoa-option` (IPv4 alone), `uoa-protocol` and `proxy-v2`; by firewall mark any, each for the
   * packets of its protocol. Connections keep that which they began with.
   */
  carry?: CarryName;
}

/** A virtual service. */
export type ServiceConfig = ServiceKey & ServiceSettings;

/** How packets are put into the tunnel to a real server: ipvsadm's `--tun-type`, `--tun-port` and `--tun-[no|rem]csum`. */
export interface TunnelConfig {
  /** Default `ipip`: IP in IP, of any families. */
  type?: 'ipip' | 'gre' | 'gue';
  /** UDP port, 1..65535; GUE needs one and only GUE has one. */
  port?: number;
  /** Default `nocsum`. GUE takes all three, GRE not `remcsum` (remote checksum offload), IPIP has no checksum. */
  checksum?: 'nocsum' | 'csum' | 'remcsum';
}

/** What names a real server within its service. */
export interface DestKey {
  /**
   * RIP, of the service's family; TUN takes either, FullNAT of a service of IPv6, too (docs/nat64.md). By SNAT the address that
   * clients get.
   */
  address: string;
  /**
   * 1..65535. Default: the service's port; DR and TUN force it. For a service by firewall mark or for every port it is 0:
   * the port that the packet has; by SNAT always.
   */
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
  /** Only with the method `tun`. */
  tunnel?: TunnelConfig;
}

/** A network interface of the director, in the words of `ip -j addr`. */
export interface InterfaceConfig {
  name: string;
  /**
   * `ether` frames carry an Ethernet header, `raw` ones are bare IP packets, `loopback` is the host's own. The others take
   * packets addressed to the host out of their tunnel: `ipip` IPv4 in IPv4 (Linux's `tunl0`), `sit` IPv6 in IPv4
   * (`sit0`), `ip6tnl` either in IPv6 (`ip6tnl0` in mode `any`), `gre` either in GRE over IPv4 (`gre0`), `ip6gre` the same over IPv6.
   * Default: `ether`, `loopback` for an interface called `lo`.
   */
  kind?: 'ether' | 'raw' | 'loopback' | 'ipip' | 'sit' | 'ip6tnl' | 'gre' | 'ip6gre';
  /** MAC address, `02:00:00:00:00:01`; needed for `ether`. A VLAN without one has its parent's. */
  mac?: string;
  /** Bytes of the largest IP packet; default 1500. */
  mtu?: number;
  /** Default true. */
  up?: boolean;
  /** `10.0.0.1/24`, `fd00::1/64`; in the order of `ip addr`: of equal ones the first is the source of the director's own packets. */
  addresses?: readonly string[];
  /** 802.1Q: this interface is VLAN `id` (1..4094) on the interface `parent`. */
  vlan?: { parent: string; id: number };
}

/** A route, in the words of `ip -j route`. Routes to the interfaces' own addresses are implied. */
export interface RouteConfig {
  /** `10.0.0.0/24`, `fd00::/64`, a bare address, or `default`: of the gateway's family, IPv4 without one. */
  dst: string;
  dev: string;
  /** On a network of `dev`, unless `onlink`. */
  gateway?: string;
  /** The gateway is on the link, whatever the addresses and routes say. */
  onlink?: boolean;
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

/** A UDP port on which the host takes GUE apart, in the words of `ip -j fou show`. */
export interface FouConfig {
  /** 1..65535. */
  port: number;
  /** Of the packets; default 4. */
  family?: 4 | 6;
}

/** FTP's helper for NAT: the kernel's module `ip_vs_ftp`. */
export interface FtpConfig {
  /** Ports of services whose connections it reads, 1..65535, up to eight. Default 21. */
  ports?: readonly number[];
}

/** The network around the director. */
export interface NetworkConfig {
  interfaces: readonly InterfaceConfig[];
  routes?: readonly RouteConfig[];
  neighbours?: readonly NeighbourConfig[];
  /** What comes out of GUE counts as come in IPIP: it needs an interface of the kind `ipip`, `sit` or `ip6tnl`. */
  fou?: readonly FouConfig[];
  /** Loaded, if it is there. Connections that were opened without it are not read. */
  ip_vs_ftp?: FtpConfig;
}

/** Ports that FullNAT gives: those from `first` to `last` that are `shard` modulo `shards`; so several directors share addresses. */
export interface LocalPortsConfig {
  /** 1..65535; default 1024. */
  first?: number;
  /** `first`..65535; default 65535. */
  last?: number;
  /** 1..65535; default 1. */
  shards?: number;
  /** 0..`shards` - 1; default 0. */
  shard?: number;
}

/** What a frame carries beside its bytes. */
export interface FrameNotes {
  /** Firewall mark, 0..2^32-1; default 0: none. */
  mark?: number;
  /**
   * The transport checksum is only begun: it holds the folded sum of the pseudo header, not complemented (Linux's
   * CHECKSUM_PARTIAL). The director completes it before it sends. Default false.
   */
  partialChecksum?: boolean;
}

/** Switches of the host and of IPVS, 0 or 1 unless they say otherwise, named as under `net.ipv4` and `net.ipv4.vs`. */
export interface SysctlConfig {
  /** Route IPv4 packets that are not ours. Default 1 (a director). */
  ip_forward?: number;
  /** `net.ipv6.conf.all.forwarding`: route IPv6 packets that are not ours. Default 1. */
  ipv6_forwarding?: number;
  /** Answer a tunnelled packet that is too big instead of fragmenting the tunnel. Default 1. */
  pmtu_disc?: number;
  /** Let any segment but a RST open a connection. Default 0. */
  sloppy_tcp?: number;
  /** Let any packet open an SCTP connection. Default 0. */
  sloppy_sctp?: number;
  /**
   * Schedule a SYN or INIT anew whose connection has ended, and waits for its timeout: 0 no, 1 yes. With bit 2 also a SYN
   * whose connection is in FIN_WAIT, the last state that is seen of DR and TUN. Default 1.
   */
  conn_reuse_mode?: number;
  /** End the connections of a dest that is deleted, and schedule a SYN or INIT to one of weight 0 anew. Default 0. */
  expire_nodest_conn?: number;
  /** Give a client of a persistent service another dest once its own has weight 0. Default 0. */
  expire_quiescent_template?: number;
  /** Answer servers' packets that have no connection with port unreachable. Default 0. */
  nat_icmp_send?: number;
  /** Let an ICMP error about a packet of no connection open one. Default 0. */
  schedule_icmp?: number;
  /** Send a packet for which there is no server to where it was addressed. Default 0. */
  cache_bypass?: number;
  /** Leave packets that came out of a tunnel alone. Default 0. */
  ignore_tunneled?: number;
  /** Seconds for which `lblc` remembers a destination address that is not asked for, 1..2^22. Default 86,400. */
  lblc_expiration?: number;
  /** The same for `lblcr`; also after which a set of servers that did not change loses one. Default 86,400. */
  lblcr_expiration?: number;
  /**
   * The state table of TCP in which, with NAT, a client's word alone establishes nothing. Modes, here and below: 0 off; 1 automatic, and
   * 2 automatic and on, into which the director turns them each second by `amemthresh`; 3 always on. Default 0.
   */
  secure_tcp?: number;
  /** End half-open and idle connections at random, each second 1/32 of the table. A mode; default 0. */
  drop_entry?: number;
  /** Drop packets that would open connections, one of so many. A mode; default 0. */
  drop_packet?: number;
  /** Of how many packets `drop_packet` 3 drops one, 0 to 2^31 - 1; 0: none. Default 10. */
  am_droprate?: number;
  /**
   * The automatic modes are on while fewer than this many 4,096ths of the planned connections are free, of the family that
   * has fewer; 0 to 2^31 - 1. Default 1024: from three quarters full on.
   */
  amemthresh?: number;
  /** SYN proxy: wait for the client's first data before a server is asked. Default 0. */
  synproxy_defer?: number;
  /** The largest segment, in bytes, that it tells clients to send: 536 to 65495; of IPv6 20 less. Default 1460. */
  synproxy_mss?: number;
  /** The window scale that it tells them: 0 to 14. Default 7. */
  synproxy_wscale?: number;
  /** Offer selective acknowledgments to clients that do. Default 1. */
  synproxy_sack?: number;
  /** Offer timestamps to clients that do. Default 1; 0 for servers that have none. */
  synproxy_timestamp?: number;
  /** How often a silent server is sent the SYN again, each 3 s: 0 to 7. Default 3. */
  synproxy_retries?: number;
  /** How many packets of a client's first data are kept until its server has answered: 0 to 10. Default 3. */
  synproxy_max_ack_saved?: number;
  /** The how manieth identical acknowledgment of a client in a row is dropped: 0 (none) to 255. Default 10. */
  synproxy_dup_ack?: number;
  /** Send both ends of an ESTABLISHED connection of TCP that times out a RST, by NAT, FullNAT and SNAT. Default 0. */
  conn_expire_tcp_rst?: number;
}
