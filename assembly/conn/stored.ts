/**
 * What a client has sent before its server has answered (SYN proxy): packets as they came, each in a chain of blocks that names
 * the next one's.
 *
 * @module
 */
import { EXT_PROXY_STORED } from '../../src/abi/connections';
import { BLK_DATA } from '../../src/abi/frames';
import { SB_SYNPROXY_MAX_ACK_SAVED } from '../../src/abi/superblock';
import { freeChain, takeChain, writeChain } from '../block';
import { field } from '../superblock';
import { Conn } from './record';

// Of a chain, in front of the packet, u32 each: the next chain, 0 for none; bytes of the packet; the number behind its data; the
// interface that received it; its firewall mark.
const NEXT = BLK_DATA;
const LENGTH = BLK_DATA + 4;
const END = BLK_DATA + 8;
const RECEIVED_ON = BLK_DATA + 12;
const MARK = BLK_DATA + 16;
/** Bytes in front of the packet. */
export const STORED_HEAD: u32 = 20;

/** The chain of the first packet of a connection that waits for its server; 0: it has none. */
export function storedOf(conn: Conn): usize {
  return load<u32>(changetype<usize>(conn.extension), EXT_PROXY_STORED);
}

export function nextStored(chain: usize): usize {
  return load<u32>(chain, NEXT);
}

export function storedLength(chain: usize): u32 {
  return load<u32>(chain, LENGTH);
}

export function storedReceivedOn(chain: usize): u32 {
  return load<u32>(chain, RECEIVED_ON);
}

export function storedMark(chain: usize): u32 {
  return load<u32>(chain, MARK);
}

/** The number of the byte that goes on from what is stored, `first` where nothing is. */
export function storedEnd(conn: Conn, first: u32): u32 {
  let end = first;
  for (let chain = storedOf(conn); chain != 0; chain = nextStored(chain)) end = load<u32>(chain, END);
  return end;
}

/** Stores the packet of `length` bytes at `ip`, whose data end before the number `end`. False: there is no room. */
export function storePacket(conn: Conn, ip: usize, length: u32, end: u32, receivedOn: u32, mark: u32): bool {
  let link = changetype<usize>(conn.extension) + EXT_PROXY_STORED;
  let count: u32 = 0;
  for (let chain = load<u32>(link); chain != 0; chain = load<u32>(link), count++) link = <usize>chain + NEXT;
  if (count >= field(SB_SYNPROXY_MAX_ACK_SAVED)) return false;
  const chain = takeChain(STORED_HEAD + length);
  if (chain == 0) return false;
  store<u32>(chain, 0, NEXT);
  store<u32>(chain, length, LENGTH);
  store<u32>(chain, end, END);
  store<u32>(chain, receivedOn, RECEIVED_ON);
  store<u32>(chain, mark, MARK);
  writeChain(chain, STORED_HEAD, ip, length);
  store<u32>(link, <u32>chain);
  return true;
}

/** Gives back what is stored from `chain` on, which may be 0. */
export function freeStored(chain: usize): void {
  for (let next: usize = 0; chain != 0; chain = next) {
    next = nextStored(chain);
    freeChain(chain);
  }
}
