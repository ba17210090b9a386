/**
 * What each end of an established connection of TCP expects next, as far as it has said so: by its own numbers, so that
 * nothing has to be known of what was changed on the way. A RST must have just that number (RFC 5961 §3.2).
 *
 * @module
 */
import { CONN_EXPECTED6, EXT_EXPECTED, ExtensionFlag } from '../../src/abi/connections';
import { ConnState } from '../../src/abi/protocol';
import { SB_CONN_EXPIRE_TCP_RST } from '../../src/abi/superblock';
import { field } from '../superblock';
import { Conn } from './record';
import { Direction } from './tcp-state';

const BOTH: u32 = ExtensionFlag.ClientExpects | ExtensionFlag.ServerExpects;

/** Whether both ends of connections that time out are told. */
export function tellsEnds(): bool {
  return field(SB_CONN_EXPIRE_TCP_RST) != 0;
}

/** Whether it owes an end a RST when its time is over. */
export function owesReset(conn: Conn): bool {
  return tellsEnds() && conn.state == ConnState.Established && conn.isExtended && isNoted(conn);
}

/** Whether it is known what an end expects. The connection has an extension. */
export function isNoted(conn: Conn): bool {
  return (conn.extension.flags & BOTH) != 0;
}

/** Whether it is known what the end expects whose segments go in that direction. */
export function isNotedOf(conn: Conn, direction: Direction): bool {
  return conn.extension.has(flagOf(direction));
}

/** What it expects. */
export function expectedBy(conn: Conn, direction: Direction): u32 {
  return load<u32>(placeOf(conn, direction));
}

/** The connection, which has an extension, is established. */
export function noteExpected(conn: Conn, client: u32, server: u32): void {
  conn.extension.flags = conn.extension.flags | BOTH;
  store<u32>(placeOf(conn, Direction.In), client);
  store<u32>(placeOf(conn, Direction.Out), server);
}

/** An end has acknowledged all up to there; segments may have overtaken each other. */
export function raiseExpected(conn: Conn, direction: Direction, acknowledged: u32): void {
  const place = placeOf(conn, direction);
  if (<i32>(acknowledged - load<u32>(place)) > 0) store<u32>(place, acknowledged);
}

/** It is not known any more, of either end. */
export function forgetExpected(conn: Conn): void {
  conn.extension.flags = conn.extension.flags & ~BOTH;
}

/** It is not known any more of the end whose segments go in that direction. */
export function forgetExpectedBy(conn: Conn, direction: Direction): void {
  conn.extension.flags = conn.extension.flags & ~flagOf(direction);
}

function flagOf(direction: Direction): u32 {
  return direction == Direction.Out ? ExtensionFlag.ServerExpects : ExtensionFlag.ClientExpects;
}

function placeOf(conn: Conn, direction: Direction): usize {
  const both = conn.isV6 ? changetype<usize>(conn) + CONN_EXPECTED6 : changetype<usize>(conn.extension) + EXT_EXPECTED;
  return direction == Direction.Out ? both + 4 : both;
}
