/**
 * ICMP errors about the director's own tunnel packets over IPv4: the client hears of them in the words of its own packet.
 *
 * @module
 */
import { answerWith } from './answer.js';
import type { Connection } from './connection.js';
import { countReply } from './counts.js';
import { drop, type Host, type Judgement, local } from './host.js';
import { ICMP_TYPE, parseIcmp } from './packet/icmp.js';
import { icmpChecksumIsRight, type Quote, quotedHeader, quotedTuple, readQuote } from './quote.js';
import type { Report } from './related.js';
import { UPPER } from './upper.js';

const IPIP = 4;
const UDP_LENGTH = 8;
const FRAGMENTATION_NEEDED = 4;
const ETHERTYPE_IPV4 = 0x0800;

/** Every host must take packets of this size (RFC 791 §3.2). */
const SMALLEST_MTU = 68;

/** The verdict on an error about a tunnel to one of the dests; `undefined` when it is about something else. */
export function relay(host: Host, { received, message, quote }: Report): Judgement | undefined {
  const overhead = tunnelLength(host, quote);
  const inner = overhead === undefined ? undefined : readQuote(quote.bytes.subarray(overhead), false);
  if (overhead === undefined) return undefined;
  const tuple = inner && quotedTuple(inner);
  const connection = tuple && host.connections.findRequest(tuple);
  if (inner === undefined || connection === undefined) return local('local-delivery');
  if (!icmpChecksumIsRight(received.packet, message, received.partialChecksum)) return drop('icmp-checksum');

  const { type, code, rest } = parseIcmp(message);
  const isAboutMtu = type === ICMP_TYPE.destinationUnreachable && code === FRAGMENTATION_NEEDED;
  const announced = rest & 0xffff;
  const route = host.network.route(quote.destination);
  if (isAboutMtu && route !== undefined) host.paths.learn(quote.destination, announced, route.mtu, received.now);
  // Who lets the network cut its packets needs no MTU.
  if (isAboutMtu && !inner.dontFragment) return drop('icmp-consumed');
  const words = { reason: 'icmp-relayed', type, code };
  const told = isAboutMtu ? innerMtu(connection, announced, overhead, received.now) : rest;
  // Nobody has read the options that are quoted, so that none are taken over.
  const about = { ...quotedHeader(inner), options: new Uint8Array(0) };
  const made = answerWith(host, { ...words, rest: told }, about, received.interface, inner.bytes);
  countReply(inner.bytes.length, connection);
  return drop('icmp-consumed', made);
}

/** Bytes in front of the inner IPv4 packet; `undefined` when the quoted packet is not one of ours in a tunnel. */
function tunnelLength(host: Host, quote: Quote): number | undefined {
  const { destination, protocol, offset, isLaterFragment } = quote;
  if (quote.isIpv6 || isLaterFragment) return undefined;
  const headers = quote.bytes.subarray(offset);
  const port = protocol === UPPER.udp ? word(headers, 2) : 0;
  const type = host.services.ends.tunnelTo(destination, port);
  switch (protocol) {
    case IPIP:
      return type === 'ipip' ? offset : undefined;
    case UPPER.gre: {
      const gre = greLength(headers);
      return type === 'gre' && gre !== undefined ? offset + gre : undefined;
    }
    case UPPER.udp: {
      const gue = gueLength(headers.subarray(UDP_LENGTH));
      return type === 'gue' && gue !== undefined ? offset + UDP_LENGTH + gue : undefined;
    }
    default:
      return undefined;
  }
}

/** Version 0, data, and IPv4 within. */
function gueLength(header: Uint8Array): number | undefined {
  const [first, protocol] = header;
  if (first === undefined || first >>> 5 !== 0 || protocol !== IPIP) return undefined;
  return 4 + (first & 0x1f) * 4;
}

/** No more than a checksum, and IPv4 within. */
function greLength(header: Uint8Array): number | undefined {
  if (header.length < 4 || (word(header, 0) & 0x7fff) !== 0 || word(header, 2) !== ETHERTYPE_IPV4) return undefined;
  return word(header, 0) === 0 ? 4 : 8;
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** The largest packet for the tunnel, by the way that the dest's last packet went, else by what was announced. */
function innerMtu({ dest }: Connection, announced: number, overhead: number, now: number): number {
  const { mtu: own, path } = dest?.way ?? { mtu: announced, path: undefined };
  const mtu = path !== undefined && now < path.expiresAt ? Math.min(own, path.mtu) : own;
  return mtu > SMALLEST_MTU + overhead ? mtu - overhead : mtu;
}
