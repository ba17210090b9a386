/**
 * The connection table: making, finding, keeping and ending connections.
 *
 * @module
 */
import { BUCKET_ENTRIES, CONN_SIZE, CONN6_SIZE, ConnFlag, FtpMode, REF_REPLY } from '../../src/abi/connections';
import { SCR_BUCKET, SCR_HASH, SCR_REF, SCRATCH_SIZE } from '../../src/abi/frames';
import { ConnState, Method, Protocol } from '../../src/abi/protocol';
import {
  FTP_PORTS_MAX,
  SB_CONN_COUNT,
  SB_CONN_FREE,
  SB_CONN_HIGH,
  SB_CONN_MAX,
  SB_CONN6_COUNT,
  SB_CONN6_FREE,
  SB_CONN6_HIGH,
  SB_CONN6_MAX,
  SB_EVICT,
  SB_FTP_PORTS,
  SB_NO_CPORT,
  SB_REPLIES_TAKEN,
  SB_SCRATCH,
  SUPERBLOCK,
} from '../../src/abi/superblock';
import { Reason } from '../../src/abi/verdict';
import { bindDest, unbindDest } from '../service/bind';
import { Dest } from '../service/dest';
import { field, now32, setField } from '../superblock';
import { copyAddress6 } from '../wire/ipv6';
import { hasPorts } from '../wire/ports';
import { beginControl, letGo } from './control';
import { makeRoom } from './evict';
import { livesOn } from './expiry';
import { freeExtension, takeExtension } from './extension';
import { hashAny } from './hash';
import { homeBucket, insertEntry, isOverrun, matchTags, nextBucket, refAt, removeEntry, setRefAt } from './index-table';
import { closeLocal, hasLocalPort, openLocal } from './local';
import { recordAt } from './place';
import { Conn } from './record';
import { endTemplate, hashOfTemplate } from './template';
import { hang, remaining, unhang } from './wheel';

/** Timeout of a connection that has seen no packet yet, in milliseconds. */
const INITIAL_TIMEOUT: u32 = 3000;

/** The connection a ref points to. */
export function connOf(ref: u32): Conn {
  return changetype<Conn>(<usize>(ref & ~REF_REPLY));
}

/** Whether a ref stands for the reply direction. */
export function isReply(ref: u32): bool {
  return (ref & REF_REPLY) != 0;
}

/** Whether the entry `ref` is for exactly this tuple; `source` and `destination` are where the addresses are. */
export function refMatches(ref: u32, v6: bool, source: usize, destination: usize, portsBE: u32, protocol: u32): bool {
  const conn = connOf(ref);
  return isReply(ref)
    ? conn.matchesOut(v6, source, destination, portsBE, protocol)
    : conn.matchesIn(v6, source, destination, portsBE, protocol);
}

/** Finds the connection of a tuple in either direction; 0 when there is none. Those that are due end first. */
export function find(hash: u64, v6: bool, source: usize, destination: usize, portsBE: u32, protocol: u32): u32 {
  let ref = seek(hash, v6, source, destination, portsBE, protocol);
  while (ref != 0 && remaining(connOf(ref)) == 0) {
    if (livesOn(connOf(ref))) return ref;
    ref = seek(hash, v6, source, destination, portsBE, protocol);
  }
  return ref;
}

/** The first entry of a tuple, due or not. */
function seek(hash: u64, v6: bool, source: usize, destination: usize, portsBE: u32, protocol: u32): u32 {
  const home = homeBucket(hash);
  let bucket = home;
  do {
    for (let lanes = matchTags(bucket, hash); lanes != 0; lanes &= lanes - 1) {
      const ref = refAt(bucket, ctz<u32>(lanes));
      if (ref != 0 && refMatches(ref, v6, source, destination, portsBE, protocol)) return ref;
    }
    if (!isOverrun(bucket)) return 0;
    bucket = nextBucket(bucket);
    // Around once at most: after deletions every bucket may still be one that somebody went past.
  } while (bucket != home);
  return 0;
}

/** A free record of the family, all 0; 0 when every one is in use, and none makes room. */
export function takeRecord(v6: bool): u32 {
  let address = freeRecord(v6);
  if (address == 0 && makeRoom(v6)) address = freeRecord(v6);
  if (address == 0) return 0;
  setField(SB_CONN_COUNT, field(SB_CONN_COUNT) + 1);
  if (v6) setField(SB_CONN6_COUNT, field(SB_CONN6_COUNT) + 1);
  memory.fill(address, 0, v6 ? CONN6_SIZE : CONN_SIZE);
  return address;
}

