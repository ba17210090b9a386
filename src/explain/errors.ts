/**
 * ICMP and ICMPv6 errors: about which connection they are, and what of the packet that they quote is translated.
 *
 * @module
 */
import { formatEndpoint } from '../address.js';
import type { ConnectionInfo } from '../director.js';
import { type IpFacts, protocolWord } from './packet.js';
import type { Teller } from './teller.js';
import {
  connectionText,
  flowOf,
  isReply,
  isRequest,
  isTranslated,
  local,
  server,
  turned,
  versions,
  virtual,
} from './words.js';

/** An error about a packet of a connection. */
export interface ErrorFound {
  readonly connection: ConnectionInfo;
  /** What the connection's method does to it; absent where it only goes the connection's way. */
  readonly text: string | undefined;
}

/** `ICMP 3/4 (fragmentation needed) about TCP 10.0.0.100:80 > 10.0.0.2:40001`; its own text when it quotes nothing. */
export function lookedText(ip: IpFacts): string {
  const quoted = ip.icmp?.quoted;
  const text = ip.icmp?.text ?? protocolWord(ip);
  if (quoted === undefined) return text;
  if (quoted.inner !== undefined) return `${text} about our ${protocolWord(quoted)} packet to ${quoted.destination}`;
  return `${text} about ${flowOf(quoted)}`;
}

/** At INPUT: an error from the client's side about a reply. `undefined`: the way ended, or goes on to the host. */
export function errorIn(teller: Teller, ip: IpFacts): ErrorFound | undefined {
  const quoted = ip.icmp?.quoted;
  const looked = lookedText(ip);
  const { connections, outcome } = teller.input;
  const known = quoted && connections.find((one) => isRequest(one, turned(quoted)));
  const connection = outcome.connection ?? known;
  if (!teller.is('icmp-in') && outcome.verdict !== 'forward' && !(known && isAfterLookup(teller))) {
    return void teller.end(looked);
  }
  if (connection === undefined) return undefined;
  if (known === undefined) teller.line(looked, `none: opens a connection to ${server(connection)}`);
  else teller.line(looked, `connection ${connectionText(known)}`);
  if (connection.method === 'fullnat') return { connection, text: fullText(connection, ip) };
  if (connection.method !== 'nat') return { connection, text: undefined };
  const { virtualAddress, destAddress } = connection;
  const text = `destination ${virtualAddress} becomes ${destAddress}, quoted source ${virtual(connection)} becomes ${server(connection)}, ICMP checksum anew`;
  return { connection, text };
}

function fullText(one: ConnectionInfo, ip: IpFacts): string {
  const { virtualAddress, destAddress, localAddress, clientAddress, clientPort } = one;
  const client = formatEndpoint(clientAddress, clientPort);
  return `${versions(ip.version, destAddress)}source ${ip.source} becomes ${localAddress}, destination ${virtualAddress} becomes ${destAddress}, quoted ${virtual(one)} becomes ${server(one)}, quoted ${client} becomes ${local(one)}, ICMP checksum anew`;
}

/** Whether the packet ended where one of a known connection is sent on. */
function isAfterLookup(teller: Teller): boolean {
  return teller.is(
    'ttl-exceeded',
    'too-big',
    'no-route',
    'no-neighbour',
    'local-dest',
    'tunnel-mtu',
    'no-headroom',
    'icmp-untranslatable',
  );
}

/** At FORWARD: an error about a request of NAT, or from the inside about an answer of SNAT; its translation, if it is one. */
export function errorOut(teller: Teller, ip: IpFacts): { method: string; text: string } | undefined {
  const quoted = ip.icmp?.quoted;
  const { connections, outcome } = teller.input;
  const known =
    quoted && connections.find((one) => one.method === 'nat' && (isTranslated(one, quoted) || isReply(one, quoted)));
  const connection = outcome.connection ?? known;
  teller.line(
    lookedText(ip),
    connection === undefined
      ? 'no connection'
      : `${connection.state}, service ${virtual(connection)} (${connection.method})`,
  );
  if (connection === undefined || outcome.verdict !== 'forward') return undefined;
  const { method, virtualAddress, localAddress, clientAddress, clientPort } = connection;
  if (method === 'snat') {
    const text = `source ${ip.source} becomes ${localAddress}, quoted destination ${formatEndpoint(clientAddress, clientPort)} becomes ${local(connection)}, ICMP checksum anew`;
    return { method, text };
  }
  if (!teller.is('icmp-out')) return undefined;
  const text = `source ${ip.source} becomes ${virtualAddress}, quoted destination ${server(connection)} becomes ${virtual(connection)}, ICMP checksum anew`;
  return { method: 'nat', text };
}
