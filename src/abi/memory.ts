/**
 * The memory map: where each region is written down, and how long its records are.
 *
 * Every number is a byte offset or a byte count unless its name says otherwise; `_BE` fields hold
 * network byte order exactly as loaded from a frame. The host plans the regions (`src/plan.ts`),
 * the core only reads where they are.
 *
 * @module
 */

/** Bumped when a layout changes its meaning without changing its numbers. */
export const ABI_VERSION = 2;

/** The optimiser takes addresses below 1024 to be unused, so the map starts there. */
export const SUPERBLOCK = 1024;
export const SUPERBLOCK_SIZE = 1280;
/** "IPVS" in ASCII, little-endian. */
export const MAGIC = 0x53565049;

// --- superblock: fields at SUPERBLOCK + offset -------------------------------------------------

export const SB_MAGIC = 0;
export const SB_ABI_VERSION = 4;
/** u32: bytes of memory planned. */
export const SB_SIZE = 8;

// u32 region bases and record counts
export const SB_COUNTERS = 16;
export const SB_INTERFACES = 20;
export const SB_INTERFACE_COUNT = 24;
export const SB_ROUTES = 28;
export const SB_ROUTE_COUNT = 32;
export const SB_NEIGHBOURS = 36;
export const SB_NEIGHBOUR_COUNT = 40;
export const SB_SERVICES = 44;
export const SB_SERVICE_MAX = 48;
export const SB_SERVICE_HEADS = 52;
/** Number of service hash heads, a power of two. */
export const SB_SERVICE_HEAD_COUNT = 56;
export const SB_DESTS = 60;
export const SB_DEST_MAX = 64;
/** u32: first free part of the schedulers' memory, see assembly/sched/pool.ts. */
export const SB_SCHED_FREE = 68;
export const SB_INDEX = 72;
export const SB_INDEX_BUCKETS = 76;
export const SB_CONNS = 80;
export const SB_CONN_MAX = 84;
export const SB_WHEEL = 88;
export const SB_DESCRIPTORS = 92;
export const SB_SCRATCH = 96;
export const SB_ARENA = 100;
export const SB_ARENA_END = 104;
/** u32: next free arena byte; set by the host before a burst, moved on by frames the core makes. */
export const SB_ARENA_NEXT = 108;

// state
/** u64: SipHash key halves. */
export const SB_KEY0 = 112;
export const SB_KEY1 = 120;
/** u64: the newest `now` seen, in milliseconds. */
export const SB_NOW = 128;
/** u32: bumped by the host whenever interfaces, routes or neighbours change. */
export const SB_NET_GENERATION = 136;
export const SB_CONN_COUNT = 140;
/** u32: records handed out at least once; those above were never touched. */
export const SB_CONN_HIGH = 144;
/** u32: head of the list of freed connection records. */
export const SB_CONN_FREE = 148;
/** u32: IP identification of the next datagram that the director originates. */
export const SB_IP_ID = 152;
/** u32: wheel position, in wheel ticks. */
export const SB_WHEEL_NOW = 156;
export const SB_SERVICE_FREE = 160;
export const SB_DEST_FREE = 164;
/** u32: first dest in the trash (deleted, with connections). */
export const SB_DEST_TRASH = 168;
/** u32: number of descriptors in use, inputs and made frames. */
export const SB_BURST_COUNT = 172;
/** u32: services in use / dests in use. */
export const SB_SERVICE_COUNT = 176;
export const SB_DEST_COUNT = 180;

// the same for IPv6, where records have another size
export const SB_ROUTES6 = 184;
export const SB_ROUTE6_COUNT = 188;
export const SB_NEIGHBOURS6 = 192;
export const SB_NEIGHBOUR6_COUNT = 196;
export const SB_CONNS6 = 200;
export const SB_CONN6_MAX = 204;
export const SB_CONN6_HIGH = 208;
export const SB_CONN6_FREE = 212;

