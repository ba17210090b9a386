/**
 * The words in which the reference takes rules and network, and gives its answers.
 *
 * @module
 */

/** Transport protocol of a service. */
export type ReferenceProtocol = 'tcp' | 'udp' | 'sctp';

/** Protocol of a connection: `icmp` and `icmpv6` are queries, which only leave by SNAT. */
export type ReferenceConnectionProtocol = ReferenceProtocol | 'icmp' | 'icmpv6';

/** Forwarding method: ipvsadm's `-m`, `-g` and `-i`, and FullNAT and SNAT, which Linux does not have. */
export type ReferenceMethod = 'nat' | 'dr' | 'tun' | 'fullnat' | 'snat';

/** How FullNAT tells servers who their client is: TOA, UOA as an option of IPv4 or a protocol, or the PROXY protocol. */
export type ReferenceCarry = 'toa' | 'uoa-option' | 'uoa-protocol' | 'proxy-v1' | 'proxy-v2';

/** Whose FullNAT: what suits Linux's NAT, or what those do that have it. */
export type ReferenceProfile = 'linux' | 'alibaba' | 'dpvs';

/** Scheduler: ipvsadm's `-s`; `maglev` is `mh` with 65,537 slots in place of 4093. */
export type ReferenceScheduler =
  | 'rr'
  | 'wrr'
  | 'lc'
  | 'wlc'
  | 'sed'
  | 'nq'
  | 'fo'
  | 'ovf'
  | 'twos'
  | 'sh'
  | 'dh'
  | 'mh'
  | 'maglev'
  | 'lblc'
  | 'lblcr';

/** Scheduler flag: ipvsadm's `-b`. */
export type ReferenceFlag = 'sh-fallback' | 'sh-port' | 'mh-fallback' | 'mh-port' | 'flag-1' | 'flag-2' | 'flag-3';

/** A service for one virtual address and port. */
export interface ReferenceAddressKey {
  protocol: ReferenceProtocol;
  /** VIP: dotted quad, or IPv6 (RFC 4291 §2.2). */
  address: string;
  port: number;
}

/** A service for all packets with a firewall mark. */
export interface ReferenceMarkKey {
  /** 1..2^32-1. */
  fwmark: number;
  /** Default 4. */
  family?: 4 | 6;
}

/** What names a virtual service. */
export type ReferenceServiceKey = ReferenceAddressKey | ReferenceMarkKey;

/** A virtual service. */
export type ReferenceService = ReferenceServiceKey & {
  /** Default `wlc`. */
  scheduler?: ReferenceScheduler;
  flags?: readonly ReferenceFlag[];
  /** Seconds for which a client's next connections go to the same dest; 0, the default: not at all. */
  persistent?: number;
  /** Which clients are one: a mask for IPv4, the length of a prefix for IPv6. Default: each is its own. */
  netmask?: string | number;
  /** Whether each UDP datagram is scheduled by itself. Default false. */
  ops?: boolean;
  /** What tells clients apart besides: `sip`, the Call-ID. */
  pe?: 'sip';
  /** Addresses from which FullNAT comes to the dests of their family, by turns; IPv4 has none of IPv6. Default: none. */
  localAddresses?: readonly string[];
  /** Of FullNAT. Default `linux`. */
  profile?: ReferenceProfile;
  /** Default: servers are not told. */
  carry?: ReferenceCarry;
  /** Whether the director answers clients' SYNs itself, and asks a server only for who answers that. Default false. */
  synproxy?: boolean;
};

/** How packets are put into a tunnel: ipvsadm's `--tun-type`, `--tun-port`, `--tun-[no|rem]csum`. */
export interface ReferenceTunnel {
  /** Default `ipip`. */
  type?: 'ipip' | 'gre' | 'gue';
  /** UDP port of GUE; only there. */
  port?: number;
  /** Default `nocsum`, the only one of IPIP; `remcsum` only with GUE. */
  checksum?: 'nocsum' | 'csum' | 'remcsum';
}

