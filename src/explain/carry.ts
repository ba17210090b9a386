/**
 * Telling a server of FullNAT who its client is: how a packet does it, or when packets do.
 *
 * @module
 */
import { formatEndpoint } from '../address.js';
import type { ConnectionInfo, ServiceInfo } from '../director.js';
import { type CarriedClient, decodeClient } from '../toa/index.js';
import { type IpFacts, protocolWord } from './packet.js';
import type { Teller } from './teller.js';

const TOA = "until the server's first data are acknowledged; without room only until the server has got any itself";
const PROXY = "it is in front of the client's first byte until the server has acknowledged it";
const UOA = 'it is in the first three datagrams, until the server answers';

/** Which packets name the client, by protocol, carrier and profile, where not all do. */
const WHEN: Readonly<Record<string, string>> = {
  'TCP toa': `it is in segments with ACK and neither SYN nor RST, ${TOA}`,
  'TCP toa alibaba': `it is in SYNs, and in segments with ACK and neither FIN nor RST, ${TOA}`,
  'TCP proxy-v1': PROXY,
  'TCP proxy-v2': PROXY,
  'UDP uoa-option': UOA,
  'UDP uoa-protocol': UOA,
};

/** Tells how a packet to the server, or one of the director's own in its place or ahead of it, names the client. */
export function carryLine(
  teller: Teller,
  ip: IpFacts,
  connection: ConnectionInfo,
  service: ServiceInfo | undefined,
): void {
  const { outcome, lost = false } = teller.input;
  if (connection.method !== 'fullnat' || outcome.verdict !== 'forward') return;
  const found = decodeClient(outcome.frame, teller.linkOf(outcome));
  if (found !== undefined && isTold(teller, ip, connection, service, found)) {
    const { carrier, address, port } = found;
    const client = formatEndpoint(address, port);
    teller.line(`carry ${carrier}`, `${formText(found, outcome.frame)}, client ${client}${sizeText(teller)}`);
    return;
  }
  if (service?.carry === undefined) return;
  const kind = `${protocolWord(ip)} ${service.carry}`;
  const when = WHEN[`${kind} ${service.profile}`] ?? WHEN[kind];
  if (when === undefined) return;
  teller.line(`carry ${service.carry}`, lost ? 'lost: there was room for it nowhere' : `not in this packet: ${when}`);
}

/** Whether the director has put it there: a client may name itself in its data, and in options where nobody takes these away. */
function isTold(
  teller: Teller,
  ip: IpFacts,
  { clientAddress, clientPort }: ConnectionInfo,
  service: ServiceInfo | undefined,
  { carrier, address, port }: CarriedClient,
): boolean {
  const { frame, interfaceName, outcome } = teller.input;
  if (address !== clientAddress || port !== clientPort) return false;
  if (teller.isReplaced || teller.is('client-address')) return true;
  const isInData = carrier === 'proxy-v1' || carrier === 'proxy-v2';
  const left = isInData && teller.pieces === 1 ? teller.factsOf(outcome) : undefined;
  if (left !== undefined) return left.totalLength > ip.totalLength;
  return service?.carry === carrier || decodeClient(frame, teller.linkOn(interfaceName)) === undefined;
}

function formText({ carrier, start, length }: CarriedClient, frame: Uint8Array): string {
  if (carrier === 'toa') return `kind ${frame[start]}, ${length} bytes`;
  if (carrier === 'uoa-option') return `IP option ${frame[start]}, ${length} bytes`;
  // Four bytes stand in front of the option there.
  if (carrier === 'uoa-protocol') return `header of protocol 248, ${length + 4} bytes`;
  return `${length} bytes in front of the data`;
}

/** How long what tells is, where it is not told elsewhere. */
function sizeText(teller: Teller): string {
  const length = teller.factsOf(teller.input.outcome)?.totalLength;
  if (teller.is('client-address')) {
    return `: in a packet of the director's own, ${length} bytes, that goes ahead, for the client's has no room for it`;
  }
  return teller.isReplaced || teller.pieces > 1 ? '' : `: ${length} bytes leave`;
}

/** Tells that the server's SYN-ACK leaves room for it. */
export function mssLine(teller: Teller, { mss }: IpFacts): void {
  const after = teller.factsOf(teller.input.outcome)?.mss;
  if (mss === undefined || after === undefined || after === mss) return;
  teller.line('carry toa', `MSS ${mss} becomes ${after}, so that the client leaves room for it`);
}