// reassembly, see DATAGRAM_ and BLOCK_
export const SB_DATAGRAMS = 216;
export const SB_DATAGRAM_MAX = 220;
export const SB_BLOCKS = 224;
export const SB_BLOCK_MAX = 228;
/** u32: blocks handed out at least once / head of the list of free ones. */
export const SB_BLOCK_HIGH = 232;
export const SB_BLOCK_FREE = 236;
/** u32: datagrams that wait for fragments. */
export const SB_DATAGRAM_COUNT = 240;
/** u32: identification of the next IPv6 datagram that is cut into fragments. */
export const SB_FRAGMENT_ID = 244;
/** u32: services of IPv6: from the first one on, fragments of IPv6 are reassembled. */
export const SB_SERVICE6_COUNT = 248;
/** u32: EcnMode. */
export const SB_ECN_MODE = 252;
/** u32: how often a connection took the replies of another one over. */
export const SB_REPLIES_TAKEN = 296;
/** u32: how often a dest was given a tunnel; see DEST_TUN_ORDER. */
export const SB_TUNNELS_GIVEN = 300;

// sysctls: u32 each
export const SB_IP_FORWARD = 256;
export const SB_PMTU_DISC = 260;
export const SB_SLOPPY_TCP = 264;
export const SB_EXPIRE_NODEST_CONN = 268;
export const SB_NAT_ICMP_SEND = 272;
export const SB_IPV6_FORWARDING = 276;
export const SB_SCHEDULE_ICMP = 280;
export const SB_CACHE_BYPASS = 284;
export const SB_IGNORE_TUNNELED = 288;
export const SB_SLOPPY_SCTP = 292;
export const SB_CONN_REUSE_MODE = 304;
export const SB_EXPIRE_QUIESCENT_TEMPLATE = 308;
/** u32 each: seconds, in milliseconds. */
export const SB_LBLC_EXPIRATION = 312;
export const SB_LBLCR_EXPIRATION = 316;

/** u16 × 2 × FOU_MAX: UDP port (network order, 0 ends the list) and family (4 or 6) at which GUE is taken out of UDP. */
export const SB_FOU = 320;
export const FOU_MAX = 16;

/** u32 × STATE_COUNT: timeout of each connection state, in milliseconds. */
export const SB_TIMEOUTS = 384;

/** HOP_SIZE bytes each: room to look up ways that are not cached: where a packet goes, and back to where it came from. */
export const SB_HOP = 512;
export const SB_HOP_BACK = 544;

/** 16 bytes each: the addresses that the host hands over with a call about a service or dest. */
export const SB_ARG_ADDRESS = 576;
export const SB_ARG_DEST = 592;

// What is known of the datagram reassembled last, for as long as it is judged: u32 each.
/** Length of its largest fragment, as an IP packet. */
export const SB_PIECE_MAX = 608;
/** Number of fragments. */
export const SB_PIECE_COUNT = 612;
/** Address of u16 × count: payload bytes of each, in order of offset. */
export const SB_PIECES = 616;
/** Family. */
export const SB_PIECE_FAMILY = 624;
/**
 * What Linux keeps of it where IPv4 has flags and IPv6 the longest fragment, so that a tunnel of the other family takes one
 * for the other: of IPv4 ROUTED and FRAG_PMTU, of IPv6 SB_PIECE_MAX.
 */
export const SB_PIECE_WORD = 652;
/** Linux's IPSKB_FORWARDED: it was on its way through when IPVS took it. */
export const ROUTED = 1;
/** Linux's IPSKB_FRAG_PMTU: no fragment was longer than the longest one with DF. */
export const FRAG_PMTU = 64;

/**
 * u32 each, for a packet with ScratchFlag.RemoteChecksum: address from which on is summed up, and how many bytes behind it
 * the checksum is.
 */
export const SB_REMOTE_START = 656;
export const SB_REMOTE_FIELD = 660;

/**
 * The IPv4 addresses of the last tunnel packet that might come in (source low, destination high), u64; by which interface,
 * u32; and in which net generation, u32: tunnel packets mostly have those of the one before.
 */
export const SB_TUNNEL_ADDRESSES = 944;
export const SB_TUNNEL_INTERFACE = 952;
export const SB_TUNNEL_GENERATION = 956;

/** u32: datagram records handed out at least once / head of the list of free ones. */
export const SB_DATAGRAM_HIGH = 628;
export const SB_DATAGRAM_FREE = 632;
/** u32 × 4: the oldest and the newest datagram of IPv4, then of IPv6. */
export const SB_DATAGRAM_AGES = 636;

/** u64: state of the generator of what is drawn at random (SplitMix64). */
export const SB_RANDOM = 664;

/** u32 each: services of FTP's port (21), of every port (0), and with the persistence engine of SIP. */
export const SB_FTP_SERVICES = 672;
export const SB_ANY_PORT_SERVICES = 676;
export const SB_SIP_SERVICES = 680;