/** Whether there is a free record of the family, or may be one. */
function mayHaveRecord(v6: bool): bool {
  if (field(v6 ? SB_CONN6_FREE : SB_CONN_FREE) != 0 || field(SB_EVICT) != 0) return true;
  return field(v6 ? SB_CONN6_HIGH : SB_CONN_HIGH) != field(v6 ? SB_CONN6_MAX : SB_CONN_MAX);
}

/** The record that became free last, else the next that was never used; 0 when there is none. */
function freeRecord(v6: bool): u32 {
  const free: usize = v6 ? SB_CONN6_FREE : SB_CONN_FREE;
  const address = field(free);
  if (address != 0) {
    setField(free, changetype<Conn>(<usize>address).next);
    return address;
  }
  const highest: usize = v6 ? SB_CONN6_HIGH : SB_CONN_HIGH;
  const high = field(highest);
  if (high == field(v6 ? SB_CONN6_MAX : SB_CONN_MAX)) return 0;
  setField(highest, high + 1);
  return <u32>recordAt(v6, high);
}

/**
 * Makes a connection of a client's tuple to the address at `server` and the port `dportBE`, those of `dest` mostly; without a
 * dest it bypasses all; by SNAT it is to where the client addressed it. A Reason when every record is in use, or every extension, or FullNAT has no port for it. One that lives
 * for a single packet, `once`, nobody finds; not by FullNAT.
 */
export function makeConnection(
  hash: u64,
  v6: bool,
  source: usize,
  destination: usize,
  portsBE: u32,
  protocol: u32,
  dest: Dest | null,
  server: usize,
  dportBE: u32,
  isOnce: bool,
): usize {
  const snat = dest != null && dest.method == Method.Snat;
  const full = snat || (dest != null && dest.method == Method.FullNat);
  if (full && (portsBE & 0xffff) == 0 && hasPorts(protocol)) return Reason.ClientPortZero;
  const once = isOnce && !full;
  const nat = full || (dest != null && dest.method == Method.Masq && !once);
  const helped = nat && !full && protocol == Protocol.Tcp && isHelped(portsBE >> 16);
  const extended = full || helped;
  const to = snat ? destination : server;
  const extension: usize = extended ? takeExtension() : 0;
  if (extended && extension == 0) return Reason.TableFull;
  if (full && mayHaveRecord(v6) && !hasLocalPort(dest!, to, dportBE, protocol)) {
    freeExtension(extension);
    return Reason.NoLocalPort;
  }
  const address = takeRecord(v6);
  if (address == 0) {
    if (extended) freeExtension(extension);
    return Reason.TableFull;
  }
  const conn = changetype<Conn>(<usize>address);
  if (v6) {
    copyAddress6(conn.caddr6, source);
    copyAddress6(conn.vaddr6, destination);
  } else {
    conn.caddrBE = load<u32>(source);
    conn.vaddrBE = load<u32>(destination);
  }
  conn.inPortsBE = portsBE;
  conn.protocol = protocol;
  if (protocol == Protocol.Sctp) conn.state = ConnState.SctpNone;
  conn.dportBE = dportBE;
  // A dest of the other family has its address in its own record alone if a tunnel goes there.
  if (dest == null || dest.isV6 == v6) {
    if (v6) copyAddress6(conn.daddr6, to);
    else conn.daddrBE = load<u32>(to);
  } else if (full) {
    conn.daddrBE = load<u32>(to);
  }
  if (dest == null) {
    conn.method = Method.Bypass;
  } else {
    conn.method = full && dest.isV6 != v6 ? <u32>Method.Nat64 : dest.method;
    conn.dest = changetype<usize>(dest);
    bindDest(dest);
  }
  conn.flags = ConnFlag.Used | ConnFlag.Inactive | (v6 ? ConnFlag.V6 : 0);
  if (helped) {
    extend(conn, extension);
    conn.extension.ftp = FtpMode.Active;
  }
  if (full) openLocal(conn, extension);
  if (once) conn.flags |= ConnFlag.Hidden | ConnFlag.Once;
  if (nat) conn.flags |= ConnFlag.Reply;
  else if (dest != null && conn.method != Method.Masq) conn.flags |= ConnFlag.NoOutput;
  // A generation that never is the current one: nothing about the way to the client is known.
  conn.hopGeneration = 0;
  conn.touched = now32();
  conn.timeout = INITIAL_TIMEOUT;
  hang(conn);
  if (once) return address;
  if (conn.cportBE != 0 || full) insertEntry(hash, address);
  // Nothing looks for a request from port 0 but the reply of a server that is not translated.
  else if (nat) conn.flags |= ConnFlag.Hidden;
  else insertFirst(conn, hash, address);
  if (nat) insertFirst(conn, hashOf(address | REF_REPLY), address | REF_REPLY);
  return address;
}

