/**
 * What a director reads of the headers behind IP's, however short they are.
 *
 * @module
 */
import type { Tuple } from './connection.js';
import type { Address } from './packet/address.js';
import type { IpPacket } from './packet/ip.js';
import { SCTP_LENGTH, sctpChunks } from './packet/sctp.js';
import { parseTcp, TCP_FLAG, TCP_LENGTH } from './packet/tcp.js';
import { UDP_LENGTH } from './packet/udp.js';
import { messageTuple, readMessage } from './queries.js';
import { sctpEvent, type TransportEvent } from './states.js';
import type { ReferenceConnectionProtocol, ReferenceProtocol } from './types.js';
import { UPPER, upperLayer } from './upper.js';

/** The transport header of a packet, as far as it is there. */
export interface Transport {
  protocol: ReferenceConnectionProtocol;
  /** `undefined` when not even the ports are there. AH and ESP have those of the key exchange that they follow. */
  tuple: Tuple | undefined;
  /** Whether it is AH or ESP. */
  isSecured: boolean;
  /** Whether the fixed header is cut short. */
  truncated: boolean;
  /** What it says to the state of its connection; `undefined` when it is too short to say anything, and of AH and ESP. */
  event: TransportEvent | undefined;
  /** Type of the first chunk of SCTP, if there is one. */
  chunk: number | undefined;
}

/** Port at both ends of ISAKMP (RFC 2408 §2.5.1). */
const ISAKMP_PORT = 500;

const CHUNK = { init: 1, abort: 6 } as const;

const HEADER_LENGTH: Record<ReferenceProtocol, number> = { tcp: TCP_LENGTH, udp: UDP_LENGTH, sctp: SCTP_LENGTH };

/** The name of a transport that has connections. */
export function transportName(protocol: number): ReferenceProtocol | undefined {
  if (protocol === UPPER.tcp) return 'tcp';
  if (protocol === UPPER.udp) return 'udp';
  return protocol === UPPER.sctp ? 'sctp' : undefined;
}

/** Whether a protocol is AH or ESP. In IPv6 AH is an extension header, which no search for the protocol stops at. */
export function isSecurityProtocol(protocol: number): boolean {
  return protocol === UPPER.esp || protocol === UPPER.ah;
}

/**
 * The ends of a connection by the first bytes behind the IP headers; `undefined` where a transport is too short for its
 * ports, or the protocol has no connections, or the message of ICMP.
 */
export function readTuple(
  { source, destination }: { source: Address; destination: Address },
  protocol: number,
  bytes: Uint8Array,
): Tuple | undefined {
  if (isSecurityProtocol(protocol)) {
    return {
      protocol: 'udp',
      source,
      sourcePort: ISAKMP_PORT,
      destination,
      destinationPort: ISAKMP_PORT,
      isSecured: true,
    };
  }
  const message = readMessage({ source }, protocol, bytes);
  if (message !== undefined) return messageTuple({ source, destination }, message, bytes);
  const name = transportName(protocol);
  if (name === undefined || bytes.length < 4) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { protocol: name, source, sourcePort: view.getUint16(0), destination, destinationPort: view.getUint16(2) };
}

/** `undefined` when the packet is none that could belong to a connection: of ICMP each but whole queries and replies. */
export function readTransport(packet: IpPacket): Transport | undefined {
  const upper = upperLayer(packet);
  if (upper === undefined) return undefined;
  const { protocol, bytes, isLaterFragment } = upper;
  const tuple = readTuple(packet, protocol, bytes);
  if (isSecurityProtocol(protocol)) {
    return { protocol: 'udp', tuple, isSecured: true, truncated: false, event: undefined, chunk: undefined };
  }
  if (isLaterFragment) return undefined;
  if (tuple?.message !== undefined) {
    const { protocol } = tuple;
    return { protocol, tuple, isSecured: false, truncated: false, event: 'datagram', chunk: undefined };
  }
  const name = transportName(protocol);
  if (name === undefined) return undefined;
  const truncated = bytes.length < HEADER_LENGTH[name];
  const base = { protocol: name, tuple, isSecured: false, truncated, chunk: undefined };
  if (name === 'udp') return { ...base, event: 'datagram' };
  if (truncated) return { ...base, event: undefined };
  if (name === 'tcp') return { ...base, event: { tcpFlags: parseTcp(bytes).flags } };
  const [first, second] = sctpChunks(bytes.subarray(SCTP_LENGTH));
  if (first === undefined) return { ...base, event: undefined };
  return { ...base, event: { sctp: sctpEvent(first.type, second?.type) }, chunk: first.type };
}

/** Whether a packet may open a connection; `undefined` when it is too short to tell. */
export function mayOpen(transport: Transport, sloppy: { tcp: boolean; sctp: boolean }): boolean | undefined {
  const { event, chunk, truncated, isSecured } = transport;
  if (isSecured) return false;
  if (truncated || event === undefined) return undefined;
  if (chunk !== undefined) return chunk !== CHUNK.abort && (sloppy.sctp || chunk === CHUNK.init);
  if (event === 'datagram' || 'sctp' in event) return true;
  if ((event.tcpFlags & TCP_FLAG.rst) !== 0) return false;
  return sloppy.tcp || (event.tcpFlags & TCP_FLAG.syn) !== 0;
}

/** Whether a packet is the first of a connection, whatever else it says: a SYN or an INIT. */
export function isOpening({ event, chunk }: Transport): boolean {
  if (chunk !== undefined) return chunk === CHUNK.init;
  return event !== undefined && event !== 'datagram' && 'tcpFlags' in event && (event.tcpFlags & TCP_FLAG.syn) !== 0;
}

/** Whether a packet ends a connection at once: a RST or an ABORT, which nobody answers. */
export function isReset({ event, chunk }: Transport): boolean {
  if (chunk === CHUNK.abort) return true;
  return event !== undefined && event !== 'datagram' && 'tcpFlags' in event && (event.tcpFlags & TCP_FLAG.rst) !== 0;
}
