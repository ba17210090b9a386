/**
 * Sequence numbers of FullNAT: many clients share a local address and its ports, so that each of their connections gets
 * an initial number that no other one had before (RFC 6528); and a header of the PROXY protocol moves what the client sends.
 *
 * @module
 */
import { type Address, addressBytes } from '../packet/address.js';
import { concatenate } from '../packet/checksum.js';
import type { IpPacket } from '../packet/ip.js';
import { hasFlag, type TcpSegment } from '../packet/tcp.js';
import { sackEdges, tcpOptions } from '../packet/tcp-options.js';
import { siphash13 } from '../schedulers/siphash.js';
import { segmentIn } from '../segment.js';
import type { ConnectionState } from '../states.js';
import type { LocalEnd } from './pools.js';

/** How the numbers of a client become those that its server sees, and what the server has said of its own. */
export interface Numbers {
  /** The number of the client's last SYN, as the client has it. */
  syn: number | undefined;
  /** The one that `delta` was made for; `undefined`: the connection did not begin with a SYN. */
  initial: number | undefined;
  /** What is added to the client's numbers, modulo 2^32. */
  delta: number;
  /** Bytes in front of the client's stream. */
  readonly header: number;
  /** Whether they were sent. */
  headerSent: boolean;
  /** The number of the server's SYN-ACK. */
  server: number | undefined;
  /** How many bytes behind the SYN the server has acknowledged, the header's among them; the most of the first 2^31. */
  taken: number;
}

/** Those of a connection of which nothing was seen yet. */
export function noNumbers(header: number): Numbers {
  return { syn: undefined, initial: undefined, delta: 0, header, headerSent: false, server: undefined, taken: 0 };
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
  const { sequence } = segment;
  const isAnother = numbers.syn !== sequence;
  numbers.syn = sequence;
  if (!isAnother || !BEGINNING.includes(state)) return;
  Object.assign(numbers, noNumbers(numbers.header), { syn: sequence, initial: sequence });
  numbers.delta = (begin() - sequence) >>> 0;
}

/** A segment of the server: what it calls itself, and how much it has got. */
export function hearServersNumbers(segment: TcpSegment, numbers: Numbers): void {
  if (!hasFlag(segment, 'ack')) return;
  if (hasFlag(segment, 'syn')) numbers.server = segment.sequence;
  if (numbers.initial === undefined) return;
  const taken = (segment.acknowledgment - numbers.delta - numbers.initial - 1) | 0;
  // Nobody can have got of the header what was not sent.
  if (numbers.header === 0 || numbers.headerSent) numbers.taken = Math.max(numbers.taken, taken);
}

/** Whether a header still has to go in front of a segment of the client, which begins the stream. */
export function needsHeader(segment: TcpSegment, numbers: Numbers): boolean {
  const { initial, header, taken } = numbers;
  if (initial === undefined || taken >= header) return false;
  const isOfStream = hasFlag(segment, 'ack') && !hasFlag(segment, 'syn') && !hasFlag(segment, 'rst');
  return isOfStream && segment.sequence === (initial + 1) >>> 0;
}

/** Whether the server has the whole header: all numbers are behind it then, however far behind the SYN. */
export function hasHeader({ header, taken }: Numbers): boolean {
  return header > 0 && taken >= header;
}

/**
 * Whether a segment of the client has data where the header belongs, as long as the server does not have it: a client could name itself.
 * The byte of a keepalive is none.
 */
export function isInHeadersPlace(segment: TcpSegment, numbers: Numbers): boolean {
  const { initial, header } = numbers;
  if (initial === undefined || header === 0 || hasHeader(numbers)) return false;
  const data = segment.rest.length - ((segment.offsetAndReserved >>> 4) * 4 - 20);
  if (hasFlag(segment, 'syn')) return data > 0;
  const before = (segment.sequence - initial - 1) | 0;
  return before < 0 && before >= -(2 ** 31) + header && data > (before === -1 ? 1 : 0);
}

/** A client's segment with the numbers that its server sees; one that a header goes in front of has that one's. */
export function towardsServer(segment: TcpSegment, numbers: Numbers): TcpSegment {
  const { delta, header, headerSent, initial } = numbers;
  // Who gives up before anything of the stream was sent speaks of the header's place.
  const isBefore = needsHeader(segment, numbers) || (hasFlag(segment, 'rst') && !headerSent);
  const isBehind = initial !== undefined && (hasHeader(numbers) || ((segment.sequence - initial) | 0) > 0);
  const shift = isBehind && !isBefore ? delta + header : delta;
  return { ...segment, sequence: (segment.sequence + shift) >>> 0 };
}

/** A server's segment that acknowledges the client's own numbers, selectively too. */
export function towardsClient(segment: TcpSegment, numbers: Numbers): TcpSegment {
  if (!hasFlag(segment, 'ack')) return segment;
  const rest = segment.rest.slice();
  const view = new DataView(rest.buffer);
  const back = (number: number): number => acknowledged(number, numbers);
  for (const at of sackEdges(tcpOptions(segment).options)) view.setUint32(at, back(view.getUint32(at)));
  return { ...segment, acknowledgment: back(segment.acknowledgment), rest };
}

/** A number of the client that the server acknowledges; of the header the client knows nothing. */
function acknowledged(number: number, { delta, header, initial, taken }: Numbers): number {
  if (initial === undefined || header === 0) return (number - delta) >>> 0;
  const first = (initial + 1) >>> 0;
  const place = (number - delta - first) >>> 0;
  if (place < header && taken < header) return first;
  const isOfStream = taken >= header || ((number - delta - initial) | 0) > 0;
  return (isOfStream ? number - delta - header : number - delta) >>> 0;
}

/** The client's own number of a segment that its server got, as an error quotes it. */
export function quotedNumber(number: number, { delta, header, initial, taken }: Numbers): number {
  if (initial === undefined || header === 0) return (number - delta) >>> 0;
  if (taken >= header) return (number - delta - header) >>> 0;
  const behind = (number - delta - initial - 1) | 0;
  // The SYN, and what stands in or behind the header.
  if (behind >= -1 && behind < header) return (initial + 1 + Math.min(0, behind)) >>> 0;
  const isOfStream = ((number - delta - initial) | 0) > 0;
  return (isOfStream ? number - delta - header : number - delta) >>> 0;
}
