/**
 * The timer wheel: connections hang in the slot of the moment at which they would expire.
 *
 * A packet only stores its time in the record; when a slot comes due, whoever empties it looks
 * whether the connection was touched since, and if so hangs it where it belongs now. A change of
 * timeout moves the record at once.
 *
 * A slot has a list for each kind of record and family: so what would expire next of a kind is found without a look at
 * others. A list is a ring with its head, which stands in it like a record; a record can leave without knowing its list.
 *
 * @module
 */
import {
  CONN_PREV,
  ConnFlag,
  KIND_COUNT,
  Kind,
  LIST_SIZE,
  WHEEL_HEADROOM,
  WHEEL_OWING,
  WHEEL_ROWS,
  WHEEL_SHIFT,
  WHEEL_SLOTS,
} from '../../src/abi/connections';
import { ConnState } from '../../src/abi/protocol';
import { SB_WHEEL, SB_WHEEL_FIRST, SB_WHEEL_NOW, SUPERBLOCK } from '../../src/abi/superblock';
import { field, now32 } from '../superblock';
import { ASSURED, controlsAny } from './control';
import { Conn } from './record';

/** Kinds by state, two bits each: half-open where nothing else is said. */
const KINDS: u64 =
  ((<u64>Kind.Established) << (2 * ConnState.Established)) |
  // A connection that another one waits for.
  ((<u64>Kind.Established) << (2 * ConnState.Listen)) |
  ((<u64>Kind.Closing) << (2 * ConnState.FinWait)) |
  ((<u64>Kind.Closing) << (2 * ConnState.TimeWait)) |
  ((<u64>Kind.Closing) << (2 * ConnState.Close)) |
  ((<u64>Kind.Closing) << (2 * ConnState.CloseWait)) |
  ((<u64>Kind.Closing) << (2 * ConnState.LastAck)) |
  ((<u64>Kind.Established) << (2 * ConnState.SctpEstablished)) |
  ((<u64>Kind.Closing) << (2 * ConnState.SctpShutdownSent)) |
  ((<u64>Kind.Closing) << (2 * ConnState.SctpShutdownReceived)) |
  ((<u64>Kind.Closing) << (2 * ConnState.SctpShutdownAckSent)) |
  ((<u64>Kind.Closing) << (2 * ConnState.SctpRejected)) |
  ((<u64>Kind.Closing) << (2 * ConnState.SctpClosed));

/** What a record counts as when room is needed: who controls others must not leave them alone. */
export function kindOf(conn: Conn): u32 {
  if (controlsAny(conn)) return Kind.Kept;
  if (conn.has(ConnFlag.Template)) return conn.state == ASSURED ? Kind.Datagram : Kind.HalfOpen;
  if (!conn.hasStates) return Kind.Datagram;
  return <u32>(KINDS >> (conn.state << 1)) & 3;
}

/** The row of a kind. */
function rowOf(kind: u32, v6: bool): u32 {
  return v6 ? KIND_COUNT + kind : kind;
}

/** Head of the list of a row for wheel tick `tick`: it has neighbours, as a record has, and nothing else. */
function slot(row: u32, tick: u32): Conn {
  const list = row * WHEEL_SLOTS + (tick & (WHEEL_SLOTS - 1));
  return changetype<Conn>(<usize>field(SB_WHEEL) + WHEEL_HEADROOM - CONN_PREV + <usize>list * LIST_SIZE);
}

/** Head of the list of those that are being taken down. */
function down(): Conn {
  return changetype<Conn>(<usize>field(SB_WHEEL) + WHEEL_HEADROOM - CONN_PREV - LIST_SIZE);
}

/** Head of the list of those that owe somebody a frame. */
function owing(): Conn {
  return changetype<Conn>(<usize>field(SB_WHEEL) + WHEEL_OWING - CONN_PREV);
}

/** Milliseconds until `conn` expires, 0 when it is due. Ages are unsigned, so that the clock may wrap. */
export function remaining(conn: Conn): u32 {
  const age = now32() - conn.touched;
  const timeout = conn.timeout;
  return age >= timeout ? 0 : timeout - age;
}

/** The wheel tick after the moment at which `conn` expires, at most one turn of the wheel away. */
function tickOf(conn: Conn): u32 {
  return field(SB_WHEEL_NOW) + min<u32>((remaining(conn) >> WHEEL_SHIFT) + 1, WHEEL_SLOTS - 1);
}

