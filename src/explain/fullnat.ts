/**
 * What servers send to local addresses of FullNAT and SNAT: it goes on to the client, wherever the local address is.
 *
 * @module
 */
import { formatEndpoint } from '../address.js';
import type { ConnectionInfo } from '../director.js';
import { mssLine } from './carry.js';
import { lookedText } from './errors.js';
import { stateLine } from './input.js';
import { hopsAndLength, leave, whole } from './leave.js';
import { type IpFacts, protocolWord } from './packet.js';
import { routeText, wayTo } from './routes.js';
import { answered } from './synproxy.js';
import type { Teller } from './teller.js';
import { flowOf, isTranslated, local, longer, mtuText, server, turned, updated, versions, virtual } from './words.js';

/** Tells the rest of such a packet's way; false when it is none. */
export function returned(teller: Teller, ip: IpFacts): boolean {
  const { connections, network } = teller.input;
  const request = ip.icmp?.isError ? ip.icmp.quoted : turned(ip);
  const known = request && connections.find((one) => one.localAddress !== undefined && isTranslated(one, request));
  if (known === undefined) return false;
  const looked = ip.icmp?.isError ? lookedText(ip) : `connection ${flowOf(ip).replace(' ', ' reply ')}`;
  teller.line(looked, `${known.state}, service ${virtual(known)} (${known.method})`);
  const { clientAddress } = known;
  const method = `method ${known.method}`;
  const to = `route to ${clientAddress}`;
  const way = wayTo(network, clientAddress);
  if (way === undefined || teller.is('no-route', 'local-client')) return teller.end(to) ?? true;
  const more = longer(ip.version, clientAddress);
  teller.line(to, `${routeText(way.route)}, ${mtuText(way.mtu, more)}`);
  if (!hopsAndLength(teller, whole(teller, ip, teller.own.frame, way.route.dev), way.mtu - more)) return true;
  if (ip.icmp?.isError) {
    if (teller.is('icmp-checksum', 'icmp-untranslatable')) return teller.end(ip.icmp.text) ?? true;
    teller.line(method, errorText(known, ip));
  } else {
    if (teller.is('transport-truncated')) return teller.end(`${protocolWord(ip)} header`) ?? true;
    if (answered(teller, ip, known)) return true;
    stateLine(teller, ip, known);
    mssLine(teller, ip);
    teller.line(method, replyText(known, ip));
  }
  leave(teller, clientAddress);
  return true;
}

function client({ clientAddress, clientPort }: ConnectionInfo): string {
  return formatEndpoint(clientAddress, clientPort);
}

function replyText(one: ConnectionInfo, ip: IpFacts): string {
  if (one.method === 'snat') {
    return `destination ${local(one)} becomes ${client(one)}, ${updated(one)}`;
  }
  return `${versions(ip.version, one.clientAddress)}source ${server(one)} becomes ${virtual(one)}, destination ${local(one)} becomes ${client(one)}, ${updated(one)}`;
}

function errorText(one: ConnectionInfo, ip: IpFacts): string {
  if (one.method === 'snat') return `quoted ${local(one)} becomes ${client(one)}, ICMP checksum anew, from who sent it`;
  return `${versions(ip.version, one.clientAddress)}source ${ip.source} becomes ${one.virtualAddress}, quoted ${local(one)} becomes ${client(one)}, quoted ${server(one)} becomes ${virtual(one)}, ICMP checksum anew`;
}