/** What names a real server within its service. */
export interface ReferenceDestKey {
  /**
   * RIP: dotted quad or IPv6. Only TUN may have another family than the service, and FullNAT IPv4 in one of IPv6: NAT64. By
   * SNAT it is where clients come from for others.
   */
  address: string;
  /** Default: the service's. DR and TUN have no port of their own and always use the service's; that of SNAT is 0. */
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
  /** Only with `tun`. */
  tunnel?: ReferenceTunnel;
}

/** An interface of the director. */
export interface ReferenceInterface {
  name: string;
  /**
   * Default `ether`, `loopback` for `lo`. The last five take packets addressed to this host out of their tunnel: IPv4 in
   * IPv4, IPv6 in IPv4, either in IPv6, and GRE over IPv4 or IPv6 with either inside.
   */
  kind?: 'ether' | 'raw' | 'loopback' | 'ipip' | 'sit' | 'ip6tnl' | 'gre' | 'ip6gre';
  /** Needed for `ether`; a VLAN interface takes its parent's by default. */
  mac?: string;
  /** Bytes of the largest IP packet, default 1500. */
  mtu?: number;
  /** Default true. */
  up?: boolean;
  /** `10.0.0.1/24`, `fd00::1/64`. */
  addresses?: readonly string[];
  vlan?: { parent: string; id: number };
}

/** A route. */
export interface ReferenceRoute {
  /** `10.0.0.0/24`, `fd00::/64`, a bare address, or `default`, which is of the gateway's family and IPv4 without one. */
  dst: string;
  dev: string;
  gateway?: string;
  /** Default: the first address of `dev` in the subnet of gateway or `dst`, else its first, else any interface's. */
  prefsrc?: string;
  /** Lower wins, default 0. */
  metric?: number;
}

/** A neighbour. */
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
  /** UDP ports on which GUE is taken apart; what is inside counts as come in IPIP. `family` is 4 by default. */
  fou?: readonly { port: number; family?: 4 | 6 }[];
  /** FTP's helper for NAT, if it is there, and the ports of the services that it listens to, 21 by default. */
  ip_vs_ftp?: { ports?: readonly number[] };
}

/** Switches, 0 or 1 unless they say otherwise, as under `net.ipv4`, `net.ipv6` and `net.ipv4.vs`. */
export interface ReferenceSysctl {
  /** Default 1. */
  ip_forward?: number;
  /** `net.ipv6.conf.all.forwarding`. Default 1. */
  ipv6_forwarding?: number;
  /** Default 1. */
  pmtu_disc?: number;
  /** Default 0. */
  sloppy_tcp?: number;
  /** Default 0. */
  expire_nodest_conn?: number;
  /** Default 0. */
  expire_quiescent_template?: number;
  /** Default 0. */
  nat_icmp_send?: number;
  /** Default 0. */
  schedule_icmp?: number;
  /** Default 0. */
  cache_bypass?: number;
  /** Default 0. */
  ignore_tunneled?: number;
  /** Default 0. */
  sloppy_sctp?: number;
  /** Seconds after which `lblc` forgets an address that nobody asked for. Default 86400. */
  lblc_expiration?: number;
  /** The same for `lblcr`, and after which a set of dests that did not change loses one. Default 86400. */
  lblcr_expiration?: number;
  /** Default 1. */
  conn_reuse_mode?: number;
  /**
   * Whether a client's word alone establishes no TCP connection: 0 no, 3 yes; 1 and 2 while less is free than `amemthresh`,
   * by which either becomes the other. Default 0.
   */
  secure_tcp?: number;
  /** Whether half-open and idle connections are ended at random, as above. Default 0. */
  drop_entry?: number;
  /** Whether one of so many packets that would open a connection is dropped, as above. Default 0. */
  drop_packet?: number;
  /** Of how many, in mode 3; 0: none. Default 10. */
  am_droprate?: number;
  /** Of the connections that there may be, in 4,096ths. Default 1024. */
  amemthresh?: number;
  /** Whether both ends of an established connection of TCP hear when its time is over. Default 0. */
  conn_expire_tcp_rst?: number;
  /** Behind the SYN proxy: whether servers are asked only when clients have said something. Default 0. */
  synproxy_defer?: number;
  /** The largest segment that clients are told to send, over IPv4. Default 1460. */
  synproxy_mss?: number;
  /** The window scale that they are told. Default 7. */
  synproxy_wscale?: number;
  /** Default 1. */
  synproxy_sack?: number;
  /** Default 1. */
  synproxy_timestamp?: number;
  /** How often a silent server is asked again. Default 3. */
  synproxy_retries?: number;
  /** The how manieth identical acknowledgment in a row is dropped; 0: none. Default 10. */
  synproxy_dup_ack?: number;
  /** How many packets of a client's first data are kept. Default 3. */
  synproxy_max_ack_saved?: number;
}

