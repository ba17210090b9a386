/**
 * Addressed to this host: IPVS's work in the request direction.
 *
 * @module
 */
import { formatEndpoint } from '../address.js';
import type { ConnectionInfo, ServiceInfo } from '../director.js';
import { choiceText } from './choice.js';
import { errorIn } from './errors.js';
import { assembled } from './fragments.js';
import { returned } from './fullnat.js';
import { toServer } from './leave.js';
import { type IpFacts, protocolWord } from './packet.js';
import { bringsCookie, sendOwn } from './synproxy.js';
import type { Teller } from './teller.js';
import {
  connectionText,
  destinationOf,
  flowOf,
  isBypass,
  isRequest,
  isTemplateOf,
  server,
  serviceFor,
  serviceText,
} from './words.js';

/** What has connections. */
export const TRANSPORT: readonly string[] = ['TCP', 'UDP', 'SCTP'];
/** They follow the connection of the key exchange (ISAKMP, UDP port 500). */
const IPSEC = ['AH', 'ESP'];
const ISAKMP = 500;
/** Where a packet ends that opens a connection, or should, though there is one: that is over. */
const BEGINNING = ['syn-cookie', 'syn-proxied', 'not-opening', 'drop-packet', 'no-dest', 'table-full', 'no-local-port'];

/** Tells the INPUT hook and what follows from it. */
export function local(teller: Teller, offered: IpFacts): void {
  teller.hook('INPUT');
  const { connections, outcome } = teller.input;
  const ip = offered.version === 4 ? assembled(teller, offered) : offered;
  if (ip === undefined || returned(teller, ip)) return;
  if (ip.icmp?.isError) {
    const found = errorIn(teller, ip);
    if (found !== undefined) toServer(teller, ip, found.connection, found.text);
    return;
  }
  const word = protocolWord(ip);
  if (IPSEC.includes(word)) {
    ipsec(teller, ip);
    return;
  }
  const known = connections.find((one) => isRequest(one, ip));
  if (!TRANSPORT.includes(word) && known === undefined) return void teller.end(word);
  const found = known === undefined ? 'none' : connectionText(known);
  teller.line(`connection ${flowOf(ip)}`, found);
  if (teller.is('transport-truncated')) return void teller.end(`${word} header`);
  if (teller.is('dest-unavailable')) return void teller.end('its server');
  if (known === undefined || teller.is(...BEGINNING)) {
    if (!opened(teller, ip)) return;
  } else {
    stateLine(teller, ip, known);
    if (teller.is('syn-proxy-held', 'syn-proxy-wait', 'ack-storm')) return void teller.end('SYN proxy');
  }
  toServer(teller, ip, outcome.connection ?? known ?? onceConnection(teller, ip));
}

/** A packet of no connection: service, scheduler, and the connection that it opens; false when it ended here, or was replaced. */
export function opened(
  teller: Teller,
  ip: IpFacts,
  service = serviceFor(teller.input.services, ip, teller.input.mark),
): boolean {
  const { outcome } = teller.input;
  const word = protocolWord(ip);
  if (service === undefined) return teller.end(`service ${word} ${destinationOf(ip)}`) ?? false;
  const { length } = service.dests;
  const count = length === 1 ? '1 server' : `${length} servers`;
  teller.line(`service ${serviceText(service)}`, `scheduler ${service.scheduler}, ${count}`);
  const isProxied = service.synproxy === true && word === 'TCP';
  if (isProxied && !bringsCookie(teller, ip)) return false;
  const opening = isProxied ? undefined : openingText(ip);
  if (opening !== undefined) {
    if (teller.is('not-opening', 'no-connection', 'decapsulated', 'local-delivery'))
      return teller.end(opening) ?? false;
    teller.line(opening, 'may open a connection');
  }
  if (teller.is('drop-packet')) {
    const { drop_packet: mode, am_droprate: rate, amemthresh: least } = teller.input.sysctl;
    return (
      teller.end(mode === 3 ? `drop_packet 3, am_droprate ${rate}` : `drop_packet ${mode}, amemthresh ${least}`) ??
      false
    );
  }
  if (teller.is('ftp-data')) return teller.end(`source port ${ip.sourcePort}`) ?? false;
  if (teller.is('no-call-id')) return teller.end('Call-ID') ?? false;
  const template = templateOf(teller, service, ip);
  const scheduler = `scheduler ${service.scheduler}`;
  const made = outcome.connection ?? onceConnection(teller, ip);
  if (teller.is('no-dest') || made === undefined) return teller.end(scheduler) ?? false;
  if (isBypass(made)) teller.line(scheduler, 'no server: net.ipv4.vs.cache_bypass = 1');
  else if (template === undefined)
    teller.line(
      scheduler,
      `${made.method === 'snat' ? made.localAddress : server(made)}: ${choiceText(service, { client: ip.source, clientPort: ip.sourcePort ?? 0, destination: ip.destination })}`,
    );
  for (const one of teller.input.evicted ?? []) {
    const kind = one.template === true ? 'the template of' : `${one.state} of`;
    teller.line('full table', `${kind} ${formatEndpoint(one.clientAddress, one.clientPort)} makes room`);
  }
  const life = outcome.connection === undefined ? 'for this packet alone' : `expires in ${Math.round(made.expires)} s`;
  teller.line('new connection', `${made.state}, ${made.method}, ${life}`);
  if (!isProxied) return true;
  sendOwn(teller, made.destAddress, made, service);
  return false;
}

