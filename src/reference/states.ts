/**
 * Connection states and timeouts, as the tables of Linux IPVS have them.
 *
 * @module
 */
import { TCP_FLAG } from './packet/tcp.js';
import type { ReferenceConnectionProtocol } from './types.js';

/** The TCP states in the order of the columns below. */
export const TCP_STATES = [
  'NONE',
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'SYNACK',
] as const;

/** State of a TCP connection. */
export type TcpState = (typeof TCP_STATES)[number];

/** The SCTP states in the order of the columns of their tables. */
export const SCTP_STATES = [
  'NONE',
  'INIT1',
  'INIT',
  'C-SENT',
  'C-REPLIED',
  'C-WAIT',
  'COOKIE',
  'C-ECHOED',
  'ESTABLISHED',
  'S-SENT',
  'S-RECEIVED',
  'S-ACK-SENT',
  'REJECTED',
  'CLOSED',
] as const;

/** State of an SCTP connection. */
export type SctpState = (typeof SCTP_STATES)[number];

/** State of any connection; AH and ESP have none of their own: they follow a UDP one. */
export type ConnectionState = TcpState | SctpState | 'UDP';

/** The state of a connection of which nothing was seen. Queries of ICMP have UDP's. */
export function firstState(protocol: ReferenceConnectionProtocol): ConnectionState {
  return protocol === 'tcp' || protocol === 'sctp' ? 'NONE' : 'UDP';
}

/** `input-only`: client to server where no answer has ever been seen, as with DR and TUN. */
export type Direction = 'input' | 'output' | 'input-only';

/** What a segment does to the state. */
export type TcpEvent = 'syn' | 'fin' | 'ack' | 'rst';

/** What the first chunk of an SCTP packet does to the state; all that is not listed here is data. */
export type SctpEvent =
  | 'data'
  | 'init'
  | 'init-ack'
  | 'cookie-echo'
  | 'cookie-ack'
  | 'shutdown'
  | 'shutdown-ack'
  | 'shutdown-complete'
  | 'error'
  | 'abort';

const SHORT: Record<string, TcpState> = {
  NO: 'NONE',
  ES: 'ESTABLISHED',
  SS: 'SYN_SENT',
  SR: 'SYN_RECV',
  FW: 'FIN_WAIT',
  TW: 'TIME_WAIT',
  CL: 'CLOSE',
  CW: 'CLOSE_WAIT',
  LA: 'LAST_ACK',
  LI: 'LISTEN',
  SA: 'SYNACK',
};

/** Next states; one column for each state a connection may be in, in the order of {@link TCP_STATES}. */
const TABLES: Record<Direction, Record<TcpEvent, string>> = {
  // prettier-ignore
  input: {
    //   NO ES SS SR FW TW CL CW LA LI SA
    syn: 'SR ES ES SR SR SR SR SR SR SR SR',
    fin: 'CL CW SS TW TW TW CL CW LA LI TW',
    ack: 'ES ES SS ES FW TW CL CW CL LI ES',
    rst: 'CL CL CL SR CL CL CL CL LA LI SR',
  },
  output: {
    syn: 'SS ES SS SR SS SS SS SS SS LI SR',
    fin: 'TW FW SS TW FW TW CL TW LA LI TW',
    ack: 'ES ES SS ES FW TW CL CW LA ES ES',
    rst: 'CL CL SS CL CL TW CL CL CL CL CL',
  },
  'input-only': {
    syn: 'SR ES ES SR SR SR SR SR SR SR SR',
    fin: 'CL FW SS TW FW TW CL CW LA LI TW',
    ack: 'ES ES SS ES FW TW CL CW CL LI ES',
    rst: 'CL CL CL SR CL CL CL CL LA LI CL',
  },
};

/** Rows that are others while `secure_tcp` is on: the client's word alone establishes nothing. */
const SECURE: Record<Direction, Partial<Record<TcpEvent, string>>> = {
  // prettier-ignore
  input: {
    //   NO ES SS SR FW TW CL CW LA LI SA
    syn: 'SR ES ES SR SR SR SR SR SR SR SA',
    fin: 'CL CW SS TW TW TW CL CW LA LI SA',
    ack: 'ES ES SS SR FW TW CL CW CL LI SA',
    rst: 'CL CL CL SR CL CL CL CL LA LI CL',
  },
  output: { syn: 'SS ES SS SA SS SS SS SS SS LI SA' },
  'input-only': { syn: 'SA ES ES SR SA SA SA SA SA SA SA' },
};