/** Whether it is an address, and no Reason. */
export function isConnection(made: usize): bool {
  return made > 0xff;
}

/** Gives a connection an extension. */
export function extend(conn: Conn, extension: usize): void {
  conn.extend(extension);
  beginControl(conn);
}

/** Whether FTP's helper looks at connections to that port. */
function isHelped(portBE: u32): bool {
  for (let i: usize = 0; i < <usize>FTP_PORTS_MAX; i++) {
    const helpedBE = <u32>load<u16>(<usize>SUPERBLOCK + (i << 1), SB_FTP_PORTS);
    if (helpedBE == 0) return false;
    if (helpedBE == portBE) return true;
  }
  return false;
}

/** Whether it waits for the client's port (Linux: IP_VS_CONN_F_NO_CPORT): of those from port 0 one that a connection controls. */
export function isWaiting(conn: Conn): bool {
  if (conn.cportBE != 0 || (conn.flags & (ConnFlag.Hidden | ConnFlag.Template)) != 0 || conn.control == 0) return false;
  return !changetype<Conn>(conn.control).has(ConnFlag.Template);
}

/** Lets a connection from port 0, which is under a connection's control, wait for the client's port. */
export function awaitClientPort(conn: Conn): void {
  const address = <u32>changetype<usize>(conn);
  if (conn.has(ConnFlag.Hidden)) {
    conn.flags ^= ConnFlag.Hidden;
    insertFirst(conn, hashOf(address), address);
  }
  setField(SB_NO_CPORT, field(SB_NO_CPORT) + 1);
}

/** The client's port is known: a connection that waited for it is one like others. */
export function fillClientPort(conn: Conn, cportBE: u32): void {
  const address = <u32>changetype<usize>(conn);
  const reply = address | REF_REPLY;
  setField(SB_NO_CPORT, field(SB_NO_CPORT) - 1);
  removeEntry(hashOf(address), address);
  if (conn.has(ConnFlag.Reply)) removeEntry(hashOf(reply), reply);
  conn.inPortsBE = (conn.inPortsBE & 0xffff0000) | cportBE;
  if (cportBE == 0) conn.flags |= ConnFlag.Hidden;
  else insertFirst(conn, hashOf(address), address);
  conn.flags |= ConnFlag.Reply;
  insertFirst(conn, hashOf(reply), reply);
}

/** No packet of its client finds the connection any more. */
export function hideFromClient(conn: Conn): void {
  if (conn.has(ConnFlag.Hidden)) return;
  const address = <u32>changetype<usize>(conn);
  removeEntry(hashOf(address), address);
  conn.flags |= ConnFlag.Hidden;
}

/** Lets the connection be found before others of its client's tuple. */
export function putFirst(conn: Conn): void {
  const address = <u32>changetype<usize>(conn);
  if (conn.has(ConnFlag.Hidden)) return;
  removeEntry(hashOf(address), address);
  insertFirst(conn, hashOf(address), address);
}

/**
 * Puts an entry in, before those of other connections with the same tuple: when two services share a server, replies belong to
 * the connection made last, as in the kernel. Port 0 may open one with every packet (`byClient` in flow/tuple): the
 * index has only the newest of these, and the others are left to their timers; of those that wait for the client's port it has
 * a few.
 */
