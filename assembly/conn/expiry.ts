/**
 * How connections end: when their time is over, or with their dests.
 *
 * @module
 */
import { ConnFlag, FtpMode, WHEEL_SHIFT, WHEEL_SLOTS } from '../../src/abi/connections';
import { SB_CONN_COUNT, SB_CONN_HIGH, SB_CONN6_HIGH, SB_NOW, SB_WHEEL_NOW, SUPERBLOCK } from '../../src/abi/superblock';
import { Dest } from '../service/dest';
import { field, now32, setField } from '../superblock';
import { controlsAny, mayControl, outlives } from './control';
import { owesReset } from './expected';
import { inOrder } from './order';
import { recordAt } from './place';
import { isAwaiting } from './proxied';
import { Conn } from './record';
import { endConnection } from './table';
import { alone, hang, nextDown, noteTurn, owe, remaining, takeDown } from './wheel';

/** Longest step of the clock that keeps every age below 2^32 ms: timeouts end at 31 days. */
const CLOCK_STEP: u64 = 1 << 30;

/** Whether a connection that is due lives on, for those that it controls or for frames that it owes; it has ended when not. */
export function livesOn(conn: Conn): bool {
  if (owes(conn)) return true;
  if (mayControl(conn)) {
    endDue();
    if (outlives(conn)) return true;
  }
  endConnection(conn);
  return false;
}

/** Whether it may not end before somebody was told. */
function owes(conn: Conn): bool {
  return isAwaiting(conn) || owesReset(conn);
}

/** Whether it was due before the wheel's last turn. */
function isLate(conn: Conn): bool {
  return now32() - conn.touched - conn.timeout > (now32() & ((1 << WHEEL_SHIFT) - 1));
}

/** Ends a connection that is due and hangs nowhere, or lets it wait until its ends can be told: at the first turn of the wheel. */
function expire(conn: Conn): void {
  if (!owes(conn)) endConnection(conn);
  else if (isLate(conn)) owe(conn);
  else hang(conn);
}

/** Ends the connections of all dests that were deleted, then those that controlled them. */
export function endAbandoned(): void {
  while (endFreeAbandoned()) {}
}

/** Ends those that control nobody; whether there were any. */
function endFreeAbandoned(): bool {
  const any = endFreeAmong(false, field(SB_CONN_HIGH));
  return endFreeAmong(true, field(SB_CONN6_HIGH)) || any;
}

function endFreeAmong(v6: bool, high: u32): bool {
  let any: bool = false;
  for (let number: u32 = 0; number < high; number++) {
    const conn = changetype<Conn>(recordAt(v6, number));
    if (!conn.has(ConnFlag.Used) || conn.dest == 0) continue;
    if (changetype<Dest>(conn.dest).isAvailable || controlsAny(conn)) continue;
    endConnection(conn);
    any = true;
  }
  return any;
}

/** Moves the clock to `to` (milliseconds; never backwards) and ends every connection that is due. */
export function advanceClock(to: u64): void {
  let at = load<u64>(SUPERBLOCK, SB_NOW);
  while (at < to) {
    at = field(SB_CONN_COUNT) != 0 && to - at > CLOCK_STEP ? at + CLOCK_STEP : to;
    store<u64>(SUPERBLOCK, at, SB_NOW);
    turnWheel(<u32>(at >> WHEEL_SHIFT));
  }
}

/**
 * Empties the slots that came due up to wheel tick `to`. Who may control others waits for those, of whom some may have ended
 * later: FTP's control connections, then templates.
 */
function turnWheel(to: u32): void {
  const from = field(SB_WHEEL_NOW);
  if (from == to) return;
  setField(SB_WHEEL_NOW, to);
  noteTurn(to, to - from);
  for (let slots = min<u32>(to - from, WHEEL_SLOTS); slots > 0; slots--) takeDown(to - slots + 1);
  let due: u32 = 0;
  let helped: u32 = 0;
  let templates: u32 = 0;
  for (let address = nextDown(); address != 0; address = nextDown()) {
    const conn = changetype<Conn>(address);
    if (remaining(conn) != 0) hang(conn);
    else if (conn.has(ConnFlag.Template)) templates = chain(conn, templates);
    else if (mayControl(conn) && conn.extension.ftp != FtpMode.None) helped = chain(conn, helped);
    else due = chain(conn, due);
  }
  expireAll(due);
  if (helped != 0) endControllers(helped);
  if (templates != 0) endControllers(templates);
}

/** Puts a record that hangs nowhere in front of a list. */
function chain(conn: Conn, list: u32): u32 {
  conn.next = list;
  return <u32>changetype<usize>(conn);
}

/** Ends those of a list that are due, or lets them wait, in order. */
function expireAll(list: u32): void {
  let due = inOrder(list);
  while (due != 0) {
    const conn = changetype<Conn>(<usize>due);
    due = conn.next;
    alone(conn);
    expire(conn);
  }
}

/**
 * Ends those of a list of due records that controlled nobody when they were due. Of these some may control others: who
 * controls nobody comes first.
 */
function endControllers(first: u32): void {
  let list = first;
  let ended: bool = true;
  while (list != 0) {
    const isLast = !ended;
    let left: u32 = 0;
    let due: u32 = 0;
    while (list != 0) {
      const conn = changetype<Conn>(<usize>list);
      list = conn.next;
      if (!isLast && controlsAny(conn)) left = chain(conn, left);
      else if (!isLate(conn) || outlives(conn)) hang(conn);
      else due = chain(conn, due);
    }
    ended = due != 0;
    expireAll(due);
    list = left;
  }
}

/** Ends all connections that are due, but those that may control others: those whose slot comes next. */
export function endDue(): void {
  takeDown(field(SB_WHEEL_NOW) + 1);
  let due: u32 = 0;
  for (let address = nextDown(); address != 0; address = nextDown()) {
    const conn = changetype<Conn>(address);
    if (remaining(conn) == 0 && !mayControl(conn) && !owes(conn)) due = chain(conn, due);
    else hang(conn);
  }
  expireAll(due);
}
