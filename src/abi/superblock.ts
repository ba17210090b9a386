/**
 * The superblock: where each region of the memory is, and all state that is not a record. `SB_` are offsets in it.
 *
 * Every number here and in the files beside is a byte offset or a byte count unless its name says otherwise; `_BE` fields hold
 * network byte order exactly as loaded from a frame. The host plans the regions (`src/plan.ts`), the core only reads where they
 * are.
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

/** Its identification, if it was IPv6, as loaded. */
export const SB_PIECE_ID = 700;

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

/**
 * u32 each: how many records of IPv4 have an extension behind them; extensions of connections, see EXT_: how many there are,
 * were handed out at least once; head of the free ones.
 */
export const SB_PAIRS = 1088;
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

// The SYN proxy's sysctls: u32 each.
export const SB_SYNPROXY_DEFER = 1200;
export const SB_SYNPROXY_MSS = 1204;
export const SB_SYNPROXY_WSCALE = 1208;
export const SB_SYNPROXY_SACK = 1212;
export const SB_SYNPROXY_TIMESTAMP = 1216;
export const SB_SYNPROXY_RETRIES = 1220;
export const SB_SYNPROXY_DUP_ACK = 1224;
/** u32: sysctl. */
export const SB_CONN_EXPIRE_TCP_RST = 1228;
/** u32: another of the SYN proxy's. */
export const SB_SYNPROXY_MAX_ACK_SAVED = 1232;

/** OPTIONS_MAX bytes: the options of an answer that is being made, as read from the wire. u32: the address it goes to. */
export const SB_ECHO = 704;
export const SB_ECHO_TO = 744;
/** Bytes of options that an IPv4 header has room for. */
export const OPTIONS_MAX = 40;

/** u32 each: records of local addresses; how many there are, were handed out at least once; head of the free ones. */
export const SB_LOCALS = 748;
export const SB_LOCAL_MAX = 752;
export const SB_LOCAL_HIGH = 756;
export const SB_LOCAL_FREE = 760;
/** u32: rings of freed ports, POOL_COUNT for each record. */
export const SB_PORT_RINGS = 764;
/** u32 each: the first port of every pool, from one to the next, and how many there are. */
export const SB_PORT_FIRST = 768;
export const SB_PORT_STEP = 772;
export const SB_PORT_COUNT = 776;
/** u32: connections by FullNAT. */
export const SB_FULLNAT = 780;
/** u32: those of them by NAT64. */
export const SB_NAT64 = 796;

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
