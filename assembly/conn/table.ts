/**
 * The connection table: making, finding, keeping and ending connections.
 *
 * @module
 */
import {
  CONN_SIZE,
  ConnFlag,
  REF_REPLY,
  SB_CONN_COUNT,
  SB_CONN_FREE,
  SB_CONN_HIGH,
  SB_CONN_MAX,
  SB_CONNS,
  SB_NOW,
  SB_TIMEOUTS,
  SB_WHEEL_NOW,
  SUPERBLOCK,
  WHEEL_SHIFT,
  WHEEL_SLOTS,
} from '../../src/abi/memory';
import { ConnState, Method, Protocol } from '../../src/abi/protocol';
import { bindDest, Dest, unbindDest } from '../service/dest';
import { field, now32, setField } from '../superblock';
import { hashTuple } from './hash';
import { homeBucket, insertEntry, isOverrun, matchTags, nextBucket, refAt, removeEntry, setRefAt } from './index-table';
import { Conn } from './record';
import { isActiveTcp } from './tcp-state';
import { hang, remaining, slotHead, unhang } from './wheel';

/** Timeout of a connection that has seen no packet yet, in milliseconds. */
const INITIAL_TIMEOUT: u32 = 3000;

/** Longest step of the clock that keeps every age below 2^32 ms: timeouts end at 31 days. */
const CLOCK_STEP: u64 = 1 << 30;

/** The connection a ref points to. */
export function connOf(ref: u32): Conn {
  return changetype<Conn>(<usize>(ref & ~REF_REPLY));
}

/** Whether a ref stands for the reply direction. */
export function isReply(ref: u32): bool {
  return (ref & REF_REPLY) != 0;
}

/** Whether the entry `ref` is for exactly this tuple. */
export function refMatches(ref: u32, sourceBE: u32, destinationBE: u32, portsBE: u32, protocol: u32): bool {
  const conn = connOf(ref);
  return isReply(ref)
    ? conn.matchesOut(sourceBE, destinationBE, portsBE, protocol)
    : conn.matchesIn(sourceBE, destinationBE, portsBE, protocol);
}

/** Finds the connection of a tuple in either direction; 0 when there is none. Those that are due end first. */
export function find(hash: u64, sourceBE: u32, destinationBE: u32, portsBE: u32, protocol: u32): u32 {
  let ref = seek(hash, sourceBE, destinationBE, portsBE, protocol);
  while (ref != 0 && remaining(connOf(ref)) == 0) {
    endConnection(connOf(ref));
    ref = seek(hash, sourceBE, destinationBE, portsBE, protocol);
  }
  return ref;
}

/** The first entry of a tuple, due or not. */
function seek(hash: u64, sourceBE: u32, destinationBE: u32, portsBE: u32, protocol: u32): u32 {
  const home = homeBucket(hash);
  let bucket = home;
  do {
    for (let lanes = matchTags(bucket, hash); lanes != 0; lanes &= lanes - 1) {
      const ref = refAt(bucket, ctz<u32>(lanes));
      if (ref != 0 && refMatches(ref, sourceBE, destinationBE, portsBE, protocol)) return ref;
    }
    if (!isOverrun(bucket)) return 0;
    bucket = nextBucket(bucket);
    // Around once at most: after deletions every bucket may still be one that somebody went past.
  } while (bucket != home);
  return 0;
}

/** Makes a connection to `dest`; null when every record is in use. */
export function makeConnection(
  hash: u64,
  clientBE: u32,
  virtualBE: u32,
  portsBE: u32,
  protocol: u32,
  dest: Dest,
): Conn | null {
  let address = field(SB_CONN_FREE);
  if (address != 0) {
    setField(SB_CONN_FREE, changetype<Conn>(<usize>address).next);
  } else {
    const high = field(SB_CONN_HIGH);
    if (high == field(SB_CONN_MAX)) return null;
    setField(SB_CONN_HIGH, high + 1);
    address = field(SB_CONNS) + high * CONN_SIZE;
  }
  setField(SB_CONN_COUNT, field(SB_CONN_COUNT) + 1);

  memory.fill(address, 0, CONN_SIZE);
  const conn = changetype<Conn>(<usize>address);
  const nat = dest.method == Method.Masq;
  conn.caddrBE = clientBE;
  conn.vaddrBE = virtualBE;
  conn.inPortsBE = portsBE;
  conn.protocol = protocol;
  conn.daddrBE = dest.addressBE;
  conn.dportBE = dest.portBE;
  conn.method = dest.method;
  conn.dest = changetype<usize>(dest);
  conn.flags = ConnFlag.Used | ConnFlag.Inactive | (nat ? ConnFlag.Reply : ConnFlag.NoOutput);
  // A generation that never is the current one: nothing about the way to the client is known.
  conn.hopGeneration = 0;
  conn.touched = now32();
  conn.timeout = INITIAL_TIMEOUT;
  bindDest(dest);
  hang(conn);
  insertEntry(hash, address);
  if (nat) insertReply(conn);
  return conn;
}

