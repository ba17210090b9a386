/**
 * What else changes in segments of a NAT connection that has an extension: by a helper, or behind a SYN proxy.
 *
 * @module
 */
import { Conn } from '../conn/record';
import { Direction } from '../conn/tcp-state';
import { Descriptor, Scratch } from '../descriptor';
import { adjustForClient, adjustForServer } from '../flow/proxied';
import { update } from '../wire/checksum';
import { Tcp } from '../wire/tcp';
import { adjust, helpIn } from './ftp';

/** Changes a client's segment before it is translated. False: it is dropped, and the frame judged. */
export function changeIn(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  if (!conn.isProxied) return helpIn(frame, packet, conn);
  settle(frame, packet, adjustForServer(packet, conn));
  return true;
}

/** The same of a server's, which was translated. */
export function changeOut(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  if (!conn.isProxied) return adjust(frame, packet, conn, Direction.Out);
  settle(frame, packet, adjustForClient(packet, conn));
  return true;
}

/** The checksum follows; one that is only begun covers addresses alone. */
function settle(frame: Descriptor, packet: Scratch, delta: u64): void {
  if (frame.isPartial) return;
  const tcp = changetype<Tcp>(packet.l4);
  tcp.checksum = update(tcp.checksum, delta);
}
