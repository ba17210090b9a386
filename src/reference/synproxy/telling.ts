/**
 * What the director says to servers in their clients' names.
 *
 * @module
 */
import type { Connection } from '../connection.js';
import { tellBySegment } from '../fullnat/carry.js';
import { towardsServer } from '../fullnat/numbers.js';
import type { Host } from '../host.js';
import { type Leaving, leave } from '../own.js';
import type { IpPacket } from '../packet/ip.js';
import { segmentIn, withSegment } from '../segment.js';

/** Sends a segment with the client's own number to its server, as if the client had: by FullNAT with what tells who that is. */
export function leaveInClientsName(host: Host, packet: IpPacket, connection: Connection): Leaving {
  const { destAddress, fullnat } = connection;
  if (fullnat === undefined) return leave(host, packet, destAddress);
  const { mtu = 0 } = host.network.route(destAddress) ?? {};
  const path = host.paths.get(destAddress, host.now)?.mtu ?? mtu;
  // What would go before it needs no less room.
  const room = { mtu: Math.min(mtu, path), mayCut: false, mayBeTwo: false };
  const segment = segmentIn(packet)!;
  const told = tellBySegment(packet, segment, connection, fullnat, room, false);
  const isTold = !('verdict' in told);
  const moved = towardsServer(segment, fullnat.numbers);
  // Without room for the header its place stays free.
  const behind = withSegment(packet, { ...moved, sequence: (moved.sequence + fullnat.header.length) >>> 0 }, false);
  const leaving = leave(host, isTold ? told[0] : behind, destAddress);
  // The header goes with the client's first byte then.
  if (!isTold || typeof leaving === 'string') fullnat.numbers.headerSent = false;
  return leaving;
}
