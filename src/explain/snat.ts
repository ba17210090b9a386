/**
 * SNAT: what is on its way through, from the inside, and has the mark of such a service.
 *
 * @module
 */
import { formatEndpoint } from '../address.js';
import type { ConnectionInfo } from '../director.js';
import { opened, stateLine, TRANSPORT } from './input.js';
import { leave } from './leave.js';
import { type IpFacts, protocolWord } from './packet.js';
import type { Teller } from './teller.js';
import { connectionText, flowOf, isRequest, isService, isSnat, local, updated } from './words.js';

/** Tells the rest of such a packet's way, once it is known to be no reply; false when it is none. */
export function outward(teller: Teller, ip: IpFacts): boolean {
  const { connections, services, outcome, mark } = teller.input;
  const word = protocolWord(ip);
  const service = services.find((one) => isSnat(one) && isService(one, ip, mark));
  // Routed as it is: it is of a server's own connection, or for a link alone.
  if (service === undefined || !mayTake(ip) || teller.is('routed')) return false;
  const known = connections.find((one) => isRequest(one, ip));
  teller.line(`connection ${flowOf(ip)}`, known === undefined ? 'none' : connectionText(known));
  if (teller.is('transport-truncated')) return teller.end(`${word} header`) ?? true;
  if (teller.is('dest-unavailable')) return teller.end('its server') ?? true;
  // Its own server gone, it may be another's.
  const isAnew = known !== undefined && outcome.connection !== undefined && !isSame(outcome.connection, known);
  if ((known === undefined || isAnew) && !opened(teller, ip, service)) return true;
  if (known !== undefined && !isAnew) stateLine(teller, ip, known);
  const connection = outcome.connection ?? known;
  if (connection !== undefined) teller.line('method snat', sourceText(connection));
  leave(teller, ip.destination);
  return true;
}

/** Whether SNAT is for such a packet: with ports, or a query. */
function mayTake(ip: IpFacts): boolean {
  return TRANSPORT.includes(protocolWord(ip)) || ip.message === 'query';
}

function isSame(one: ConnectionInfo, other: ConnectionInfo): boolean {
  return one.localAddress === other.localAddress && one.localPort === other.localPort;
}

function sourceText(one: ConnectionInfo): string {
  return `source ${formatEndpoint(one.clientAddress, one.clientPort)} becomes ${local(one)}, ${updated(one)}`;
}
