/**
 * ICMP and ICMPv6 errors about packets of connections: to whom they go, and as what.
 *
 * @module
 */
import { type Connection, isTranslated } from './connection.js';
import { countReply, countRequest } from './counts.js';
import { type ErrorTranslation, sendErrorBack } from './fullnat/back.js';
import { mtuForClient, type Room } from './fullnat/carry.js';
import { quotedNumber } from './fullnat/numbers.js';
import { drop, type Host, type Judgement, local, type Received, watches } from './host.js';
import { isNat64 } from './nat64/headers.js';
import { errorOverIpv4, errorOverIpv6 } from './nat64/quote.js';
import { ICMP_LENGTH, ICMP_TYPE } from './packet/icmp.js';
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

/** Of a packet that goes nowhere. */
const LONGEST = 0xffff;

/** An ICMP message to the host. */
export function judgeOwnError(host: Host, received: Received, message: Uint8Array): Judgement {
  const report = readReport(host, received, message);
  if ('verdict' in report) return report;
  const answered = findAnswered(host, report.quote);
  if (answered !== undefined) {
    if (answered.fullnat !== undefined) {
      return sendErrorBack(host, received, answered, () => translateBack(report, answered));
    }
    const changed = translateBack(report, answered);
    if ('verdict' in changed) return changed;
    const translated = changed(received.packet, LONGEST);
    if ('verdict' in translated) return translated;
    return { ...local('local-client'), frame: given(received, translated) };
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
  if (sent !== undefined) return sent;
  const answered = findAnswered(host, report.quote);
  if (answered === undefined) return { packet: received.packet, reason: 'routed' };
  if (answered.fullnat !== undefined) {
    return sendErrorBack(host, received, answered, () => translateBack(report, answered));
  }
  const changed = translateBack(report, answered);
  if ('verdict' in changed) return changed;
  const translated = changed(received.packet, LONGEST);
  return 'verdict' in translated ? translated : { packet: translated, reason: 'icmp-out' };
}

function readReport(host: Host, received: Received, message: Uint8Array): Report | Judgement {
  const { packet } = received;
  // Without a service of the family Linux has no hooks for it.
  if (!watches(host, isIpv6(packet) ? 6 : 4)) return local('local-delivery');
  if (message.length < ICMP_LENGTH) return drop('transport-truncated');
  const quote = readQuote(message.subarray(ICMP_LENGTH), isIpv6(packet));
  const isAbout = isRelated(packet, message[0]!) || (quote !== undefined && isProblemAcross(host, message, quote));
  return quote === undefined || !isAbout ? local('local-delivery') : { received, message, quote };
}

/** Of IPv4's parameter problems nobody takes notice but clients of IPv6. */
function isProblemAcross(host: Host, message: Uint8Array, quote: Quote): boolean {
  if (quote.isIpv6 || message[0] !== ICMP_TYPE.parameterProblem) return false;
  const answered = findAnswered(host, quote);
  return answered !== undefined && isNat64(answered);
}

/** The connection by NAT or FullNAT to whose server the quoted packet went. */
function findAnswered(host: Host, quote: Quote): Connection | undefined {
  const tuple = quotedTuple(quote);
  return tuple === undefined ? undefined : host.connections.findReply(reversed(tuple));
}

/** An error from the server's side: whoever sent it, for the client it comes from the virtual address. */
function translateBack({ received, message, quote }: Report, connection: Connection): ErrorTranslation | Judgement {
  if (!icmpChecksumIsRight(received.packet, message, received.partialChecksum)) return drop('icmp-checksum');
  countReply(ipLength(received.packet), connection);
  const { virtualAddress: source, virtualPort, clientAddress, clientPort, method, fullnat } = connection;
  const quoted = { destination: source, destinationPort: virtualPort };
  if (fullnat === undefined) return (packet) => translateError(packet, message, quote, { source }, quoted);
  const client = {
    source: clientAddress,
    sourcePort: clientPort,
    number: (sent: number) => quotedNumber(sent, fullnat.numbers),
  };
  // Clients of SNAT hear of all routers.
  const ends = { source: method === 'snat' ? received.packet.source : source, destination: clientAddress };
  const lessen = (mtu: number): number => mtuForClient(mtu, connection);
  if (isNat64(connection)) {
    const about = { destination: source, destinationPort: virtualPort, ...client };
    return (packet, mtu) =>
      errorOverIpv6(packet, message, quote, { ends, quoted: about, mtu, lessen }) ?? drop('icmp-untranslatable');
  }
  const told = lessened(message, isIpv6(received.packet), lessen);
  return (packet) => translateError(packet, told, quote, ends, { ...quoted, ...client });
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
  if (isVerified && !icmpChecksumIsRight(received.packet, message, received.partialChecksum)) {
    endOnce(host, connection);
    return drop('icmp-checksum');
  }
  countRequest(ipLength(received.packet), connection);
  if (!isTranslated(connection)) connection.inPackets += 1;
  const { destAddress, destPort, fullnat, proxied } = connection;
  const local = fullnat && { destination: fullnat.local.address, destinationPort: fullnat.local.port };
  const ends = { destination: destAddress, ...(local && { source: local.destination }) };
  const number = proxied && { number: (sent: number) => (sent - proxied.shift) >>> 0 };
  const quoted = { source: destAddress, sourcePort: destPort, ...local, ...number };
  const translate = (packet: IpPacket, { mtu }: Room): [IpPacket] | Judgement => {
    if (fullnat === undefined || !isNat64(connection)) return [translateError(packet, message, quote, ends, quoted)];
    const { profile } = fullnat;
    const across = { source: fullnat.local.address, destination: destAddress };
    const about = {
      source: destAddress,
      sourcePort: destPort,
      destination: across.source,
      destinationPort: fullnat.local.port,
      ...number,
    };
    const made = errorOverIpv4(packet, message, quote, { ends: across, quoted: about, profile, mtu });
    return made === undefined ? drop('icmp-untranslatable') : [made];
  };
  const judgement = send(host, received, connection, {
    translate,
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
  // Behind the SYN proxy connections begin with cookies alone.
  if (service === undefined || (service.synproxy && tuple.protocol === 'tcp')) return undefined;
  // The packet that it quotes goes to the client: schedulers that ask for a destination get that.
  const made = schedule(host, received, service, tuple, quoted.destination, true);
  return 'verdict' in made && made.verdict === 'local' ? undefined : made;
}
