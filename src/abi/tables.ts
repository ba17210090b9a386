/**
 * Records that the host writes: counters, interfaces, routes, neighbours, services and their dests, and what these remember.
 *
 * @module
 */

// --- addresses -----------------------------------------------------------------------------------

/** Bytes of an address field in records that hold both families; an IPv4 address takes the first four, the rest is 0. */
export const ADDRESS_SIZE = 16;

export enum Family {
  V4 = 4,
  V6 = 6,
}

/** No hop is cached: in place of an interface index. */
export const HOP_INTERFACE_NONE = 0xffff;

// --- caches of lblc and lblcr ------------------------------------------------------------------

/** u32 each: heads of the lists of entries. */
export const CACHE_BUCKET_BITS = 10;
/** u32: number of entries. */
export const CACHE_COUNT = 4096;
/** u32: first free cell; u32: first page of cells. Both 0 at the end. */
export const CACHE_FREE = 4100;
export const CACHE_PAGES = 4104;
/** u32: bucket at which the collector stopped; u32: its runs since it looked at all entries. */
export const CACHE_ROVER = 4108;
export const CACHE_RUNS = 4112;
/** u64: when it runs next, in milliseconds. */
export const CACHE_CHECK_AT = 4120;
export const CACHE_SIZE = 4128;

/** Bytes in which cells are taken from the schedulers' memory; the first cell's place is for the next page's address. */
export const CACHE_PAGE_SIZE = 4080;
/** An entry, or a member of its set. */
export const CACHE_CELL_SIZE = 40;
/** u32: next entry of the bucket, member of the set, or free cell. */
export const CELL_NEXT = 0;
/** u32: of an entry its first member; of a member its dest. */
export const CELL_SET = 4;
export const CELL_DEST = 4;
/** u32: number of members. */
export const CELL_SIZE = 8;
/** u32 each: when the entry was last used, and when its set last changed; low half of the time in milliseconds. */
export const CELL_USED = 12;
export const CELL_MODIFIED = 16;
/** ADDRESS_SIZE bytes. */
export const CELL_ADDRESS = 24;

// --- counters: u64 each, one per reason --------------------------------------------------------

export const COUNTER_SIZE = 8;

// --- interface record --------------------------------------------------------------------------

export const INTERFACE_SIZE = 32;
/** u32: InterfaceFlag bits. */
export const IF_FLAGS = 0;
/** u32: largest IP packet that leaves, in bytes. */
export const IF_MTU = 4;
/** 6 bytes, then u16: VLAN identifier (IF_VLAN_NONE: untagged). */
export const IF_MAC = 8;
export const IF_VLAN = 14;
/** u32: index of the interface whose frames carry the tag. */
export const IF_PARENT = 16;

export const IF_VLAN_NONE = 0xffff;

export enum InterfaceFlag {
  Up = 1,
  /** Frames start with an Ethernet header; without it they are bare IP packets. */
  Ethernet = 2,
  Loopback = 4,
  // Tunnels that packets addressed to this host come out of, named as Linux's devices.
  /** tunl0: IPv4 in IPv4. */
  Ipip = 8,
  /** sit0: IPv6 in IPv4. */
  Sit = 16,
  /** ip6tnl0: IPv4 or IPv6 in IPv6. */
  Ip6tnl = 32,
  /** GRE over IPv4. */
  Gre = 64,
  /** GRE over IPv6. */
  Ip6gre = 128,
}

// --- route record: sorted by prefix length (longest first), then metric -------------------------

export const ROUTE_SIZE = 32;
export const ROUTE_DST_BE = 0;
export const ROUTE_MASK_BE = 4;
/** u32: gateway, 0 for on-link. */
export const ROUTE_GATEWAY_BE = 8;
/** u32: preferred source. */
export const ROUTE_SRC_BE = 12;
/** u32: out interface. */
export const ROUTE_INTERFACE = 16;
/** u32: RouteType. */
export const ROUTE_TYPE = 20;

export enum RouteType {
  Unicast = 1,
  Local = 2,
  Broadcast = 3,
}

// --- IPv6 route record: sorted the same way ------------------------------------------------------

export const ROUTE6_SIZE = 64;
/** 16 bytes each: prefix, gateway (all 0: on-link), preferred source. */
export const ROUTE6_DST = 0;
export const ROUTE6_GATEWAY = 16;
export const ROUTE6_SRC = 32;
/** u32: bits of the prefix. */
export const ROUTE6_LENGTH = 48;
/** u32: out interface. */
export const ROUTE6_INTERFACE = 52;
/** u32: RouteType. */
export const ROUTE6_TYPE = 56;
/** u32: of an own address the bits of its link's prefix, 0 for one that nothing is sent from; else 1 where ROUTE6_SRC is the route's own word. */
export const ROUTE6_SOURCE = 60;

