/**
 * Connections: their records, extensions and Call-IDs, the index that finds them and the wheel that ends them.
 *
 * @module
 */

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

// IPv6: a second cache line holds the addresses; those of the first are 0, but for a server of IPv4 (NAT64).
export const CONN6_SIZE = 128;
export const CONN_CADDR6 = 64;
export const CONN_VADDR6 = 80;
export const CONN_DADDR6 = 96;
/** As EXT_EXPECTED: an extension has no room for it. */
export const CONN_EXPECTED6 = 112;

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

// --- extensions: what a connection has beside its record that a helper looks at, that is sent elsewhere than to its dest, or by
// FullNAT ---

export const EXTENSION_SIZE = 64;
/** u32: address of the record that controls the connection, 0: none does; of a free extension the next free one. */
export const EXT_CONTROL = 0;
export const EXT_NEXT = 0;
/** u8: 1 while in use; u8: FtpMode. */
export const EXT_USED = 4;
export const EXT_FTP = 5;
/** FullNAT. u16: the local port. */
export const EXT_LPORT_BE = 6;
/** u32 each, as CONN_CONTROLS and CONN_RELEASED: what the connection controls itself. Not by FullNAT, nor behind a SYN proxy. */
export const EXT_CONTROLS = 8;
export const EXT_RELEASED = 12;
/** SEQUENCE_SIZE bytes each: how the numbers of its client's segments, and those of its server's, are adjusted. */
export const EXT_IN = 16;
export const EXT_OUT = 28;
// FullNAT. u32: the number of a server's first byte of data, in place of EXT_CONTROLS; in place of EXT_OUT, but behind a SYN proxy, u32:
// the number of the client's last SYN; u8: 1 once there was one; u32: the record of the local address; u8 each:
// Profile; ExtensionFlag bits; Carry; datagrams that have named the client; ADDRESS_SIZE bytes: the local address.
export const EXT_FIRST_DATA = 8;
export const EXT_LAST_SYN = 28;
export const EXT_SYN_SEEN = 32;
export const EXT_LOCAL = 40;
export const EXT_PROFILE = 44;
export const EXT_FLAGS = 45;
export const EXT_CARRY = 46;
export const EXT_TRIES = 47;
export const EXT_LADDR = 48;
/** u32 each, of IPv4 behind its address: what the client, and what the server of an established connection expects next. */
export const EXT_EXPECTED = 52;

export enum ExtensionFlag {
  /** The client's SYN was seen: SEQ_POSITION of EXT_IN is its number. */
  Begun = 1,
  /** The server has answered: EXT_FIRST_DATA is known. */
  Answered = 2,
  /** The server has got more than the SYN: of the PROXY protocol's header all. */
  Heard = 4,
  /** That header was sent. */
  Sent = 8,
  /** It is noted what its client, and what its server expects next. */
  ClientExpects = 16,
  ServerExpects = 32,
  /** Its client answered a cookie: EXT_PROXY_ fields count. SEQ_POSITION of EXT_IN is the client's first number. */
  Proxied = 64,
  /** Its server has not answered yet. */
  Awaiting = 128,
}

// SYN proxy, in place of what others have there: such a connection controls nobody.
/** u16: what of offers counts, see assembly/conn/proxied.ts. */
export const EXT_PROXY_TERMS = 14;
// Until the server has answered. u16: the client's window as it sent it; u32 each: the cookie, the client's TSval, and the
// first block of what it has sent already, see assembly/conn/stored.ts.
export const EXT_PROXY_WINDOW = 12;
export const EXT_PROXY_COOKIE = 28;
export const EXT_PROXY_STAMP = 32;
export const EXT_PROXY_STORED = 36;
// Afterwards. u8: identical acknowledgments in a row; u8: the server's window scale; u32 each: what is added to the server's
// numbers, and to its timestamps; and of the last acknowledgment of the client a hash.
export const EXT_PROXY_REPEATED = 12;
export const EXT_PROXY_SCALE = 13;
export const EXT_PROXY_SHIFT = 28;
export const EXT_PROXY_AHEAD = 32;
export const EXT_PROXY_LAST = 36;

/** u32: the last segment whose length was changed begins here, as its sender counts; FullNAT: the client's SYN. */
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
// is a ring. Two more heads stand at the end of the first WHEEL_HEADROOM bytes: of records that are due and owe somebody a
// frame, and of those that are taken down.

export const WHEEL_HEADROOM = 64;
export const LIST_SIZE = 8;
/** Where the first of these two is. */
export const WHEEL_OWING = WHEEL_HEADROOM - 2 * LIST_SIZE;
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
