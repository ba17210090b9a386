/**
 * Who controls whom: the template of a persistent service the connections that it made, and FTP's control connection those of
 * its data. Who is due but controls others lives on by a minute at a time.
 *
 * @module
 */
import { CONN_CONTROLS, ConnFlag } from '../../src/abi/connections';
import { now32 } from '../superblock';
import { Conn } from './record';
import { endConnection } from './table';
import { hang, rehang, remaining, unhang } from './wheel';

/** Linux's timeout of a record that was due but controls others, in milliseconds. */
const LONGER: u32 = 60_000;
/** State of a template, one of whose connections was established. */
export const ASSURED: u32 = 1;

/** What a record that may control others has: how many these are, and low half of the time (ms) when the last of them ended. */
@unmanaged
@final
class Controlling {
  controls: u32 = 0;
  released: u32 = 0;
}

function controlledBy(controller: Conn): Controlling {
  const isTemplate = controller.has(ConnFlag.Template);
  const at = isTemplate ? changetype<usize>(controller) + CONN_CONTROLS : controller.extension.controlling;
  return changetype<Controlling>(at);
}

/** Whether it may control others. */
export function mayControl(conn: Conn): bool {
  return conn.has(ConnFlag.Template) || (conn.isExtended && !conn.isFull && !conn.isProxied);
}

/** Whether it controls others. */
export function controlsAny(conn: Conn): bool {
  return mayControl(conn) && controlledBy(conn).controls != 0;
}

/** Nobody is controlled yet. */
export function beginControl(controller: Conn): void {
  controlledBy(controller).released = now32();
}

/** `conn` was made by `controller`, and is under its control from now on. */
export function control(conn: Conn, controller: Conn): void {
  conn.control = changetype<usize>(controller);
  const controlling = controlledBy(controller);
  controlling.controls += 1;
  if (controlling.controls == 1) rehang(controller);
}

/** A connection under control was established: a template notes that. */
export function assure(conn: Conn): void {
  const controller = changetype<Conn>(conn.control);
  if (controller.has(ConnFlag.Template)) controller.state = ASSURED;
}

/** A connection that is under control ends: at the moment when it was due, or now. */
export function letGo(conn: Conn): void {
  const controller = changetype<Conn>(conn.control);
  const controlling = controlledBy(controller);
  controlling.controls -= 1;
  const now = now32();
  const due = remaining(conn) == 0 ? conn.touched + conn.timeout : now;
  if (now - due < now - controlling.released) controlling.released = due;
  if (controlling.controls == 0) rehang(controller);
}

/**
 * Whether one that is due lives on, as it controlled somebody at that moment: by a minute, or several. The connections that
 * were due by then must have ended.
 */
export function outlives(controller: Conn): bool {
  const controlling = controlledBy(controller);
  const now = now32();
  const due = controller.touched + controller.timeout;
  const late = now - due;
  const isFree = controlling.controls == 0;
  const free = now - controlling.released;
  if (isFree && late <= free) return false;
  const minutes = isFree ? (late - free + LONGER - 1) / LONGER : late / LONGER + 1;
  controller.touched = due + (minutes - 1) * LONGER;
  controller.timeout = LONGER;
  return !isFree || minutes * LONGER > late;
}

/** Keeps a record that is in hand from making room, from ending with those that it controls, and from the wheel. */
export function hold(conn: Conn): void {
  if (mayControl(conn)) controlledBy(conn).controls += 1;
  unhang(conn);
}

/** Undoes `hold`. */
export function letLoose(conn: Conn): void {
  if (mayControl(conn)) controlledBy(conn).controls -= 1;
  unhang(conn);
  hang(conn);
}

/** Lets a connection end now; one that controls others lives on by a minute. */
export function expireNow(conn: Conn): void {
  if (!controlsAny(conn)) {
    endConnection(conn);
    return;
  }
  conn.touched = now32();
  conn.timeout = LONGER;
  unhang(conn);
  hang(conn);
}
