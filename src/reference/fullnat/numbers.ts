/**
 * Sequence numbers of FullNAT: many clients share a local address and its ports, so that each of their connections gets
 * an initial number that no other one had before (RFC 6528).
 *
 * @module
 */
import { type Address, addressBytes } from '../packet/address.js';
import { concatenate } from '../packet/checksum.js';
import type { IpPacket } from '../packet/ip.js';
import { TCP_FLAG, type TcpSegment } from '../packet/tcp.js';
import { sackEdges, tcpOptions } from '../packet/tcp-options.js';
import { siphash13 } from '../schedulers/siphash.js';
import { segmentIn, withSegment } from '../segment.js';
import type { ConnectionState } from '../states.js';
import type { LocalEnd } from './pools.js';

/** How the numbers of a client become those that its server sees. */
export interface Numbers {
  /** The number of the client's last SYN, as the client has it. */
  syn: number | undefined;
  /** What is added to the client's numbers, modulo 2^32. */
  delta: number;
}

/** Of SipHash: the seed of the director, the first eight bytes in front. */
export type Key = readonly [bigint, bigint];

/** The clock of initial numbers ticks each 4 us (RFC 9293 §3.4.1). */
const TICKS = 250;

/** States in which no end holds to numbers yet. */
const BEGINNING: readonly ConnectionState[] = ['NONE', 'SYN_SENT', 'SYN_RECV', 'SYNACK'];

/**
 * The initial number for a server: M + F (RFC 6528 §3).
 *
 * @param now milliseconds since the Unix epoch
 */
export function initialNumber(
  local: Pick<LocalEnd, 'address' | 'port'>,
  server: { address: Address; port: number },
  key: Key,
  now: number,
): number {
  const ports = Uint8Array.of(local.port >>> 8, local.port & 0xff, server.port >>> 8, server.port & 0xff, 0);
  const message = concatenate(addressBytes(local.address), addressBytes(server.address), ports);
  const clock = BigInt(Math.floor(now * TICKS));
  return Number(BigInt.asUintN(32, clock + siphash13(message, key)));
}

/**
 * A packet of the client: its SYN chooses the numbers. The same SYN again changes nothing, nor does another one once the
 * connection has begun.
 *
 * @param state before the packet
 * @param begin the initial number for the server
 */
export function hearSyn(packet: IpPacket, numbers: Numbers, state: ConnectionState, begin: () => number): void {
  const segment = segmentIn(packet);
  if (segment === undefined || !hasFlag(segment, 'syn') || hasFlag(segment, 'ack')) return;
  const isAnother = numbers.syn !== segment.sequence;
  numbers.syn = segment.sequence;
  if (isAnother && BEGINNING.includes(state)) numbers.delta = (begin() - segment.sequence) >>> 0;
}

/** A packet of the client with the numbers that the server sees. */
export function towardsServer(packet: IpPacket, { delta }: Numbers, isPartial: boolean): IpPacket {
  const segment = segmentIn(packet);
  if (segment === undefined || delta === 0) return packet;
  return withSegment(packet, { ...segment, sequence: (segment.sequence + delta) >>> 0 }, isPartial);
}

/** A packet of the server that acknowledges the client's own numbers, selectively too. */
export function towardsClient(packet: IpPacket, { delta }: Numbers, isPartial: boolean): IpPacket {
  const segment = segmentIn(packet);
  if (segment === undefined || delta === 0 || !hasFlag(segment, 'ack')) return packet;
  const rest = segment.rest.slice();
  const view = new DataView(rest.buffer);
  for (const at of sackEdges(tcpOptions(segment).options)) view.setUint32(at, view.getUint32(at) - delta);
  return withSegment(packet, { ...segment, acknowledgment: (segment.acknowledgment - delta) >>> 0, rest }, isPartial);
}

function hasFlag({ flags }: TcpSegment, name: keyof typeof TCP_FLAG): boolean {
  return (flags & TCP_FLAG[name]) !== 0;
}
