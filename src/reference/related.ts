/**
 * ICMP and ICMPv6 errors about packets of connections.
 *
 * @module
 */
import { type Host, type Judgement, local, pass, type Received } from './host.js';
import { ICMP_LENGTH, ICMP_TYPE } from './packet/icmp.js';
import { type IpPacket, isIpv6 } from './packet/ip.js';
import { transportName } from './ports.js';

/** An ICMP message to the host. */
export function judgeOwnError(_host: Host, received: Received, message: Uint8Array): Judgement {
  return quotesTransport(received.packet, message) ? pass('icmp-error') : local('local-delivery');
}

/** An ICMP message that passes. */
export function judgePassingError(
  _host: Host,
  { packet }: Received,
  _message: Uint8Array,
): { packet: IpPacket; reason: string } | Judgement {
  return { packet, reason: 'routed' };
}

function quotesTransport(packet: IpPacket, message: Uint8Array): boolean {
  if (isIpv6(packet)) return false;
  const [type] = message;
  const quoted = message.subarray(ICMP_LENGTH);
  const about = [ICMP_TYPE.destinationUnreachable, ICMP_TYPE.sourceQuench, ICMP_TYPE.timeExceeded];
  if (!about.some((each) => each === type) || quoted.length < 20) return false;
  return transportName(quoted[9]!) !== undefined;
}
