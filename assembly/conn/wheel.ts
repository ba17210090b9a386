/**
 * The timer wheel: connections hang in the slot of the moment at which they would expire.
 *
 * A packet only stores its time in the record; when a slot comes due, whoever empties it looks
 * whether the connection was touched since, and if so hangs it where it belongs now. A change of
 * timeout moves the record at once.
 *
 * A slot is a doubly linked list whose backward link is the address of the word that points here
 * (the slot's head, or the `next` of the record before), so that a record can leave without
 * knowing its slot.
 *
 * @module
 */
import { CONN_NEXT, SB_WHEEL, SB_WHEEL_NOW, WHEEL_SHIFT, WHEEL_SLOTS } from '../../src/abi/memory';
import { field, now32 } from '../superblock';
import { Conn } from './record';

/** Address of the head of the list for wheel tick `tick`. */
export function slotHead(tick: u32): usize {
  return <usize>field(SB_WHEEL) + <usize>((tick & (WHEEL_SLOTS - 1)) << 2);
}

/** Milliseconds until `conn` expires, 0 when it is due. Ages are unsigned, so that the clock may wrap. */
export function remaining(conn: Conn): u32 {
  const age = now32() - conn.touched;
  const timeout = conn.timeout;
  return age >= timeout ? 0 : timeout - age;
}

/** Hangs `conn` into the slot after the moment it expires, at most one turn of the wheel away. */
export function hang(conn: Conn): void {
  const ahead = min<u32>((remaining(conn) >> WHEEL_SHIFT) + 1, WHEEL_SLOTS - 1);
  const head = slotHead(field(SB_WHEEL_NOW) + ahead);
  const address = <u32>changetype<usize>(conn);
  const first = load<u32>(head);
  conn.prev = <u32>head;
  conn.next = first;
  if (first != 0) changetype<Conn>(first).prev = address + CONN_NEXT;
  store<u32>(head, address);
}

/** Takes `conn` out of its slot. */
export function unhang(conn: Conn): void {
  const next = conn.next;
  const prev = conn.prev;
  store<u32>(prev, next);
  if (next != 0) changetype<Conn>(next).prev = prev;
}