/** Hangs `conn`, which hangs nowhere, where it belongs: behind those that are there. */
export function hang(conn: Conn): void {
  const tick = tickOf(conn);
  const row = rowOf(kindOf(conn), conn.isV6);
  const first = firstOf(row);
  if (<i32>(tick - load<u32>(first)) < 0) store<u32>(first, tick);
  append(slot(row, tick), conn);
}

function append(head: Conn, conn: Conn): void {
  const last = head.prev;
  conn.prev = last;
  conn.next = <u32>changetype<usize>(head);
  changetype<Conn>(<usize>last).next = <u32>changetype<usize>(conn);
  head.prev = <u32>changetype<usize>(conn);
}

/** Takes `conn` out of its list. It may be taken out again. */
export function unhang(conn: Conn): void {
  const next = conn.next;
  const prev = conn.prev;
  changetype<Conn>(<usize>prev).next = next;
  changetype<Conn>(<usize>next).prev = prev;
  alone(conn);
}

/** Makes `conn` a list of its own: it hangs nowhere. */
export function alone(conn: Conn): void {
  const own = <u32>changetype<usize>(conn);
  conn.prev = own;
  conn.next = own;
}

/** Hangs `conn` where it belongs now. One that is due stays: whoever ends it may have it in hand. */
export function rehang(conn: Conn): void {
  if (remaining(conn) == 0) return;
  unhang(conn);
  hang(conn);
}

/** Where it is written from which tick on a row may have records. */
function firstOf(row: u32): usize {
  return <usize>SUPERBLOCK + SB_WHEEL_FIRST + ((<usize>row) << 2);
}

/** The wheel is at tick `to`, `passed` ticks further on than it was. */
export function noteTurn(to: u32, passed: u32): void {
  for (let row: u32 = 0; row < <u32>WHEEL_ROWS; row++) {
    const first = firstOf(row);
    if (passed >= <u32>WHEEL_SLOTS || <i32>(load<u32>(first) - to) <= 0) store<u32>(first, to + 1);
  }
}

/** Takes all records of a tick down, for `nextDown`. */
export function takeDown(tick: u32): void {
  const head = down();
  for (let row: u32 = 0; row < <u32>WHEEL_ROWS; row++) moveAll(slot(row, tick), head);
}

/** The first of those that were taken down and are left, which hangs nowhere then; 0 when there are no more. */
export function nextDown(): usize {
  const head = down();
  if (isEmpty(head)) return 0;
  const conn = changetype<Conn>(<usize>head.next);
  unhang(conn);
  return changetype<usize>(conn);
}

/** Lets `conn`, which hangs nowhere and is due, wait until a frame can be sent. */
export function owe(conn: Conn): void {
  append(owing(), conn);
}

/** The first of those that owe a frame; 0 when there are none. */
export function firstOwing(): usize {
  const head = owing();
  return isEmpty(head) ? 0 : <usize>head.next;
}

function isEmpty(head: Conn): bool {
  return head.next == <u32>changetype<usize>(head);
}

/** Moves what is in one list to the end of another. */
function moveAll(from: Conn, to: Conn): void {
  if (isEmpty(from)) return;
  const first = from.next;
  const last = from.prev;
  unhang(from);
  changetype<Conn>(<usize>to.prev).next = first;
  changetype<Conn>(<usize>first).prev = to.prev;
  changetype<Conn>(<usize>last).next = <u32>changetype<usize>(to);
  to.prev = last;
}

/** Too many records were looked at. */
export const TOO_MANY: usize = 1;

/**
 * Of a kind the record that would expire first, and of those in one slot the one that was hung first; 0 when there is none,
 * TOO_MANY when more than `steps` came before it that were touched since they were hung: these are hung where they belong.
 */
export function oldestOf(kind: u32, v6: bool, steps: u32): usize {
  const row = rowOf(kind, v6);
  const first = firstOf(row);
  const end = field(SB_WHEEL_NOW) + WHEEL_SLOTS;
  let tick = load<u32>(first);
  let left = steps;
  while (tick != end) {
    const head = slot(row, tick);
    if (isEmpty(head)) {
      tick++;
      continue;
    }
    store<u32>(first, tick);
    const conn = changetype<Conn>(<usize>head.next);
    // Which of two slots it is in hangs on when it was hung.
    if (kindOf(conn) == kind && <i32>(tickOf(conn) - tick) <= 1) return changetype<usize>(conn);
    if (left == 0) return TOO_MANY;
    left--;
    unhang(conn);
    hang(conn);
  }
  store<u32>(first, tick);
  return 0;
}