function insertFirst(conn: Conn, hash: u64, ref: u32): void {
  const reply = isReply(ref);
  const v6 = reply ? conn.isServerV6 : conn.isV6;
  const source = reply ? conn.daddr : conn.caddr;
  const destination = reply ? conn.replyTo : conn.vaddr;
  const ports = reply ? conn.outPortsBE : conn.inPortsBE;
  if (conn.cportBE == 0 && (reply || !isWaiting(conn) || isCrowded(hash))) {
    hide(hash, find(hash, v6, source, destination, ports, conn.protocol), reply);
  }
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
        !(isReply(other) == reply && refMatches(other, v6, source, destination, ports, conn.protocol))
      ) {
        continue;
      }
      setRefAt(bucket, lane, carried);
      if (other == ref) return;
      carried = other;
      setField(SB_REPLIES_TAKEN, field(SB_REPLIES_TAKEN) + 1);
    }
    bucket = nextBucket(bucket);
  }
}

/** Whether a bucket is full of entries with this hash: no more than these wait for one client at one port. */
function isCrowded(hash: u64): bool {
  return popcnt<u32>(matchTags(homeBucket(hash), hash)) == BUCKET_ENTRIES;
}

/** Takes an entry out whose connection lives on, if there is one of that direction. */
function hide(hash: u64, ref: u32, reply: bool): void {
  if (ref == 0 || isReply(ref) != reply) return;
  if (!reply && isWaiting(connOf(ref))) setField(SB_NO_CPORT, field(SB_NO_CPORT) - 1);
  removeEntry(hash, ref);
  connOf(ref).flags ^= reply ? ConnFlag.Reply : ConnFlag.Hidden;
}

/** Hash under which an entry is found. */
function hashOf(ref: u32): u64 {
  const conn = connOf(ref);
  if (conn.has(ConnFlag.Template)) return hashOfTemplate(conn);
  return isReply(ref)
    ? hashAny(conn.isServerV6, conn.daddr, conn.replyTo, conn.outPortsBE, conn.protocol)
    : hashAny(conn.isV6, conn.caddr, conn.vaddr, conn.inPortsBE, conn.protocol);
}

/** Address of the bucket where the entry `ref` belongs. */
export function homeOf(ref: u32): usize {
  return homeBucket(hashOf(ref));
}

/**
 * Puts `count` entries of connections that there are into the index, each behind others of its tuple. The scratch records
 * have their refs.
 */
export function putEntries(count: u32): void {
  const first = <usize>field(SB_SCRATCH);
  const end = first + <usize>count * SCRATCH_SIZE;
  // Stage by stage, as packets go: a bucket that was touched is there when it is needed.
  let touched: u32 = 0;
  for (let at = first; at < end; at += SCRATCH_SIZE) store<u64>(at, hashOf(load<u32>(at, SCR_REF)), SCR_HASH);
  for (let at = first; at < end; at += SCRATCH_SIZE) touched |= load<u32>(homeBucket(load<u64>(at, SCR_HASH)));
  store<u32>(first, touched, SCR_BUCKET);
  for (let at = first; at < end; at += SCRATCH_SIZE) insertEntry(load<u64>(at, SCR_HASH), load<u32>(at, SCR_REF));
}

/** Ends a connection: out of the index, the wheel and its dest's counts. */
export function endConnection(conn: Conn): void {
  const address = <u32>changetype<usize>(conn);
  unhang(conn);
  if (conn.cportBE == 0 && isWaiting(conn)) setField(SB_NO_CPORT, field(SB_NO_CPORT) - 1);
  if (!conn.has(ConnFlag.Hidden)) removeEntry(hashOf(address), address);
  if (conn.has(ConnFlag.Reply)) removeEntry(hashOf(address | REF_REPLY), address | REF_REPLY);
  if (conn.has(ConnFlag.Template)) {
    endTemplate(conn);
  } else {
    if (conn.control != 0) letGo(conn);
    if (conn.isFull) closeLocal(conn);
    if (conn.isExtended) freeExtension(changetype<usize>(conn.extension));
    if (conn.dest != 0) unbindDest(changetype<Dest>(conn.dest), !conn.has(ConnFlag.Inactive));
  }
  const free: usize = conn.isV6 ? SB_CONN6_FREE : SB_CONN_FREE;
  conn.flags = 0;
  conn.next = field(free);
  setField(free, address);
  setField(SB_CONN_COUNT, field(SB_CONN_COUNT) - 1);
  if (free == SB_CONN6_FREE) setField(SB_CONN6_COUNT, field(SB_CONN6_COUNT) - 1);
}
