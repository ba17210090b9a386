/**
 * Connection states and timeouts, as the tables of Linux IPVS have them.
 *
 * @module
 */
import { TCP_FLAG } from './packet/tcp.js';

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

/** State of any connection. */
export type ConnectionState = TcpState | 'UDP';

/** `input-only`: client to server where no answer has ever been seen, as with DR and TUN. */
export type Direction = 'input' | 'output' | 'input-only';

/** What a segment does to the state. */
export type TcpEvent = 'syn' | 'fin' | 'ack' | 'rst';

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

/** What the control bits of a segment mean: the first of RST, SYN, FIN, ACK that is set. */
export function tcpEvent(flags: number): TcpEvent | undefined {
  if (flags & TCP_FLAG.rst) return 'rst';
  if (flags & TCP_FLAG.syn) return 'syn';
  if (flags & TCP_FLAG.fin) return 'fin';
  if (flags & TCP_FLAG.ack) return 'ack';
  return undefined;
}

/** The state after a segment with these control bits; a segment with none of the four closes. */
export function nextTcpState(state: TcpState, direction: Direction, flags: number): TcpState {
  const event = tcpEvent(flags);
  if (event === undefined) return 'CLOSE';
  const row = TABLES[direction][event].split(' ');
  return SHORT[row[TCP_STATES.indexOf(state)]!]!;
}

/** Whether a connection counts as active; all others, and every UDP one, count as inactive. */
export function isActiveState(state: ConnectionState): boolean {
  return state === 'ESTABLISHED' || state === 'SYN_SENT' || state === 'SYN_RECV' || state === 'SYNACK';
}

/** Seconds a connection lives in each state without a packet. */
export type StateTimeouts = Record<ConnectionState, number>;

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
