/**
 * Packets of a connection from its server.
 *
 * @module
 */
import type { Connection, FullNat } from './connection.js';
import { countReply } from './counts.js';
import { finished } from './emit.js';
import { hearExpected } from './expiry.js';
import { hearServersNumbers, towardsClient } from './fullnat/numbers.js';
import { withLowerMss } from './fullnat/toa.js';
import { followShift, hearServer } from './helper.js';
import { drop, type Host, type Judgement, type Received } from './host.js';
import { isNat64, toIpv6 } from './nat64/headers.js';
import { familyOf } from './packet/address.js';
import { type IpPacket, ipLength } from './packet/ip.js';
import { hasFlag } from './packet/tcp.js';
import type { Transport } from './ports.js';
import { segmentIn, withSegment } from './segment.js';
import { hearAsked } from './synproxy/asking.js';
import { isAsking, proxiedOut } from './synproxy/proxied.js';
import { isBegun, translate, translateInto } from './translate.js';
import { withEnds } from './upper.js';

/**
 * A packet from the server of a NAT, FullNAT or SNAT connection passes: it is counted, the connection follows it, and it gets the
 * virtual end as its source, by FullNAT also the client's as its destination. One whose transport header is cut short changes nothing.
 */
export function passReply(
  host: Host,
  received: Received,
  connection: Connection,
  transport: Transport,
): IpPacket | Judgement {
  const { packet, partialChecksum, now } = received;
  if (transport.truncated) return drop('transport-truncated');
  if (isAsking(connection)) return hearAsked(host, received, connection);
  const heard = hearServer(host, packet, connection, partialChecksum, now);
  if ('verdict' in heard) {
    host.connections.pass(connection, 'output', undefined, now);
    return heard;
  }
  countReply(ipLength(heard.packet), connection);
  const { state } = connection;
  host.connections.pass(connection, 'output', isHeardAlready(connection, packet) ? undefined : transport.event, now);
  hearExpected(host, packet, connection, 'output', state);
  const { virtualAddress: source, virtualPort: sourcePort, clientAddress, clientPort, fullnat } = connection;
  const isPartial = isBegun(packet, partialChecksum) || heard.isBegun;
  if (fullnat !== undefined) {
    const ends = { source, sourcePort, destination: clientAddress, destinationPort: clientPort };
    const addressed = isNat64(connection) ? toIpv6(packet, ends) : withEnds(packet, ends);
    const read = answered(translateInto(packet, addressed, ends, isPartial), fullnat, isPartial);
    return proxiedOut(read, connection, isPartial);
  }
  const translated = proxiedOut(translate(heard.packet, { source, sourcePort }, isPartial), connection, isPartial);
  const followed = followShift(translated, connection, 'output', isPartial);
  if ('verdict' in followed) return followed;
  return heard.isBegun && partialChecksum === false ? finished(followed) : followed;
}

/** Whether a server that the SYN proxy has asked says again that it hears: the director has had that. */
function isHeardAlready({ proxied }: Connection, packet: IpPacket): boolean {
  const segment = proxied && segmentIn(packet);
  return segment !== undefined && hasFlag(segment, 'syn') && hasFlag(segment, 'ack');
}

/** A server's segment, as its client can read it. */
function answered(packet: IpPacket, { numbers, carry }: FullNat, isPartial: boolean): IpPacket {
  const segment = segmentIn(packet);
  if (segment === undefined) return packet;
  hearServersNumbers(segment, numbers);
  const read = towardsClient(segment, numbers);
  return withSegment(packet, carry === 'toa' ? withLowerMss(read, familyOf(packet.source)) : read, isPartial);
}

/**
 * A packet that may be from a DR or TUN connection's server, which answers by way of the director instead of past it, from
 * the virtual address: it is counted, and the connection follows it; nothing is translated. Of IPv4 it gets here only when
 * that address is none of the host's own.
 *
 * @returns whether it is
 */
export function passDirect(host: Host, { packet, now }: Received, { tuple, truncated, event }: Transport): boolean {
  if (tuple === undefined) return false;
  const connection = host.connections.findDirect(tuple);
  if (connection === undefined) return false;
  countReply(ipLength(packet), connection);
  host.connections.pass(connection, 'output', truncated ? undefined : event, now);
  return true;
}
