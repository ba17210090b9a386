/**
 * ACK storms: two ends that each acknowledge what the other thinks is wrong never stop doing so.
 *
 * @module
 */
import type { Connection } from '../connection.js';
import type { Host } from '../host.js';
import type { IpPacket } from '../packet/ip.js';
import { TCP_FLAG, TCP_LENGTH, type TcpSegment } from '../packet/tcp.js';
import { TCP_OPTION, tcpOptions } from '../packet/tcp-options.js';
import { segmentIn } from '../segment.js';

/** Acknowledgments that are the same, one behind the other. */
export interface Row extends Pick<TcpSegment, 'sequence' | 'acknowledgment' | 'window'> {
  count: number;
}

const { syn, fin, rst, ack } = TCP_FLAG;

/** Milliseconds: what comes later than that asks for something. */
const SOON = 1000;

/** Whether a client's packet is one too many. */
export function isOfStorm({ sysctl }: Host, packet: IpPacket, connection: Connection, now: number): boolean {
  const { proxied, expiresAt, timeout } = connection;
  const segment = proxied && segmentIn(packet);
  if (proxied === undefined) return false;
  if (segment === undefined || !isPlain(segment)) {
    proxied.row = undefined;
    return false;
  }
  const { row } = proxied;
  const { sequence, acknowledgment, window } = segment;
  const isSame = row?.sequence === sequence && row.acknowledgment === acknowledgment && row.window === window;
  const isSoon = now - (expiresAt - timeout) <= SOON;
  proxied.row = { sequence, acknowledgment, window, count: row !== undefined && isSame && isSoon ? row.count + 1 : 1 };
  return sysctl.synproxy_dup_ack !== 0 && proxied.row.count >= sysctl.synproxy_dup_ack;
}

/** Whether it acknowledges, and nothing else. */
function isPlain(segment: TcpSegment): boolean {
  const { flags, offsetAndReserved, rest } = segment;
  const hasData = rest.length > (offsetAndReserved >>> 4) * 4 - TCP_LENGTH;
  const isAcknowledgment = (flags & (syn | fin | rst | ack)) === ack;
  const isSelective = tcpOptions(segment).options.some(({ kind }) => kind === TCP_OPTION.sack);
  return isAcknowledgment && !hasData && !isSelective;
}