/** What a frame carries beside its bytes. */
export interface ReferenceFrameNotes {
  /** Firewall mark; default 0. */
  mark?: number;
  /** Whether the transport checksum is only begun: it holds the pseudo header's sum, not complemented. */
  partialChecksum?: boolean;
}

/** Timeouts in seconds, as ipvsadm's `--set`; one that is 0 or missing stays as it is. */
export interface ReferenceTimeouts {
  tcp?: number;
  tcpfin?: number;
  udp?: number;
}

/** What became of a frame. */
export interface ReferenceOutcome {
  /** `forward`, `local`, `pass`, `drop` or `held`. */
  verdict: string;
  /** Why, in a word. */
  reason: string;
  /** Where it leaves; `undefined` unless forwarded. */
  outInterface: string | undefined;
  /** The frame as it leaves; as it came when it is not forwarded. */
  frame: Uint8Array;
  /** Whether the director made this frame itself. */
  made: boolean;
  /** Whether the transport checksum of the frame is still to be filled in. */
  partialChecksum: boolean;
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
  /** Templates of a persistent service that point here. */
  persistentConnections: number;
  stats: ReferenceStats;
  /** The same each second, as the kernel estimates it. */
  rates: ReferenceStats;
  /** Only with `tun`, and not for plain IPIP. */
  tunnel?: Required<Pick<ReferenceTunnel, 'type' | 'checksum'>> & Pick<ReferenceTunnel, 'port'>;
}

/** A service as it stands; `dests` in the scheduler's order, newest first. */
export type ReferenceServiceInfo = (ReferenceAddressKey | Required<ReferenceMarkKey>) & {
  scheduler: ReferenceScheduler;
  flags: ReferenceFlag[];
  /** These two only where persistent. */
  persistent?: number;
  netmask?: string | number;
  ops?: true;
  pe?: 'sip';
  /** Only where there are any. */
  localAddresses?: string[];
  /** Only where it is not `linux`. */
  profile?: ReferenceProfile;
  carry?: ReferenceCarry;
  synproxy?: true;
  stats: ReferenceStats;
  /** The same each second, as the kernel estimates it. */
  rates: ReferenceStats;
  dests: ReferenceDestInfo[];
};

/** A connection as it stands; one that goes past its service has no dest: `0.0.0.0` or `::`, port 0. */
export interface ReferenceConnectionInfo {
  /** `ip`: a template of a firewall mark, which stands in its virtual address. */
  protocol: ReferenceConnectionProtocol | 'ip';
  clientAddress: string;
  clientPort: number;
  virtualAddress: string;
  virtualPort: number;
  destAddress: string;
  destPort: number;
  method: ReferenceMethod | 'bypass';
  /** `ESTABLISHED`, `SYN_RECV`, …, `UDP`; of a template `NONE` or `ASSURED`. */
  state: string;
  /** Seconds until it expires, with fractions. */
  expires: number;
  /** Seconds since its last packet, or since it was given more time for those that it controls. */
  idle: number;
  /** Packets from the client. */
  inPackets: number;
  /** Where FullNAT comes from for the dest, SNAT for whoever is addressed. */
  localAddress?: string;
  localPort?: number;
  template?: true;
  pe?: { name: 'sip'; data: string };
}