// --- neighbour record: sorted by address (host order), then interface ---------------------------

export const NEIGHBOUR_SIZE = 16;
export const NB_ADDRESS_BE = 0;
/** u16: interface, then 6 bytes of MAC. */
export const NB_INTERFACE = 4;
export const NB_MAC = 6;

// --- IPv6 neighbour record: sorted by address (byte by byte), then interface ----------------------

export const NEIGHBOUR6_SIZE = 24;
/** 16 bytes, then u16 interface, then 6 bytes of MAC. */
export const NB6_ADDRESS = 0;
export const NB6_INTERFACE = 16;
export const NB6_MAC = 18;

// --- service record ----------------------------------------------------------------------------

export const SERVICE_SIZE = 256;
/** ADDRESS_SIZE bytes; all 0 for a firewall mark. */
export const SVC_ADDRESS = 0;
export const SVC_PORT_BE = 16;
/** u8; 0 for a firewall mark. */
export const SVC_PROTOCOL = 18;
/** u8: Scheduler. */
export const SVC_SCHEDULER = 19;
/** u32: the firewall mark, 0 for a service of address and port. */
export const SVC_FWMARK = 20;
/** u32: ServiceFlag bits. */
export const SVC_FLAGS = 24;
/** u32: next service of the same hash head, or of the free list (address, 0 ends). */
export const SVC_NEXT = 28;
/** u32: first dest (newest first); address, 0 when empty. */
export const SVC_DESTS = 32;
export const SVC_DEST_COUNT = 36;
/** u32: rr, wrr: the dest last picked; 0 is the head of the list. */
export const SVC_CURSOR = 40;
/** i32 × 3: wrr: current weight, maximum weight, step. */
export const SVC_WRR_CW = 44;
export const SVC_WRR_MW = 48;
export const SVC_WRR_DI = 52;
/** u8: 1 while the record is in use; u8: Family. */
export const SVC_USED = 56;
export const SVC_FAMILY = 57;
/** u8: PersistenceEngine. */
export const SVC_PE = 58;
/** u8 each: how many local addresses it has; which of them is tried next; Profile; Carry. */
export const SVC_LOCAL_COUNT = 59;
export const SVC_LOCAL_NEXT = 60;
export const SVC_PROFILE = 61;
export const SVC_CARRY = 62;
/** u64 × 5, see STATS_. */
export const SVC_STATS = 64;
/** u32: address of its scheduler's table or cache, 0 when it has none. */
export const SVC_TABLE = 104;
/** u32: how long a template lives, in milliseconds. */
export const SVC_TIMEOUT = 108;
/** u32: which bits of a client's address count for its template: of IPv4 as loaded, of IPv6 their number. */
export const SVC_NETMASK = 112;
/** u32: address of its list of local addresses, u32 each, in the schedulers' memory; 0 when it has none. */
export const SVC_LOCALS = 116;

/** EST_SIZE bytes. */
export const SVC_ESTIMATOR = 128;

/** u64 each. */
export const STATS_CONNS = 0;
export const STATS_IN_PACKETS = 8;
export const STATS_OUT_PACKETS = 16;
export const STATS_IN_BYTES = 24;
export const STATS_OUT_BYTES = 32;
export const STATS_SIZE = 40;

/** u64 × 5 each, in the order of STATS_: counts when rates were last estimated, and the rates, in the fixed point numbers of the kernel. */
export const EST_COUNTS = 0;
export const EST_RATES = 40;
export const EST_SIZE = 80;
/** Milliseconds between two estimations. */
export const EST_EVERY = 2000;

// --- dest record -------------------------------------------------------------------------------

export const DEST_SIZE = 320;
/** ADDRESS_SIZE bytes. */
export const DEST_ADDRESS = 0;
/** 0 only for dests of a firewall mark: the packet's own port stays. */
export const DEST_PORT_BE = 16;
/** u8: Method. */
export const DEST_METHOD = 18;
/** u8: DestFlag bits. */
export const DEST_FLAGS = 19;
/** i32. */
export const DEST_WEIGHT = 20;
export const DEST_ACTIVE = 24;
export const DEST_INACTIVE = 28;
/** u32: next dest of the service, of the trash, or of the free list. */
export const DEST_NEXT = 32;
/** u32: its service's address; kept while in the trash. */
export const DEST_SERVICE = 36;
export const DEST_UPPER_THRESHOLD = 40;
export const DEST_LOWER_THRESHOLD = 44;
/** u32: connections that point here. */
export const DEST_CONNS = 48;
/** u32: net generation for which the hop below holds. */
export const DEST_HOP_GENERATION = 52;
/** HOP_SIZE bytes: how a packet gets to this dest. */
export const DEST_HOP = 56;
/** u64 × 5, see STATS_. */
export const DEST_STATS = 88;

