/**
 * SYN proxy: the director shakes hands itself, with segments of its own in place of those that came.
 *
 * @module
 */
import type { ConnectionInfo, ServiceInfo } from '../director.js';
import { reasonText } from '../reasons.js';
import { carryLine } from './carry.js';
import { stateLine } from './input.js';
import { leave } from './leave.js';
import type { IpFacts } from './packet.js';
import { routeText, wayTo } from './routes.js';
import type { Teller } from './teller.js';
import { destOf, flowOf } from './words.js';

/** The packet was taken, but what was to leave in its place cannot. */
const CANNOT_LEAVE = ['no-route', 'no-neighbour', 'no-headroom', 'local-boundary'];
const REFUSED = ['bad-cookie', 'not-opening', 'decapsulated', 'client-port-zero', 'tcp-checksum'];

/** A segment of no connection: true when it brings a cookie that is right, and so may open one. */
export function bringsCookie(teller: Teller, ip: IpFacts): boolean {
  const { tcpFlags = '', acknowledgment } = ip;
  if (teller.is(...REFUSED)) return teller.end('SYN proxy') ?? false;
  if (tcpFlags.includes('S')) {
    if (!teller.is('syn-cookie', ...CANNOT_LEAVE)) return teller.end('SYN proxy') ?? false;
    teller.line('SYN proxy', reasonText('syn-cookie'));
    sendOwn(teller, ip.source);
    return false;
  }
  const number = acknowledgment === undefined ? '' : ` ${(acknowledgment - 1) >>> 0}`;
  teller.line('SYN proxy', `cookie${number} is right: may open a connection`);
  if (teller.is('syn-proxy-wait')) return teller.end('synproxy_defer 1, no data') ?? false;
  return true;
}

/** Tells the rest of the way of what a server says that was not known to have answered yet; false when it was. */
export function answered(teller: Teller, ip: IpFacts, known: ConnectionInfo): boolean {
  const { services, outcome } = teller.input;
  const service = services.find((one) => one.synproxy === true && destOf([one], known) !== undefined);
  const { tcpFlags = '' } = ip;
  const isAwaited = known.state === 'SYN_SENT' && service !== undefined && tcpFlags !== '';
  if (!isAwaited && !teller.isReplaced) return false;
  stateLine(teller, ip, known);
  if (!teller.isReplaced && !teller.is(...CANNOT_LEAVE)) return teller.end('SYN proxy') ?? true;
  if (teller.isReplaced) teller.line('SYN proxy', reasonText(outcome.reason));
  // A server that refuses is passed on to the client.
  sendOwn(teller, tcpFlags.includes('R') ? known.clientAddress : known.destAddress, known, service);
  return true;
}

/** Out with a segment of the director's own, to `address`. */
export function sendOwn(teller: Teller, address: string, connection?: ConnectionInfo, service?: ServiceInfo): void {
  teller.hook('OUTPUT');
  const { network, outcome } = teller.input;
  const to = `route to ${address}`;
  const way = wayTo(network, address);
  if (way === undefined || teller.is('no-route', 'local-boundary')) return void teller.end(to);
  teller.line(to, `${routeText(way.route)}, MTU ${way.mtu}`);
  const own = teller.isReplaced ? teller.factsOf(outcome) : undefined;
  if (own !== undefined) {
    teller.line('SYN proxy', `sends ${ownText(own)}`);
    if (connection !== undefined && !teller.is('syn-proxy-reset')) carryLine(teller, own, connection, service);
  }
  leave(teller, address);
}

/** `TCP [S] 10.1.0.1:1024 > 10.1.0.11:8080, MSS 1460, 60 bytes, TTL 64`. */
function ownText(own: IpFacts): string {
  const mss = own.mss === undefined ? '' : `MSS ${own.mss}, `;
  const hops = `${own.version === 4 ? 'TTL' : 'hop limit'} ${own.hops}`;
  return `${flowOf(own).replace('TCP', `TCP ${own.tcpFlags}`)}, ${mss}${own.totalLength} bytes, ${hops}`;
}
