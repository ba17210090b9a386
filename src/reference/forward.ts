/**
 * What is not for the director: replies of NAT servers, and all that is just routed.
 *
 * @module
 */
import { answer } from './answer.js';
import { sendBack } from './fullnat/back.js';
import { arrivalAfter } from './helper.js';
import { drop, type Host, type Judgement, pass, type Received } from './host.js';
import { isIpv6 } from './packet/ip.js';
import { connectOutwards } from './persistence.js';
import { readTransport } from './ports.js';
import { judgePassingError } from './related.js';
import { passDirect, passReply } from './reply.js';
import { type Passed, routeOn } from './route-on.js';
import { endOnce, messageOf } from './schedule.js';
import { findSnat, passOutwards } from './snat.js';
import { isStray } from './stray.js';
import { isIcmp, upperLayer } from './upper.js';

/** Routes a packet, and translates it on its way if a NAT connection's server sent it. */
export function forward(host: Host, received: Received): Judgement {
  const { packet } = received;
  const isOn = isIpv6(packet) ? host.sysctl.ipv6_forwarding : host.sysctl.ip_forward;
  if (isOn === 0) return pass('not-forwarding');
  return routeOn(host, received, packet.destination, (passing) => passIpvs(host, passing));
}

/** The packet as IPVS leaves it, or IPVS's own verdict. */
function passIpvs(host: Host, received: Received): Passed | Judgement {
  const { packet, now } = received;
  const upper = upperLayer(packet);
  if (upper === undefined) return { packet, reason: 'routed' };
  const transport = readTransport(packet);
  if (transport === undefined) {
    const isMessage = isIcmp(packet, upper) && !upper.isLaterFragment;
    return isMessage ? judgePassingError(host, received, upper.bytes) : { packet, reason: 'routed' };
  }
  const service = findSnat(host, received, transport);
  if (transport.tuple === undefined) {
    return service === undefined ? { packet, reason: 'routed' } : drop('transport-truncated');
  }
  let connection = host.connections.findReply(transport.tuple);
  if (connection === undefined) {
    if (passDirect(host, received, transport)) return { packet, reason: 'routed' };
    if (!transport.isSecured) connection = connectOutwards(host, transport.tuple, messageOf(received), now);
  }
  if (connection === undefined) {
    if (isStray(host, transport)) {
      return drop('no-connection', answer(host, 'port-unreachable', packet, received.interface));
    }
    return service === undefined
      ? { packet, reason: 'routed' }
      : passOutwards(host, received, service, transport, transport.tuple);
  }
  if (connection.fullnat !== undefined) return sendBack(host, received, connection, transport);
  const arrival = arrivalAfter(received.arrival, connection);
  const passed = passReply(host, received, connection, transport);
  endOnce(host, connection);
  return 'verdict' in passed ? passed : { packet: passed, reason: 'nat-out', arrival };
}