/** The service's VIP, port, protocol, family and mark, by which a dest in the trash is found again. */
export const DEST_VADDR = 128;
export const DEST_VPORT_BE = 144;
/** u8 each. */
export const DEST_PROTOCOL = 146;
export const DEST_VFAMILY = 147;
export const DEST_FWMARK = 148;
/** u8: Family of the dest's own address. */
export const DEST_FAMILY = 152;
/** u8: TunnelType; u8: TunnelChecksum; u16: UDP port of GUE, network order. */
export const DEST_TUN_TYPE = 153;
export const DEST_TUN_CHECKSUM = 154;
/** u8: mh, while its table is made: how many slots it takes in a row. */
export const DEST_TURNS = 155;
export const DEST_TUN_PORT_BE = 156;
/** u32: MTU learnt for the path to the dest, 0 for none; u32: low half of the time (ms) it was learnt. */
export const DEST_PMTU = 160;
export const DEST_PMTU_SINCE = 164;
/** u32: the own MTU of the way that a packet was last sent into a tunnel, 0 before the first; bit 31: one was learnt then. */
export const DEST_MTU_SEEN = 168;
/** u32: of several tunnels to one place the one with the highest value counts. */
export const DEST_TUN_ORDER = 172;
/** i32: the last weight that was not 0. */
export const DEST_LAST_WEIGHT = 176;
/** u32: caches of schedulers that point here. */
export const DEST_HELD = 180;
/** u32 × 2: mh, while its table is made: the slot wanted next, and the step to the one after. */
export const DEST_SLOT = 184;
export const DEST_STEP = 188;

/** EST_SIZE bytes. */
export const DEST_ESTIMATOR = 192;
/** u32: of a service's dest by SNAT the record of its address, whose ports its connections have; else 0. */
export const DEST_LOCAL = 272;

export enum DestFlag {
  /** In a service's list (not in the trash). */
  Available = 1,
  Overload = 2,
  /** It had connections when it was edited to another method: these keep theirs. */
  Mixed = 4,
  // Then Linux keeps the way that the first packet after an edit takes.
  /** A packet has taken it. */
  WayKept = 8,
  /** Not by DR: on the link those are asked for whom packets are addressed to. */
  WayByTarget = 16,
}

// --- local address record: an address of FullNAT, and its ports --------------------------------

export const LOCAL_SIZE = 256;
/** ADDRESS_SIZE bytes. */
export const LOCAL_ADDRESS = 0;
/** u8: Family; 0 of a free record, which has u32: the next free one. */
export const LOCAL_FAMILY = 16;
export const LOCAL_NEXT = 20;
/** u32 each: services that list it and dests by SNAT that it is, connections that have it. */
export const LOCAL_USERS = 24;
export const LOCAL_CONNS = 28;
/** POOL_SIZE bytes × POOL_COUNT: its pools of ports. */
export const LOCAL_POOLS = 64;

/** A local address as the host hands it over: ADDRESS_SIZE bytes, then u8: Family. */
export const LOCAL_GIVEN_FAMILY = 16;
export const LOCAL_GIVEN_SIZE = 20;

export const POOL_COUNT = 16;
export const POOL_SIZE = 12;
/** u32: how many ports were given at least once, the lowest first. */
export const POOL_GIVEN = 0;
/** u32 each: where in its ring (u16 × SB_PORT_COUNT, in host order) the port is that was freed first; how many were freed. */
export const POOL_HEAD = 4;
export const POOL_FREED = 8;

// --- hop: the outcome of a route and a neighbour lookup -----------------------------------------

export const HOP_SIZE = 32;
/** u8: HopKind. */
export const HOP_KIND = 0;
/** u16: out interface as in the interface table. */
export const HOP_INTERFACE = 2;
/** u32: route MTU in bytes. */
export const HOP_MTU = 4;
/** 6 bytes: destination MAC. */
export const HOP_MAC = 8;
/** ADDRESS_SIZE bytes: source address a packet of ours takes on this way. */
export const HOP_SRC = 16;

export enum HopKind {
  None = 0,
  Forward = 1,
  Local = 2,
  NoRoute = 3,
  NoNeighbour = 4,
  Broadcast = 5,
}