/** u32 each: cells for Call-IDs, see CALL_ID_; how many there are, were handed out at least once; head of the free ones. */
export const SB_CALL_IDS = 684;
export const SB_CALL_ID_MAX = 688;
export const SB_CALL_ID_HIGH = 692;
export const SB_CALL_ID_FREE = 696;

/** u32 each: extensions of connections, see EXT_; how many there are, were handed out at least once; head of the free ones. */
export const SB_EXTENSIONS = 1088;
export const SB_EXTENSION_MAX = 1092;
export const SB_EXTENSION_HIGH = 1096;
export const SB_EXTENSION_FREE = 1100;

/** u16 × FTP_PORTS_MAX: ports of FTP's helper (network order, 0 ends the list); none: it is not loaded. */
export const SB_FTP_PORTS = 1104;
/** Linux: IP_VS_APP_MAX_PORTS. */
export const FTP_PORTS_MAX = 8;
/** u32: connections that wait for their client's port (Linux: IP_VS_CONN_F_NO_CPORT). */
export const SB_NO_CPORT = 1120;
/** 16 bytes: the address that a command or a reply of FTP names. */
export const SB_FTP_ADDRESS = 1136;

/** TEMPLATE_KEY_SIZE bytes: the key of the template that is looked for. */
export const SB_TEMPLATE_KEY = 1152;

/** OPTIONS_MAX bytes: the options of an answer that is being made, as read from the wire. u32: the address it goes to. */
export const SB_ECHO = 704;
export const SB_ECHO_TO = 744;
/** Bytes of options that an IPv4 header has room for. */
export const OPTIONS_MAX = 40;

/** u64: when rates are estimated next, in milliseconds; 0 before the first packet. */
export const SB_ESTIMATE_AT = 960;
/** u64 × 5 each, see STATS_: counts of services that are no more; of all, when rates were last estimated; and EST_SIZE bytes. */
export const SB_GONE = 968;
export const SB_TOTAL = 800;
export const SB_TOTAL_ESTIMATOR = 840;

// The defence against floods. Sysctls, u32 each; of the modes the core changes 1 into 2 and back.
export const SB_SECURE_TCP = 1024;
export const SB_DROP_ENTRY = 1028;
export const SB_DROP_PACKET = 1032;
export const SB_AM_DROPRATE = 1036;
export const SB_AMEMTHRESH = 1040;
/** i32 each: of how many packets that would open a connection one is dropped, 0 for none; how many are left until then. */
export const SB_DROP_RATE = 1044;
export const SB_DROP_COUNTER = 1048;
/** u32: connections of IPv6, which SB_CONN_COUNT has, too. */
export const SB_CONN6_COUNT = 1052;
/** u64: when the defence looks next, in milliseconds; 0 before the first packet. */
export const SB_DEFENCE_AT = 1056;
/** u32: how many kinds, from the first on, make room when the table is full. */
export const SB_EVICT = 1236;
/** u32 × WHEEL_ROWS: a wheel tick before which no list of the row, from now on, has a record. */
export const SB_WHEEL_FIRST = 1240;
/** u8 × (TODROP_MAX + 1): by packets in, how many idle connections drop_entry still passes over. */
export const SB_TODROP = 1064;
export const TODROP_MAX = 8;

/** Tables for CRC32c; all 0 until the first is computed. */
export const SB_CRC_TABLES = 620;
export const CRC_TABLES_SIZE = 16384;

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
/** u64 × 5, see STATS_. */
export const SVC_STATS = 64;
/** u32: address of its scheduler's table or cache, 0 when it has none. */
export const SVC_TABLE = 104;
/** u32: how long a template lives, in milliseconds. */
export const SVC_TIMEOUT = 108;
/** u32: which bits of a client's address count for its template: of IPv4 as loaded, of IPv6 their number. */
export const SVC_NETMASK = 112;

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
/** u32: MTU of the path when a packet was last sent, 0 before the first. */
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

export enum DestFlag {
  /** In a service's list (not in the trash). */
  Available = 1,
  Overload = 2,
}

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

// --- connection record: one cache line ----------------------------------------------------------

