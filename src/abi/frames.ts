/**
 * Frames: their descriptors, what is noted of them during a burst, and the pieces that wait for others.
 *
 * @module
 */

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
/** u16: descriptor that caused this one, CAUSE_NONE for a frame that was given, or is sent because it is time. */
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