/** Tells of a persistent service's template; `undefined` when a scheduler has to choose. */
function templateOf(teller: Teller, service: ServiceInfo, ip: IpFacts): ConnectionInfo | undefined {
  if (service.persistent === undefined) return undefined;
  const { connections, connectionsAfter = [] } = teller.input;
  const isOf = (one: ConnectionInfo): boolean => one.template === true && isTemplateOf(one, service, ip);
  const used = connectionsAfter.filter(isOf).sort((a, b) => b.expires - a.expires)[0];
  const known = connections.find(
    (one) => isOf(one) && one.destAddress === used?.destAddress && sameTemplate(one, used),
  );
  const looked = `template ${used === undefined ? ip.source : formatEndpoint(used.clientAddress, 0)}`;
  const call = used?.pe === undefined ? '' : `Call-ID ${used.pe.data}, `;
  if (known === undefined) teller.line(looked, `${call}none`);
  else teller.line(looked, `${call}${known.state}, server ${formatEndpoint(known.destAddress, known.destPort)}`);
  return known;
}

function sameTemplate(a: ConnectionInfo, b: ConnectionInfo): boolean {
  return a.virtualPort === b.virtualPort && a.clientAddress === b.clientAddress && a.pe?.data === b.pe?.data;
}

/** The connection of a packet that had one for itself. */
function onceConnection({ input: { once } }: Teller, ip: IpFacts): ConnectionInfo | undefined {
  if (once === undefined) return undefined;
  return {
    protocol: 'udp',
    clientAddress: ip.source,
    clientPort: ip.sourcePort ?? 0,
    virtualAddress: ip.destination,
    virtualPort: ip.destinationPort ?? 0,
    destAddress: once.address,
    destPort: once.port || (ip.destinationPort ?? 0),
    method: once.method,
    state: 'UDP',
    expires: 0,
    idle: 0,
    inPackets: 1,
  };
}

/** What decides whether a packet may open a connection; UDP always does. */
function openingText({ tcpFlags, chunks }: IpFacts): string | undefined {
  if (tcpFlags !== undefined) return `TCP flags ${tcpFlags}`;
  return chunks === undefined ? undefined : chunksText(chunks);
}

function chunksText(chunks: readonly string[]): string {
  return chunks.length === 1 ? `SCTP chunk ${chunks[0]}` : `SCTP chunks ${chunks.join(', ') || 'none'}`;
}

/** Tells the state of a connection when the packet changed it. */
export function stateLine(teller: Teller, ip: IpFacts, before: ConnectionInfo): void {
  const after = teller.input.outcome.connection;
  if (after === undefined || after.state === before.state) return;
  const expires = `expires in ${Math.round(after.expires)} s`;
  const table = ip.tcpFlags !== undefined && teller.input.sysctl.secure_tcp >= 2 ? ' (secure_tcp)' : '';
  teller.line(openingText(ip) ?? protocolWord(ip), `${before.state} becomes ${after.state}${table}, ${expires}`);
}

function ipsec(teller: Teller, ip: IpFacts): void {
  const { connections, outcome } = teller.input;
  const exchange: IpFacts = { ...ip, protocol: 17, sourcePort: ISAKMP, destinationPort: ISAKMP };
  const known = connections.find((one) => isRequest(one, exchange));
  const looked = `${protocolWord(ip)}, connection ${flowOf(exchange)}`;
  if (known === undefined) return void teller.end(looked);
  teller.line(looked, connectionText(known));
  const connection = outcome.connection ?? known;
  const { method, destAddress } = connection;
  toServer(
    teller,
    ip,
    connection,
    method === 'nat' ? `destination ${ip.destination} becomes ${destAddress}` : undefined,
  );
}
