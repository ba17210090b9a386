/**
 * A connection's states, and how long it lives in each.
 *
 * @module
 */
import { ConnFlag } from '../../src/abi/connections';
import { ConnState, Protocol } from '../../src/abi/protocol';
import { SB_CONN_REUSE_MODE, SB_TIMEOUTS, SUPERBLOCK } from '../../src/abi/superblock';
import { Dest } from '../service/dest';
import { field, now32 } from '../superblock';
import { assure } from './control';
import { timeoutByProfile } from './local';
import { Conn } from './record';
import { isActiveSctp } from './sctp-state';
import { isActiveTcp } from './tcp-state';
import { hang, kindOf, unhang } from './wheel';

/** Puts `conn` into `state`: its timeout, and its place in the dest's active or inactive count. */
export function enterState(conn: Conn, state: u32): void {
  const before = kindOf(conn);
  // With one state it never becomes active.
  if (state != conn.state && conn.hasStates && conn.dest != 0) {
    const inactive = conn.has(ConnFlag.Inactive);
    const active = conn.protocol == Protocol.Sctp ? isActiveSctp(state) : isActiveTcp(state);
    if (active == inactive) {
      const dest = changetype<Dest>(conn.dest);
      dest.active += active ? 1 : -1;
      dest.inactive += active ? -1 : 1;
      conn.flags = conn.flags ^ ConnFlag.Inactive;
    }
    const isEstablished = state == ConnState.Established || state == ConnState.SctpEstablished;
    if (isEstablished && conn.control != 0) assure(conn);
  }
  conn.state = state;
  // From now on it goes the long way, which looks whether it begins again.
  if (mayBeReused(conn)) conn.hopGeneration = 0;
  const timeout = timeoutFor(conn, state);
  if (timeout != conn.timeout || kindOf(conn) != before) {
    conn.timeout = timeout;
    unhang(conn);
    hang(conn);
  }
}

/** Gives a connection that has just had a packet another timeout (ms). */
export function setTimeout(conn: Conn, timeout: u32): void {
  conn.touched = now32();
  conn.timeout = timeout;
  unhang(conn);
  hang(conn);
}

/** Lets a connection of TCP wait for its first segment, whatever it was; its dest counts it as it did (Linux: ip_vs_tcp_conn_listen). */
export function listen(conn: Conn): void {
  conn.state = ConnState.Listen;
  setTimeout(conn, timeoutOf(ConnState.Listen));
}

const ENDED: u32 = (1 << ConnState.TimeWait) | (1 << ConnState.Close) | (1 << ConnState.SctpClosed);

/** The bit of conn_reuse_mode for clients that said goodbye to servers which answer them directly. */
const REUSE_FIN_WAIT: u32 = 2;

/** Whether conn_reuse_mode lets its client's next SYN or INIT open another: it only waits for its timeout. */
export function mayBeReused(conn: Conn): bool {
  const mode = field(SB_CONN_REUSE_MODE);
  if (mode == 0) return false;
  if (((ENDED >> conn.state) & 1) != 0) return true;
  return (mode & REUSE_FIN_WAIT) != 0 && conn.state == ConnState.FinWait && conn.has(ConnFlag.NoOutput);
}

/** How long this connection stays in `state` without a packet, in milliseconds. */
export function timeoutFor(conn: Conn, state: u32): u32 {
  const own = conn.isFull ? timeoutByProfile(conn, state) : 0;
  return own != 0 ? own : timeoutOf(state);
}

/** How long connections stay in `state` without a packet, in milliseconds. */
export function timeoutOf(state: u32): u32 {
  return load<u32>(<usize>SUPERBLOCK + ((<usize>state) << 2), SB_TIMEOUTS);
}

/** State of a connection of UDP, or of queries, whatever passes. */
export const UDP_STATE: u32 = ConnState.Udp;