export const CONN_SIZE = 64;
export const CONN_CADDR_BE = 0;
export const CONN_VADDR_BE = 4;
export const CONN_DADDR_BE = 8;
export const CONN_CPORT_BE = 12;
export const CONN_VPORT_BE = 14;
export const CONN_DPORT_BE = 16;
export const CONN_PROTOCOL = 18;
/** u8: ConnState; of a template 1 once a connection was established (ASSURED). */
export const CONN_STATE = 19;
/** u8: Method, bound when the connection is made. */
export const CONN_METHOD = 20;
/** u8: ConnFlag bits. */
export const CONN_FLAGS = 21;
/** u16: interface to the client; u32 generation for which it, and the MAC, hold. */
export const CONN_HOP_INTERFACE = 22;
export const CONN_HOP_GENERATION = 24;
/** 6 bytes: MAC of the next hop to the client, then u16: its MTU, capped at 65535. */
export const CONN_HOP_MAC = 28;
export const CONN_HOP_MTU = 34;
/** u32: address of the dest. */
export const CONN_DEST = 36;
/** u32: low half of the time (ms) of the last packet. */
export const CONN_TOUCHED = 40;
/** u32: ms after CONN_TOUCHED at which it expires. */
export const CONN_TIMEOUT = 44;
/** u32 × 2: neighbours in a list of the wheel; CONN_NEXT also links free records. */
export const CONN_PREV = 48;
export const CONN_NEXT = 52;
/** u32: packets in. */
export const CONN_IN_PACKETS = 56;
/**
 * u32: address of the record that controls this one, a template or a connection; 0: none does. It lives on for as long. With
 * EXTENDED the address of an extension, which has that.
 */
export const CONN_CONTROL = 60;
/** Bit 0 of CONN_CONTROL: there is an extension. Such a connection never goes the short way. */
export const EXTENDED = 1;

// A template has the same key, timer and dest. Client port 0, and no packets: where others keep the way to the client it has
/** u32: how many connections it controls. */
export const CONN_CONTROLS = 24;
/** u32: low half of the time (ms) when the last one of these ended. */
export const CONN_RELEASED = 28;
/** u32: address of its Call-ID, in place of CONN_CONTROL; 0: it has none. */
export const CONN_CALL_ID = 60;

// IPv6: a second cache line holds the addresses; those of the first are 0.
export const CONN6_SIZE = 128;
export const CONN_CADDR6 = 64;
export const CONN_VADDR6 = 80;
export const CONN_DADDR6 = 96;

export enum ConnFlag {
  /** In use. */
  Used = 1,
  /** Counted in the dest's inactive connections. */
  Inactive = 2,
  /** No packet of the reply direction was seen (DR, TUN). */
  NoOutput = 4,
  /** Also in the index under (dest → client). */
  Reply = 8,
  /** A record of CONN6_SIZE bytes. */
  V6 = 16,
  /** Not in the index by its client's tuple: a newer one has it, from port 0. */
  Hidden = 32,
  /** What says to which dest a client's next connections go. With Hidden it does so no more. */
  Template = 64,
  /** It lives for one packet. */
  Once = 128,
}

// --- extensions: what a connection has beside its record that a helper looks at, or has sent elsewhere than to its dest ---

export const EXTENSION_SIZE = 48;
/** u32: address of the record that controls the connection, 0: none does; of a free extension the next free one. */
export const EXT_CONTROL = 0;
export const EXT_NEXT = 0;
/** u8: 1 while in use; u8: FtpMode. */
export const EXT_USED = 4;
export const EXT_FTP = 5;
/** u32 each, as CONN_CONTROLS and CONN_RELEASED: what the connection controls itself. */
export const EXT_CONTROLS = 8;
export const EXT_RELEASED = 12;
/** SEQUENCE_SIZE bytes each: how the numbers of its client's segments, and those of its server's, are adjusted. */
export const EXT_IN = 16;
export const EXT_OUT = 28;

/** u32: the last segment whose length was changed begins here, as its sender counts. */
export const SEQ_POSITION = 0;
/** i32 each: what is added to numbers up to there, and to those behind it. */
export const SEQ_BEFORE = 4;
export const SEQ_AFTER = 8;
export const SEQUENCE_SIZE = 12;

/** Which reply of a server FTP's helper waits for. */
export enum FtpMode {
  /** It does not look at the connection. */
  None = 0,
  /** None. */
  Active = 1,
  Pasv = 2,
  Epsv = 3,
}

// --- connection index: one bucket is one cache line ---------------------------------------------
//
//   0      4                    28 32                   60   64
//   ├──────┼──────────────────────┼──────────────────────┼────┤
//   │ over │ tag × 7              │ ref × 7              │ -  │   (tags at 4 + 4·i, refs at 32 + 4·i)
//   └──────┴──────────────────────┴──────────────────────┴────┘
//
// over: how many entries that hashed here or before had to go past this bucket. A lookup goes on
// to the next bucket only while it is not 0.