/** What the control bits of a segment mean: the first of RST, SYN, FIN, ACK that is set. */
export function tcpEvent(flags: number): TcpEvent | undefined {
  if (flags & TCP_FLAG.rst) return 'rst';
  if (flags & TCP_FLAG.syn) return 'syn';
  if (flags & TCP_FLAG.fin) return 'fin';
  if (flags & TCP_FLAG.ack) return 'ack';
  return undefined;
}

/**
 * The state after a segment with these control bits; a segment with none of the four closes.
 *
 * @param isSecure whether `secure_tcp` is on
 */
export function nextTcpState(state: TcpState, direction: Direction, flags: number, isSecure = false): TcpState {
  const event = tcpEvent(flags);
  if (event === undefined) return 'CLOSE';
  const row = ((isSecure ? SECURE[direction][event] : undefined) ?? TABLES[direction][event]).split(' ');
  return SHORT[row[TCP_STATES.indexOf(state)]!]!;
}

const SCTP_SHORT: Record<string, SctpState> = {
  NO: 'NONE',
  I1: 'INIT1',
  IN: 'INIT',
  CS: 'C-SENT',
  CR: 'C-REPLIED',
  CW: 'C-WAIT',
  CO: 'COOKIE',
  CE: 'C-ECHOED',
  ES: 'ESTABLISHED',
  SS: 'S-SENT',
  SR: 'S-RECEIVED',
  SA: 'S-ACK-SENT',
  RJ: 'REJECTED',
  CL: 'CLOSED',
};

/** Next states; one column for each state an association may be in, in the order of {@link SCTP_STATES}. */
const SCTP_TABLES: Record<Direction, Record<SctpEvent, string>> = {
  // prettier-ignore
  input: {
    //     NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL
    data: 'ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    init: 'I1 IN IN CS CR CW CO CE ES SS SR SA IN IN',
    'init-ack': 'CW CW CW CS CR CO CO CE ES SS SR SA RJ CL',
    'cookie-echo': 'CR IN IN CR CR CW CO CE ES SS SR SA RJ CL',
    'cookie-ack': 'ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL',
    shutdown: 'SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL',
    'shutdown-ack': 'CL IN IN CS CR CW CO CE ES CL SR CL RJ CL',
    'shutdown-complete': 'CL CL CL CS CR CW CO CE ES SS SR CL RJ CL',
    error: 'CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL',
    abort: 'CL CL CL CL CL RJ CL CL CL CL CL CL CL CL',
  },
  output: {
    data: 'ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    init: 'CW CW CW CW CW CW CW CW ES CW CW CW CW CW',
    'init-ack': 'CS CS CS CS CR CW CO CE ES SS SR SA RJ CL',
    'cookie-echo': 'CE CE CE CE CE CE CE CE ES SS SR SA RJ CL',
    'cookie-ack': 'ES ES ES ES ES ES ES ES ES SS SR SA RJ CL',
    shutdown: 'SS SS SS SS SS SS SS SS SS SS SR SA RJ CL',
    'shutdown-ack': 'SA SA SA SA SA CW CO CE ES SA SA SA RJ CL',
    'shutdown-complete': 'CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    error: 'CL CL CL CL CL CW CO CE ES SS SR SA RJ CL',
    abort: 'CL RJ CL CL CL CL CL CL CL CL CL CL CL CL',
  },
  'input-only': {
    data: 'ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL',
    init: 'I1 IN IN IN IN IN CO CE ES SS SR SA IN IN',
    'init-ack': 'CE CE CE CE CE CE CO CE ES SS SR SA RJ CL',
    'cookie-echo': 'ES ES ES ES ES ES CO CE ES SS SR SA RJ CL',
    'cookie-ack': 'ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL',
    shutdown: 'SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL',
    'shutdown-ack': 'CL IN IN CS CR CW CO CE CL CL SR CL RJ CL',
    'shutdown-complete': 'CL CL CL CL CL CW CO CE ES SS CL CL RJ CL',
    error: 'CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    abort: 'CL CL CL CL CL RJ CL CL CL CL CL CL CL CL',
  },
};