/**
 * Puts the reply direction in, before those of other connections with the same server and client: when two services
 * share a server, replies belong to the connection made last, as in the kernel.
 */
function insertReply(conn: Conn): void {
  const ref = <u32>changetype<usize>(conn) | REF_REPLY;
  const hash = replyHash(conn);
  insertEntry(hash, ref);
  let carried = ref;
  let bucket = homeBucket(hash);
  for (;;) {
    let lanes = matchTags(bucket, hash);
    for (; lanes != 0; lanes &= lanes - 1) {
      const lane = ctz<u32>(lanes);
      const other = refAt(bucket, lane);
      if (
        other != ref &&
        !(isReply(other) && refMatches(other, conn.daddrBE, conn.caddrBE, conn.outPortsBE, conn.protocol))
      ) {
        continue;
      }
      setRefAt(bucket, lane, carried);
      if (other == ref) return;
      carried = other;
    }
    bucket = nextBucket(bucket);
  }
}

/** Hash under which the reply direction is found. */
function replyHash(conn: Conn): u64 {
  return hashTuple(conn.daddrBE, conn.caddrBE, conn.outPortsBE, conn.protocol);
}

/** Ends a connection: out of the index, the wheel and its dest's counts. */
export function endConnection(conn: Conn): void {
  const address = <u32>changetype<usize>(conn);
  unhang(conn);
  removeEntry(hashTuple(conn.caddrBE, conn.vaddrBE, conn.inPortsBE, conn.protocol), address);
  if (conn.has(ConnFlag.Reply)) removeEntry(replyHash(conn), address | REF_REPLY);
  unbindDest(changetype<Dest>(conn.dest), !conn.has(ConnFlag.Inactive));
  conn.flags = 0;
  conn.next = field(SB_CONN_FREE);
  setField(SB_CONN_FREE, address);
  setField(SB_CONN_COUNT, field(SB_CONN_COUNT) - 1);
}

/** Puts `conn` into `state`: its timeout, and its place in the dest's active or inactive count. */
export function enterState(conn: Conn, state: u32): void {
  if (conn.protocol == Protocol.Tcp && state != conn.state) {
    const inactive = conn.has(ConnFlag.Inactive);
    const active = isActiveTcp(state);
    if (active == inactive) {
      const dest = changetype<Dest>(conn.dest);
      dest.active += active ? 1 : -1;
      dest.inactive += active ? -1 : 1;
      conn.flags = conn.flags ^ ConnFlag.Inactive;
    }
  }
  conn.state = state;
  const timeout = load<u32>(<usize>SUPERBLOCK + ((<usize>state) << 2), SB_TIMEOUTS);
  if (timeout != conn.timeout) {
    conn.timeout = timeout;
    unhang(conn);
    hang(conn);
  }
}

/** State of a UDP connection, whatever passes. */
export const UDP_STATE: u32 = ConnState.Udp;

/** Moves the clock to `to` (milliseconds; never backwards) and ends every connection that is due. */
export function advanceClock(to: u64): void {
  let at = load<u64>(SUPERBLOCK, SB_NOW);
  while (at < to) {
    at = field(SB_CONN_COUNT) != 0 && to - at > CLOCK_STEP ? at + CLOCK_STEP : to;
    store<u64>(SUPERBLOCK, at, SB_NOW);
    turnWheel(<u32>(at >> WHEEL_SHIFT));
  }
}

/** Empties the slots that came due up to wheel tick `to`. */
function turnWheel(to: u32): void {
  const from = field(SB_WHEEL_NOW);
  if (from == to) return;
  setField(SB_WHEEL_NOW, to);
  const slots = min<u32>(to - from, WHEEL_SLOTS);
  for (let i: u32 = 0; i < slots; i++) {
    const head = slotHead(to - i);
    let address = load<u32>(head);
    store<u32>(head, 0);
    while (address != 0) {
      const conn = changetype<Conn>(<usize>address);
      address = conn.next;
      // The list is being taken apart: give the record a place of its own before it may leave it.
      conn.next = 0;
      hang(conn);
      if (remaining(conn) == 0) endConnection(conn);
    }
  }
}