export const BUCKET_SIZE = 64;
export const BUCKET_OVER = 0;
export const BUCKET_TAGS = 4;
export const BUCKET_REFS = 32;
export const BUCKET_ENTRIES = 7;
/** Bit 0 of a ref: the entry is the reply direction. The rest is the record's address. */
export const REF_REPLY = 1;

// --- Call-IDs: cells of their own, as long as they may be ------------------------------------------

/** Bytes of the longest (Linux: IP_VS_PEDATA_MAXLEN). */
export const CALL_ID_MAX = 255;
export const CALL_ID_SIZE = 256;
/** u8: bytes of the text behind it, 0 of a free cell, which has u32: the next free one. */
export const CALL_ID_LENGTH = 0;
export const CALL_ID_TEXT = 1;
export const CALL_ID_NEXT = 4;

// --- key of a template: what finds it -----------------------------------------------------------

/** ADDRESS_SIZE bytes each: the bits of the client's address that count; the service's address, or its mark in network order. */
export const KEY_CLIENT = 0;
export const KEY_VIRTUAL = 16;
/** u32: address of the Call-ID; its length, 0 for none. */
export const KEY_CALL_ID = 32;
export const KEY_CALL_ID_LENGTH = 36;
/** u16. */
export const KEY_VPORT_BE = 40;
/** u8; u8: 1 for IPv6. */
export const KEY_PROTOCOL = 42;
export const KEY_V6 = 43;
export const TEMPLATE_KEY_SIZE = 44;

// --- timer wheel: lists, WHEEL_ROWS × WHEEL_SLOTS --------------------------------------------------
//
// The head of a list is u32 × 2, its last and its first record, where a record has CONN_PREV and CONN_NEXT: with its head it
// is a ring. One more head, at the end of the first WHEEL_HEADROOM bytes, is for records that are taken down.

export const WHEEL_HEADROOM = 64;
export const LIST_SIZE = 8;
/** A row for each kind of record that makes room for new ones, in that order, and one for those that never do. */
export enum Kind {
  HalfOpen = 0,
  Closing = 1,
  Datagram = 2,
  Established = 3,
  Kept = 4,
}
export const KIND_COUNT = 5;
/** Those of IPv4, then of IPv6. */
export const WHEEL_ROWS = 10;
/** Slots, a power of two. */
export const WHEEL_SLOTS = 4096;
/** Milliseconds a slot covers are 1 << WHEEL_SHIFT. */
export const WHEEL_SHIFT = 8;
export const WHEEL_BYTES = WHEEL_HEADROOM + WHEEL_ROWS * WHEEL_SLOTS * LIST_SIZE;

// --- descriptor --------------------------------------------------------------------------------

/** Frames that one call may be given. */
export const BURST_MAX = 256;
/** Descriptors: the frames given and those that the core makes. */
export const DESCRIPTOR_MAX = 1024;

export const DESCRIPTOR_SIZE = 32;
/** u32: first byte of the frame; moves when a header is put on or taken off. */
export const DESC_ADDRESS = 0;
/** u32: bytes of the frame. */
export const DESC_LENGTH = 4;
/** u16: interface it came in by / goes out by. */
export const DESC_IN = 8;
export const DESC_OUT = 10;
/** u8: Verdict; u8: Reason. */
export const DESC_VERDICT = 12;
export const DESC_REASON = 13;
/** u16: descriptor that caused this one, CAUSE_NONE for a frame that was given. */
export const DESC_CAUSE = 14;
/** u32: address of the connection, 0 for none. */
export const DESC_CONN = 16;
/** u32: firewall mark, set by the host. */
export const DESC_MARK = 20;
/** u32: the host's own; never touched. */
export const DESC_COOKIE = 24;
/** u16: bytes before DESC_ADDRESS that the core may write; set by the host. */
export const DESC_HEADROOM = 28;
/** u16: DescriptorFlag bits. */
export const DESC_FLAGS = 30;

export const CAUSE_NONE = 0xffff;

export enum DescriptorFlag {
  /** The core made this frame. */
  Made = 1,
  /** The frame was taken out of a tunnel: it starts with the inner IP header. */
  Decapsulated = 2,
  /**
   * Set by the host, or for a remote checksum of GUE, and kept: the transport checksum holds the folded pseudo-header sum
   * alone, the rest is to be filled in.
   */
  PartialChecksum = 4,
}