/** Chunk types that are not just data (RFC 9260 §3.2); SACK, HEARTBEAT and all others are. */
const CHUNK_EVENTS: Record<number, SctpEvent> = {
  1: 'init',
  2: 'init-ack',
  6: 'abort',
  7: 'shutdown',
  8: 'shutdown-ack',
  9: 'error',
  10: 'cookie-echo',
  11: 'cookie-ack',
  14: 'shutdown-complete',
};

/** What the types of a packet's first two chunks do: an ABORT that is bundled with a cookie chunk wins over it. */
export function sctpEvent(first: number, second: number | undefined): SctpEvent {
  const event = CHUNK_EVENTS[first] ?? 'data';
  const isCookie = event === 'cookie-echo' || event === 'cookie-ack';
  return isCookie && second !== undefined && CHUNK_EVENTS[second] === 'abort' ? 'abort' : event;
}

/** The state of an association after this event. */
export function nextSctpState(state: SctpState, direction: Direction, event: SctpEvent): SctpState {
  const row = SCTP_TABLES[direction][event].split(' ');
  return SCTP_SHORT[row[SCTP_STATES.indexOf(state)]!]!;
}

/** What a packet says to the state of its connection: control bits, chunks, or only that it is there. */
export type TransportEvent = { tcpFlags: number } | { sctp: SctpEvent } | 'datagram';

/** The state after a packet; one of another protocol says nothing. */
export function nextState(
  state: ConnectionState,
  direction: Direction,
  event: TransportEvent,
  isSecure: boolean,
): ConnectionState {
  if (event === 'datagram') return 'UDP';
  if ('sctp' in event) return isSctpState(state) ? nextSctpState(state, direction, event.sctp) : state;
  return isTcpState(state) ? nextTcpState(state, direction, event.tcpFlags, isSecure) : state;
}

function isTcpState(state: ConnectionState): state is TcpState {
  return TCP_STATES.some((each) => each === state);
}

function isSctpState(state: ConnectionState): state is SctpState {
  return SCTP_STATES.some((each) => each === state);
}

/** Whether a connection counts as active; all others, and every UDP one, count as inactive. */
export function isActiveState(state: ConnectionState): boolean {
  return state === 'ESTABLISHED' || state === 'SYN_SENT' || state === 'SYN_RECV' || state === 'SYNACK';
}

/** Whether both ends have said goodbye: it only waits for its timeout. */
export function hasEnded(state: ConnectionState): boolean {
  return state === 'TIME_WAIT' || state === 'CLOSE' || state === 'CLOSED';
}

/** Seconds a TCP or UDP connection lives in each state without a packet. */
export type StateTimeouts = Record<TcpState | 'UDP', number>;

/** The kernel's timeouts. */
export function defaultTimeouts(): StateTimeouts {
  return {
    NONE: 2,
    ESTABLISHED: 900,
    SYN_SENT: 120,
    SYN_RECV: 60,
    FIN_WAIT: 120,
    TIME_WAIT: 120,
    CLOSE: 10,
    CLOSE_WAIT: 60,
    LAST_ACK: 30,
    LISTEN: 120,
    SYNACK: 120,
    UDP: 300,
  };
}

/** Seconds a connection lives in this state without a packet; only those of TCP and UDP can be set. */
export function stateTimeout(state: ConnectionState, isSctp: boolean, timeouts: StateTimeouts): number {
  if (isSctp && isSctpState(state)) return sctpTimeout(state);
  return isTcpState(state) || state === 'UDP' ? timeouts[state] : 0;
}

/** Seconds an SCTP association lives in each state without a packet. */
export function sctpTimeout(state: SctpState): number {
  if (state === 'NONE') return 2;
  if (state === 'INIT1' || state === 'REJECTED') return 4;
  return state === 'ESTABLISHED' ? 900 : 61;
}
