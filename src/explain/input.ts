/**
 * Addressed to this host: IPVS's work in the request direction.
 *
 * @module
 */
import type { ConnectionInfo } from '../director.js';
import { choiceText } from './choice.js';
import { errorIn } from './errors.js';
import { assembled } from './fragments.js';
import { toServer } from './leave.js';
import { type IpFacts, protocolWord } from './packet.js';
import type { Teller } from './teller.js';
import { connectionText, destinationOf, flowOf, isBypass, isRequest, isService, server, serviceText } from './words.js';

const TRANSPORT = ['TCP', 'UDP', 'SCTP'];
/** They follow the connection of the key exchange (ISAKMP, UDP port 500). */
const IPSEC = ['AH', 'ESP'];
const ISAKMP = 500;

/** Tells the INPUT hook and what follows from it. */
export function local(teller: Teller, offered: IpFacts): void {
  teller.hook('INPUT');
  const { connections, outcome } = teller.input;
  const ip = offered.version === 4 ? assembled(teller, offered) : offered;
  if (ip === undefined) return;
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
  if (!TRANSPORT.includes(word)) return void teller.end(word);
  const known = connections.find((one) => isRequest(one, ip));
  const found = known === undefined ? 'none' : connectionText(known);
  teller.line(`connection ${flowOf(ip)}`, found);
  if (teller.is('transport-truncated', 'dest-unavailable')) return void teller.end(`${word} header`);
  if (known === undefined && !opened(teller, ip)) return;
  if (known !== undefined) stateLine(teller, ip, known);
  toServer(teller, ip, outcome.connection ?? known);
}

/** A packet of no connection: service, scheduler, and the connection that it opens; false when it ended here. */
function opened(teller: Teller, ip: IpFacts): boolean {
  const { services, outcome, mark } = teller.input;
  const word = protocolWord(ip);
  const service =
    services.find((one) => 'fwmark' in one && isService(one, ip, mark)) ??
    services.find((one) => !('fwmark' in one) && isService(one, ip, mark));
  if (service === undefined) return teller.end(`service ${word} ${destinationOf(ip)}`) ?? false;
  const { length } = service.dests;
  const count = length === 1 ? '1 server' : `${length} servers`;
  teller.line(`service ${serviceText(service)}`, `scheduler ${service.scheduler}, ${count}`);
  const opening = openingText(ip);
  if (opening !== undefined) {
    if (teller.is('not-opening', 'decapsulated', 'local-delivery')) return teller.end(opening) ?? false;
    teller.line(opening, 'may open a connection');
  }
  if (teller.is('ftp-data')) return teller.end(`source port ${ip.sourcePort}`) ?? false;
  const scheduler = `scheduler ${service.scheduler}`;
  const made = outcome.connection;
  if (teller.is('no-dest') || made === undefined) return teller.end(scheduler) ?? false;
  if (isBypass(made)) teller.line(scheduler, 'no server: net.ipv4.vs.cache_bypass = 1');
  else
    teller.line(
      scheduler,
      `${server(made)}: ${choiceText(service, { client: ip.source, clientPort: ip.sourcePort ?? 0, destination: ip.destination })}`,
    );
  teller.line('new connection', `${made.state}, ${made.method}, expires in ${Math.round(made.expires)} s`);
  return true;
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
  teller.line(openingText(ip) ?? protocolWord(ip), `${before.state} becomes ${after.state}, ${expires}`);
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
