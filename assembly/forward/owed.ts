/**
 * Frames that no frame is the cause of, because it is time: a SYN once more behind a SYN proxy, and the RSTs of connections
 * whose time is over.
 *
 * @module
 */
import { HopKind } from '../../src/abi/tables';
import { Reason } from '../../src/abi/verdict';
import { expectedBy, forgetExpectedBy, isNotedOf, owesReset } from '../conn/expected';
import { isAwaiting } from '../conn/proxied';
import { Conn } from '../conn/record';
import { endConnection } from '../conn/table';
import { Direction } from '../conn/tcp-state';
import { firstOwing, hang, remaining, unhang } from '../conn/wheel';
import { Scratch } from '../descriptor';
import { RST } from '../wire/tcp';
import { takeFrame } from './made';
import { ownHeaders, putSegment } from './own-segment';
import { askAgain, hopToClient, send } from './proxied';
import { hopToServer } from './transmit';

/** Connections that are served by one call: others may need frames, too. */
const OWED_MAX: u32 = 256;

/** Sends what is due to be sent, as far as there is room: the others wait for the next call. */
export function sendOwed(): void {
  let left = OWED_MAX;
  for (let at = firstOwing(); at != 0 && left != 0; at = firstOwing(), left--) {
    const conn = changetype<Conn>(at);
    if (remaining(conn) != 0) {
      unhang(conn);
      hang(conn);
    } else if (isAwaiting(conn)) {
      // No frame is parsed yet: what there is of the first one is free.
      if (!askAgain(Scratch.at(0), conn)) return;
    } else {
      if (owesReset(conn) && !(resetEnd(conn, Direction.Out) && resetEnd(conn, Direction.In))) return;
      endConnection(conn);
    }
  }
}

/**
 * Tells the end of a connection whose segments go in that direction that it is over, as the other end would that gives it up
 * (RFC 9293 §3.10.5). Each is told once; who cannot be reached is not. False: there is no room for that.
 */
function resetEnd(conn: Conn, direction: Direction): bool {
  if (!isNotedOf(conn, direction)) return true;
  const isServer = direction == Direction.Out;
  const hop = isServer ? hopToServer(conn) : hopToClient(conn);
  if (hop.kind == HopKind.Forward) {
    const v6 = isServer ? conn.isServerV6 : conn.isV6;
    const made = takeFrame(null, ownHeaders(v6));
    if (made == null) return false;
    const sequence = expectedBy(conn, direction);
    const ports = rotl<u32>(isServer ? conn.outPortsBE : conn.inPortsBE, 16);
    if (isServer) putSegment(made.address, v6, conn.replyTo, conn.daddr, ports, sequence, 0, RST, 0, 0);
    else putSegment(made.address, v6, conn.vaddr, conn.caddr, ports, sequence, 0, RST, 0, 0);
    send(made, made.address, hop, Reason.ExpiredReset);
  }
  forgetExpectedBy(conn, direction);
  return true;
}
