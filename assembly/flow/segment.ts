/**
 * What a passing packet does to its connection: the time, and the protocol's state.
 *
 * @module
 */
import { ConnFlag } from '../../src/abi/connections';
import { ConnState, Protocol } from '../../src/abi/protocol';
import { assure } from '../conn/control';
import { isSecureTcp } from '../conn/defence';
import { isNoted } from '../conn/expected';
import { enterState, timeoutFor, timeoutOf, UDP_STATE } from '../conn/life';
import { Conn } from '../conn/record';
import { nextSctpState, sctpEvent } from '../conn/sctp-state';
import { Direction, nextTcpState } from '../conn/tcp-state';
import { Scratch } from '../descriptor';
import { now32 } from '../superblock';
import { SCTP_NO_CHUNK } from '../wire/sctp';
import { ACK, FIN, RST, SYN, Tcp } from '../wire/tcp';
import { noteAcknowledged, noteEstablished } from './expected';
import { noteSyn } from './isn';
import { isSane } from './sequence';

/** Notes the time, and moves the state on. The whole transport header must be there. */
export function seeSegment(packet: Scratch, conn: Conn, direction: Direction): void {
  conn.touched = now32();
  if (!isSteady(packet, conn, direction)) moveState(packet, conn, direction);
  else if (conn.isExtended && isNoted(conn)) noteAcknowledged(packet, conn, direction);
}

/** Whether it is like nearly all segments of established connections, which leave everything as it is, in every table. */
function isSteady(packet: Scratch, conn: Conn, direction: Direction): bool {
  if (conn.state != ConnState.Established) return false;
  if ((changetype<Tcp>(packet.l4).flags & (RST | SYN | FIN | ACK)) != ACK) return false;
  // The first that a server sends this way makes the other tables count.
  if (direction == Direction.Out && conn.has(ConnFlag.NoOutput)) return false;
  return conn.timeout == timeoutOf(ConnState.Established) || hasOwnTimeout(conn);
}

/** Whether it has the timeout of an established connection by a profile that has one of its own. */
function hasOwnTimeout(conn: Conn): bool {
  return conn.isFull && conn.timeout == timeoutFor(conn, ConnState.Established);
}

/** Whether a server that the SYN proxy has asked answers the SYN once more: the director has had that. */
function isHeardAlready(packet: Scratch, conn: Conn): bool {
  if ((changetype<Tcp>(packet.l4).flags & (SYN | ACK)) != (SYN | ACK)) return false;
  return conn.isProxied && isSane(packet);
}

function moveState(packet: Scratch, conn: Conn, direction: Direction): void {
  if (!conn.hasStates) {
    enterState(conn, UDP_STATE);
    if (direction == Direction.Out && conn.control != 0) assure(conn);
    return;
  }
  const isTcp = conn.protocol == Protocol.Tcp;
  if (isTcp && direction == Direction.Out && isHeardAlready(packet, conn)) {
    if (conn.state == ConnState.Established && isNoted(conn)) noteAcknowledged(packet, conn, direction);
    return;
  }
  const chunk = isTcp ? 0 : sctpEvent(packet.l4, packet.l4Length);
  // Without a chunk a server's packet does not even count as one.
  if (chunk == SCTP_NO_CHUNK) return;
  let table = direction;
  if (conn.has(ConnFlag.NoOutput)) {
    if (direction == Direction.Out) conn.flags = conn.flags & ~ConnFlag.NoOutput;
    else table = Direction.InOnly;
  }
  const state = conn.state;
  enterState(
    conn,
    isTcp
      ? nextTcpState(table, changetype<Tcp>(packet.l4).flags, state, isSecureTcp())
      : nextSctpState(table, chunk, state),
  );
  if (!isTcp) return;
  if (direction == Direction.In && conn.isFull) noteSyn(packet, conn, state);
  if (conn.state != ConnState.Established) return;
  if (state != ConnState.Established) noteEstablished(packet, conn, direction);
  else if (conn.isExtended && isNoted(conn)) noteAcknowledged(packet, conn, direction);
}