/** Headroom that a slot needs so that any header fits in front. */
export const HEADROOM = 128;

// --- scratch: one record per frame given, only valid during a burst ------------------------------

export const SCRATCH_SIZE = 32;
/** u64: hash of the tuple; its low half is the tag, its high half picks the bucket. */
export const SCR_HASH = 0;
/** u32: address of the IP header; 0 when the frame is already judged. */
export const SCR_IP = 8;
/** u32: address of the transport header. */
export const SCR_L4 = 12;
/** u32: bytes from the transport header to the end of the packet. */
export const SCR_L4_LENGTH = 16;
/** u32: ref found in the index, 0 for none. */
export const SCR_REF = 20;
/** u32: address of the home bucket. */
export const SCR_BUCKET = 24;
/** u16: interface the packet counts as received on (a VLAN's, a tunnel's). */
export const SCR_IN = 28;
/** u8: transport protocol, behind all extension headers. */
export const SCR_PROTOCOL = 30;
/** u8: ScratchFlag bits. */
export const SCR_FLAGS = 31;

export enum ScratchFlag {
  /** The packet is IPv6. */
  V6 = 1,
  /** It is a fragment. */
  Fragment = 2,
  /** It was put together from fragments; SB_PIECE_ fields tell of which. */
  Reassembled = 4,
  /** It was taken in for its firewall mark, not for its destination. */
  Marked = 8,
  /** With PartialChecksum: GUE has said which bytes are summed up, and where to. */
  RemoteChecksum = 16,
}

// --- reassembly ------------------------------------------------------------------------------------
//
// A datagram's fragments are grouped in runs: each begins where the one before it ends. The runs form a search tree by
// offset (DGM_RUNS, BLK_LEFT, BLK_RIGHT). What a fragment carries lies in a chain of blocks, the first of which names it;
// the header of the first fragment lies in front of its payload.
//
// Records that wait are found by hash: DGM_HEAD of the record whose number the hash picks begins a list by DGM_CHAIN. They
// also stand in a list by age.

export const DATAGRAM_SIZE = 96;
/** u32: low half of the time (ms) of the first fragment. */
export const DGM_SINCE = 0;
/** u8 each: Family; protocol (IPv4: part of the key; else Fragment); OR of 1 << ECN; 1 once the last fragment is there. */
export const DGM_FAMILY = 4;
export const DGM_PROTOCOL = 5;
export const DGM_ECN = 6;
export const DGM_HAS_LAST = 7;
/** u32: identification, as loaded. */
export const DGM_ID = 8;
/** u32: root of the tree of runs; the last run; its last fragment. Each is named by its first block. */
export const DGM_RUNS = 12;
export const DGM_LAST_RUN = 16;
export const DGM_LAST = 20;
/** u32: bytes of payload so far; u32: where the payload ends, as far as is known. */
export const DGM_BYTES = 24;
export const DGM_END = 28;
/** u32: fragments so far; header bytes of the first one; length of the longest as an IP packet, and of the longest with DF. */
export const DGM_COUNT = 32;
export const DGM_HEADER = 36;
export const DGM_MAX = 40;
export const DGM_MAX_DF = 44;
/** ADDRESS_SIZE bytes each. */
export const DGM_SOURCE = 48;
export const DGM_DESTINATION = 64;
/** u32: first datagram of the hash that is this record's number; next of the same hash, or of the free ones. */
export const DGM_HEAD = 80;
export const DGM_CHAIN = 84;
/** u32: neighbours in the list by age. */
export const DGM_OLDER = 88;
export const DGM_NEWER = 92;

export const BLOCK_SIZE = 512;
/** u32: next block of the same fragment, 0 ends; links free blocks as well. */
export const BLK_NEXT = 0;
// In a fragment's first block. u32: next fragment of the run.
export const BLK_FOLLOWING = 4;
/** u16 each: offset of its payload in the datagram; payload bytes. */
export const BLK_OFFSET = 8;
export const BLK_LENGTH = 10;
// In a run's first block. u16: where the run ends; u32 each: the runs below it in the tree, before it and behind it.
export const BLK_END = 12;
export const BLK_LEFT = 16;
export const BLK_RIGHT = 20;
/** Where bytes begin, in every block. */
export const BLK_DATA = 24;
