/**
 * ICMP and ICMPv6 errors about packets of connections: to whom they go, and as what.
 *
 * @module
 */
import { type Connection, isTranslated } from './connections.js';
import { countReply, countRequest } from './counts.js';
import { sendErrorBack } from './fullnat/back.js';
import { mtuForClient } from './fullnat/carry.js';
import { quotedNumber } from './fullnat/numbers.js';
import { drop, type Host, type Judgement, local, type Received } from './host.js';
import { ICMP_LENGTH } from './packet/icmp.js';
import { type IpPacket, ipLength, isIpv6 } from './packet/ip.js';
import {
  hasPorts,
  icmpChecksumIsRight,
  isRelated,
  lacksPorts,
  type Quote,
  quotedTuple,
  readQuote,
  reversed,
  translateError,
} from './quote.js';
import { relay } from './relay.js';
import { endOnce, schedule } from './schedule.js';
import { given, send } from './transmit.js';

/** An ICMP message and the packet that it quotes. */
export interface Report {
  received: Received;
  message: Uint8Array;
  quote: Quote;
}

/** An ICMP message to the host. */
export function judgeOwnError(host: Host, received: Received, message: Uint8Array): Judgement {
  const report = readReport(host, received, message);
  if ('verdict' in report) return report;
  const answered = findAnswered(host, report.quote);
  if (answered !== undefined) {
    if (answered.fullnat !== undefined && !host.network.isLocal(answered.clientAddress)) {
      return sendErrorBack(host, received, answered, () => translateBack(report, answered));
    }
    const changed = translateBack(report, answered);
    if ('verdict' in changed) return changed;
    return { ...local('local-client'), frame: given(received, changed.translate(received.packet)) };
  }
  return relay(host, report) ?? toServer(host, report) ?? local('local-delivery');
}

/** An ICMP message that passes, on its last way; it comes back as it leaves. */
export function judgePassingError(
  host: Host,
  received: Received,
  message: Uint8Array,
): { packet: IpPacket; reason: string } | Judgement {
  const report = readReport(host, received, message);
  if ('verdict' in report) {
    return report.verdict === 'drop' ? report : { packet: received.packet, reason: 'routed' };
  }
  const sent = toServer(host, report);
  // What passes does not go to the host itself.
  if (sent !== undefined) return sent.verdict === 'local' ? drop('local-boundary') : sent;
  const answered = findAnswered(host, report.quote);
  if (answered === undefined) return { packet: received.packet, reason: 'routed' };
  if (answered.fullnat !== undefined) {
    return sendErrorBack(host, received, answered, () => translateBack(report, answered));
  }
  const changed = translateBack(report, answered);
  return 'verdict' in changed ? changed : { packet: changed.translate(received.packet), reason: 'icmp-out' };
}

function readReport(host: Host, received: Received, message: Uint8Array): Report | Judgement {
  const { packet } = received;
  // Without a service of the family Linux has no hooks for it.
  if (!host.services.any(isIpv6(packet) ? 6 : 4)) return local('local-delivery');
  if (message.length < ICMP_LENGTH) return drop('transport-truncated');
  if (!isRelated(packet, message[0]!)) return local('local-delivery');
  const quote = readQuote(message.subarray(ICMP_LENGTH), isIpv6(packet));
  return quote === undefined ? local('local-delivery') : { received, message, quote };
}

/** The connection by NAT or FullNAT to whose server the quoted packet went. */
function findAnswered(host: Host, quote: Quote): Connection | undefined {
  const tuple = quotedTuple(quote);
  return tuple === undefined ? undefined : host.connections.findReply(reversed(tuple));
}

/** An error from the server's side: whoever sent it, for the client it comes from the virtual address. */
function translateBack(
  { received, message, quote }: Report,
  connection: Connection,
): { translate(packet: IpPacket): IpPacket } | Judgement {
  if (!icmpChecksumIsRight(received.packet, message)) return drop('icmp-checksum');
  countReply(ipLength(received.packet), connection);
  const { virtualAddress: source, virtualPort, clientAddress, clientPort, fullnat } = connection;
  const quoted = { destination: source, destinationPort: virtualPort };
  if (fullnat === undefined)
    return { translate: (packet) => translateError(packet, message, quote, { source }, quoted) };
  const client = {
    source: clientAddress,
    sourcePort: clientPort,
    number: (sent: number) => quotedNumber(sent, fullnat.numbers),
  };
  const ends = { source, destination: clientAddress };
  const told = lessened(message, isIpv6(received.packet), (mtu) => mtuForClient(mtu, connection));
  return { translate: (packet) => translateError(packet, told, quote, ends, { ...quoted, ...client }) };
}

/** The message with another MTU, if it tells one. */
function lessened(message: Uint8Array, isV6: boolean, change: (mtu: number) => number): Uint8Array {
  const [type, code] = message;
  const changed = message.slice();
  const view = new DataView(changed.buffer);
  if (isV6 && type === 2) view.setUint32(4, change(view.getUint32(4)));
  if (!isV6 && type === 3 && code === 4) view.setUint16(6, change(view.getUint16(6)));
  return changed;
}

/** An error from the client's side, about a packet from the virtual address: it goes to the server. */
function toServer(host: Host, { received, message, quote }: Report): Judgement | undefined {
  const tuple = quotedTuple(quote);
  const found = tuple === undefined ? undefined : host.connections.findRequest(reversed(tuple));
  const connection = found ?? openFor(host, received, quote);
  if (connection === undefined || 'verdict' in connection) return connection;
  // Only NAT and FullNAT over IPv4 look at the checksum; over IPv6 a wrong one is made right.
  const isVerified = isTranslated(connection) && !isIpv6(received.packet);
  if (isVerified && !icmpChecksumIsRight(received.packet, message)) {
    endOnce(host, connection);
    return drop('icmp-checksum');
  }
  countRequest(ipLength(received.packet), connection);
  if (!isTranslated(connection)) connection.inPackets += 1;
  const { destAddress, destPort, fullnat } = connection;
  const local = fullnat && { destination: fullnat.local.address, destinationPort: fullnat.local.port };
  const ends = { destination: destAddress, ...(local && { source: local.destination }) };
  const quoted = { source: destAddress, sourcePort: destPort, ...local };
  const judgement = send(host, received, connection, {
    translate: (packet) => [translateError(packet, message, quote, ends, quoted)],
    reason: 'icmp-in',
    isError: true,
    isCut: false,
  });
  endOnce(host, connection);
  return judgement;
}

/** `schedule_icmp`: an error may open the connection that it speaks of. AH and ESP open nothing, as elsewhere. */
function openFor(host: Host, received: Received, quote: Quote): Connection | Judgement | undefined {
  if (host.sysctl.schedule_icmp === 0) return undefined;
  if (lacksPorts(quote)) return drop('transport-truncated');
  const quoted = hasPorts(quote) ? quotedTuple(quote) : undefined;
  if (quoted === undefined) return undefined;
  const tuple = reversed(quoted);
  const service = host.services.find(received.mark, tuple.protocol, tuple.destination, tuple.destinationPort);
  if (service === undefined) return undefined;
  // The packet that it quotes goes to the client: schedulers that ask for a destination get that.
  const made = schedule(host, received, service, tuple, quoted.destination, true);
  return 'verdict' in made && made.verdict === 'local' ? undefined : made;
}
