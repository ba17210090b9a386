/**
 * What segments say of what the ends of a connection expect next. docs/expiry.md has the rules.
 *
 * @module
 */
import { forgetExpected, isNotedOf, noteExpected, raiseExpected, tellsEnds } from '../conn/expected';
import { takeExtension } from '../conn/extension';
import { proxiedOf } from '../conn/proxied';
import { Conn } from '../conn/record';
import { toReceiver, toReceiverBefore } from '../conn/sequence';
import { extend } from '../conn/table';
import { Direction } from '../conn/tcp-state';
import { Scratch } from '../descriptor';
import { ACK, SYN, Tcp } from '../wire/tcp';
import { isSane } from './sequence';

/** A segment has made its connection established, and is not changed yet. Without an extension nothing is noted. */
export function noteEstablished(packet: Scratch, conn: Conn, direction: Direction): void {
  if (conn.isExtended) forgetExpected(conn);
  const tcp = changetype<Tcp>(packet.l4);
  if (!tellsEnds() || !conn.isTranslated || (tcp.flags & ACK) == 0 || !isSane(packet)) return;
  if (!conn.isExtended) {
    const extension = takeExtension();
    if (extension == 0) return;
    extend(conn, extension);
    // No such connection goes the short way.
    conn.hopGeneration = 0;
  }
  const isServers = direction == Direction.Out;
  const sequence = tcp.sequence + ((tcp.flags & SYN) != 0 ? 1 : 0);
  const other = isServers ? numberForClient(conn, sequence) : numberForServer(conn, sequence);
  const own = tcp.acknowledgement;
  noteExpected(conn, isServers ? other : own, isServers ? own : other);
}

/** A segment of an established connection whose ends are noted. */
export function noteAcknowledged(packet: Scratch, conn: Conn, direction: Direction): void {
  const tcp = changetype<Tcp>(packet.l4);
  if ((tcp.flags & ACK) == 0 || !isSane(packet) || !isNotedOf(conn, direction)) return;
  raiseExpected(conn, direction, tcp.acknowledgement);
}

/** A client's number as its server counts, which has nothing of the PROXY protocol's header yet. */
function numberForServer(conn: Conn, number: u32): u32 {
  const sequence = conn.extension.sequence(Direction.In);
  return conn.isFull ? toReceiverBefore(sequence, number) : toReceiver(sequence, number);
}

/** A server's number as its client counts. */
function numberForClient(conn: Conn, number: u32): u32 {
  if (conn.isProxied) return number + proxiedOf(conn).shift;
  return conn.isFull ? number : toReceiver(conn.extension.sequence(Direction.Out), number);
}
