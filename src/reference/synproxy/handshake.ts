/**
 * What the SYN proxy says to clients of no connection, and hears of them.
 *
 * @module
 */
import type { Connection, Tuple } from '../connection.js';
import { lowerMss } from '../fullnat/toa.js';
import { drop, type Host, type Judgement, local, type Received } from '../host.js';
import { leave, made, makeSegment, type SegmentEnds } from '../own.js';
import { familyOf } from '../packet/address.js';
import { checksumIsRight } from '../packet/checksum.js';
import { parseTcp, TCP_FLAG, TCP_LENGTH, type TcpSegment } from '../packet/tcp.js';
import { schedule } from '../schedule.js';
import { coveredByTcp, segmentIn } from '../segment.js';
import type { Service } from '../services.js';
import type { ReferenceOutcome } from '../types.js';
import { upperLayer } from '../upper.js';
import { type Agreed, clockFor, knownSize, makeCookie, readCookie } from './cookie.js';
import { handshakeOptions, readOffer } from './options.js';
import type { Proxied } from './proxied.js';

const { fin, syn, rst, ack } = TCP_FLAG;

/** Of a client that does not say how much it takes (RFC 9293 §3.7.1). */
const USUAL_MSS = { 4: 536, 6: 1220 } as const;

/** By how much the header of IPv6 is longer. */
const LONGER = { 4: 0, 6: 20 } as const;

/** The window of who takes data before there is a server. */
const OPEN_WINDOW = 0xffff;

/** Whether a segment begins a connection, and does nothing else. */
export function isPlainSyn({ packet }: Received): boolean {
  return flagsOf(parseTcp(upperLayer(packet)!.bytes)) === syn;
}

function flagsOf({ flags }: TcpSegment): number {
  return flags & (syn | ack | rst | fin);
}

/** A segment to a service behind the proxy, of no connection or in its place: a SYN is answered, who answers that gets a connection. */
export function hearStranger(host: Host, received: Received, service: Service, tuple: Tuple): Connection | Judgement {
  const segment = parseTcp(upperLayer(received.packet)!.bytes);
  const flags = flagsOf(segment);
  if (tuple.sourcePort === 0) return drop('client-port-zero');
  if (flags === syn) return answerSyn(host, received, service, tuple, segment);
  return (flags & ~fin) === ack ? hearAnswer(host, received, service, tuple, segment) : local('not-opening');
}

function answerSyn(
  host: Host,
  received: Received,
  { profile, carry }: Service,
  tuple: Tuple,
  segment: TcpSegment,
): Judgement {
  const { key, sysctl } = host;
  const { packet, now, interface: device } = received;
  if (segmentIn(packet) === undefined) return drop('transport-truncated');
  if (!isWhole(received)) return drop('tcp-checksum');
  const offer = readOffer(segment);
  const family = familyOf(tuple.source);
  const largest = sysctl.synproxy_mss - LONGER[family];
  const mss = carry === 'toa' ? lowerMss(largest, family) : largest;
  const stamps = offer.stamps !== undefined && sysctl.synproxy_timestamp !== 0 && profile === 'linux';
  const agreed = {
    mss: knownSize(Math.min(offer.mss || USUAL_MSS[family], mss)),
    scale: offer.scale,
    sack: offer.sack && sysctl.synproxy_sack !== 0,
    stamps,
  };
  const options = handshakeOptions({
    mss,
    sack: agreed.sack,
    ...(stamps && { stamps: [clockFor(key, tuple, now), offer.stamps![0]] as const }),
    ...(agreed.scale !== undefined && { scale: sysctl.synproxy_wscale }),
  });
  const answer = makeSegment(backOf(tuple), {
    sequence: makeCookie(key, tuple, segment.sequence, agreed, now),
    acknowledgment: (segment.sequence + 1) >>> 0,
    flags: syn | ack,
    window: sysctl.synproxy_defer === 0 ? 0 : OPEN_WINDOW,
    options,
  });
  const leaving = leave(host, answer, packet.source, device);
  if (leaving === 'local-boundary') return drop('no-route');
  return typeof leaving === 'string' ? drop(leaving) : become('syn-cookie', leaving);
}

/** What an answer to a cookie tells. */
export interface Answer {
  isn: number;
  agreed: Agreed;
  isEmpty: boolean;
}

/** The answer to a valid cookie that a segment is; who has no data may also ask for a window, with the number before. */
export function readAnswer({ key }: Host, { packet, now }: Received, tuple: Tuple): Answer | undefined {
  const segment = segmentIn(packet);
  if (segment === undefined || (flagsOf(segment) & ~fin) !== ack) return undefined;
  const isEmpty = segment.rest.length <= (segment.offsetAndReserved >>> 4) * 4 - TCP_LENGTH;
  const cookie = (segment.acknowledgment - 1) >>> 0;
  for (const isn of [(segment.sequence - 1) >>> 0, ...(isEmpty ? [segment.sequence] : [])]) {
    const agreed = readCookie(key, tuple, isn, cookie, now);
    if (agreed !== undefined) return { isn, agreed, isEmpty };
  }
  return undefined;
}

function hearAnswer(
  host: Host,
  received: Received,
  service: Service,
  tuple: Tuple,
  segment: TcpSegment,
): Connection | Judgement {
  const { sysctl } = host;
  const answer = readAnswer(host, received, tuple);
  if (answer === undefined) return local('bad-cookie');
  const { isn, agreed, isEmpty } = answer;
  if (!isWhole(received)) return drop('tcp-checksum');
  const isFin = (segment.flags & fin) !== 0;
  if (sysctl.synproxy_defer !== 0 && isEmpty && !isFin) return drop('syn-proxy-wait');
  const scheduled = schedule(host, received, service, tuple, tuple.destination, false, () => {
    const refusal = makeSegment(backOf(tuple), { sequence: segment.acknowledgment, flags: rst });
    return made('syn-proxy-reset', leave(host, refusal, tuple.source, received.interface));
  });
  if ('verdict' in scheduled) return scheduled;
  const proxied: Proxied = {
    ...{ isn, cookie: (segment.acknowledgment - 1) >>> 0, agreed },
    scale: agreed.scale === undefined ? 0 : sysctl.synproxy_wscale,
    window: segment.window,
    stamp: readOffer(segment).stamps?.[0] ?? 0,
    retries: sysctl.synproxy_retries,
    ...{ serverScale: undefined, shift: 0, stampShift: 0, kept: [], row: undefined },
  };
  return Object.assign(scheduled, { proxied, ftp: undefined });
}

/** Whether its checksum is right, or nobody's business yet. */
export function isWhole({ packet, partialChecksum }: Received): boolean {
  return partialChecksum !== false || checksumIsRight(coveredByTcp(packet, upperLayer(packet)!.bytes));
}

function backOf({ source, sourcePort, destination, destinationPort }: Tuple): SegmentEnds {
  return { source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort };
}

/** A frame in the place of the one that came. */
export function become(reason: string, leaving: Pick<ReferenceOutcome, 'outInterface' | 'frame'>): Judgement {
  const { outInterface, frame } = leaving;
  return { verdict: 'forward', reason, frame, partialChecksum: false, ...(outInterface && { outInterface }) };
}
