/**
 * Connections behind the SYN proxy: their ends have agreed with the director, and not with each other.
 *
 * @module
 */
import type { Connection } from '../connection.js';
import type { IpPacket } from '../packet/ip.js';
import { hasFlag, type TcpSegment } from '../packet/tcp.js';
import { sackEdges, TCP_OPTION, tcpOptions } from '../packet/tcp-options.js';
import { segmentIn, withSegment } from '../segment.js';
import type { Agreed } from './cookie.js';
import type { Kept } from './kept.js';
import type { Row } from './storm.js';

/** What such a connection has besides. */
export interface Proxied {
  /** The number of the client's SYN, and the one that answered it. */
  isn: number;
  cookie: number;
  agreed: Agreed;
  /** The scale of windows that the client was told; 0: none. */
  scale: number;
  /** Of the client's answer. */
  window: number;
  stamp: number;
  /** How often its server may be asked again; `undefined`: it has answered. */
  retries: number | undefined;
  /** The scale of the server's windows; `undefined`: it has none. */
  serverScale: number | undefined;
  /** What is added to the server's numbers, and to its timestamps, modulo 2^32. */
  shift: number;
  stampShift: number;
  /** What the client has sent before its server has answered, in order. */
  kept: Kept[];
  /** Acknowledgments of the client that are all the same. */
  row: Row | undefined;
}

const LARGEST_WINDOW = 0xffff;
const STAMP_LENGTH = 10;

/** Whether its server has not answered yet. */
export function isAsking({ proxied }: Pick<Connection, 'proxied'>): boolean {
  return proxied?.retries !== undefined;
}

/** A client's packet as its server can read it. */
export function proxiedIn(packet: IpPacket, { proxied }: Connection, isPartial: boolean): IpPacket {
  const segment = proxied && segmentIn(packet);
  if (segment === undefined) return packet;
  return withSegment(packet, towardsServer(segment, proxied!), isPartial);
}

/** A server's packet as its client can read it. */
export function proxiedOut(packet: IpPacket, { proxied }: Connection, isPartial: boolean): IpPacket {
  const segment = proxied && segmentIn(packet);
  if (segment === undefined) return packet;
  return withSegment(packet, towardsClient(segment, proxied!), isPartial);
}

function towardsServer(segment: TcpSegment, proxied: Proxied): TcpSegment {
  const isAnswer = hasFlag(segment, 'ack');
  const back = (number: number): number => (number - proxied.shift) >>> 0;
  const { options } = tcpOptions(segment);
  const rest = segment.rest.slice();
  const view = new DataView(rest.buffer);
  if (isAnswer) for (const at of sackEdges(options)) view.setUint32(at, back(view.getUint32(at)));
  // Without ACK nobody looks at the echo (RFC 7323 §3.2).
  const echoes = isAnswer ? stampsOf(segment).map((at) => at + 4) : [];
  for (const at of echoes) view.setUint32(at, view.getUint32(at) - proxied.stampShift);
  return {
    ...segment,
    acknowledgment: isAnswer ? back(segment.acknowledgment) : segment.acknowledgment,
    window: hasFlag(segment, 'syn') ? segment.window : windowForServer(segment.window, proxied),
    rest,
  };
}

function towardsClient(segment: TcpSegment, proxied: Proxied): TcpSegment {
  const rest = segment.rest.slice();
  const view = new DataView(rest.buffer);
  for (const at of stampsOf(segment)) view.setUint32(at, view.getUint32(at) + proxied.stampShift);
  return {
    ...segment,
    sequence: (segment.sequence + proxied.shift) >>> 0,
    window: hasFlag(segment, 'syn')
      ? segment.window
      : windowForClient(segment.window, proxied.serverScale ?? 0, proxied.scale),
    rest,
  };
}

/** Where behind the fixed header the values of timestamps stand. */
function stampsOf(segment: TcpSegment): number[] {
  return tcpOptions(segment)
    .options.filter(({ kind, length }) => kind === TCP_OPTION.timestamp && length === STAMP_LENGTH)
    .map(({ at }) => at + 2);
}

/** A client scales its windows, but for a server that scales none. */
export function windowForServer(window: number, { agreed, serverScale }: Proxied): number {
  return serverScale === undefined ? scaledWindow(window, agreed.scale) : window;
}

/** A window with a scale in one without. */
export function scaledWindow(window: number, scale = 0): number {
  return Math.min(window * 2 ** scale, LARGEST_WINDOW);
}

/** A window in another scale; what is open does not close. */
export function windowForClient(window: number, scale: number, told: number): number {
  const bytes = window * 2 ** scale;
  return bytes === 0 ? 0 : Math.min(Math.max(Math.floor(bytes / 2 ** told), 1), LARGEST_WINDOW);
}
