import { describe, expect, it } from 'vitest';
import {
  type Direction,
  defaultTimeouts,
  isActiveState,
  nextTcpState,
  TCP_STATES,
  type TcpState,
  tcpEvent,
} from '../../src/reference/index.js';
import { ACK, FIN_ACK, RST, SYN } from './builders.js';

const FIN = 0x01;

/** The state after these segments, each direction and control bits. */
function stateAfter(...segments: [Direction, number][]): TcpState {
  return segments.reduce<TcpState>((state, [direction, flags]) => nextTcpState(state, direction, flags), 'NONE');
}

describe('tcpEvent', () => {
  it.each([
    [0x3f, 'rst'],
    [RST | ACK, 'rst'],
    [SYN | FIN | ACK, 'syn'],
    [FIN | ACK, 'fin'],
    [ACK | 0x08, 'ack'],
    [0x28, undefined],
    [0, undefined],
  ])('control bits %i are %s', (flags, event) => {
    expect(tcpEvent(flags)).toBe(event);
  });
});

describe('a NAT connection', () => {
  const established: [Direction, number][] = [
    ['input', SYN],
    ['output', SYN | ACK],
    ['input', ACK],
  ];

  it('opens', () => {
    expect(stateAfter(established[0]!)).toBe('SYN_RECV');
    expect(stateAfter(...established.slice(0, 2))).toBe('SYN_RECV');
    expect(stateAfter(...established)).toBe('ESTABLISHED');
  });

  it('closes from either side', () => {
    expect(stateAfter(...established, ['input', FIN_ACK])).toBe('CLOSE_WAIT');
    expect(stateAfter(...established, ['output', FIN_ACK])).toBe('FIN_WAIT');
    expect(stateAfter(...established, ['output', FIN_ACK], ['input', FIN_ACK])).toBe('TIME_WAIT');
    expect(stateAfter(...established, ['input', FIN_ACK], ['output', FIN_ACK])).toBe('TIME_WAIT');
    expect(stateAfter(...established, ['input', RST])).toBe('CLOSE');
    expect(stateAfter(...established, ['output', RST])).toBe('CLOSE');
  });

  it('half open: a RST of the client changes nothing, one of the server closes', () => {
    expect(stateAfter(['input', SYN], ['input', RST])).toBe('SYN_RECV');
    expect(stateAfter(['input', SYN], ['output', RST])).toBe('CLOSE');
  });
});

describe('a DR connection', () => {
  const input: Direction = 'input-only';

  it('closes by what the client sends', () => {
    expect(stateAfter([input, SYN], [input, ACK], [input, FIN_ACK])).toBe('FIN_WAIT');
    expect(stateAfter([input, SYN], [input, FIN_ACK])).toBe('TIME_WAIT');
    expect(stateAfter([input, SYN], [input, RST])).toBe('SYN_RECV');
  });
});

it('a segment without SYN, FIN, ACK or RST closes', () => {
  for (const state of TCP_STATES) {
    for (const direction of ['input', 'output', 'input-only'] as const) {
      expect(nextTcpState(state, direction, 0x28)).toBe('CLOSE');
    }
  }
});

// Columns: NONE ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN SYNACK,
// cells: index of the next state in that order.
it.each([
  ['input', SYN, [3, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3]],
  ['input', FIN_ACK, [6, 7, 2, 5, 5, 5, 6, 7, 8, 9, 5]],
  ['input', ACK, [1, 1, 2, 1, 4, 5, 6, 7, 6, 9, 1]],
  ['input', RST, [6, 6, 6, 3, 6, 6, 6, 6, 8, 9, 3]],
  ['output', SYN, [2, 1, 2, 3, 2, 2, 2, 2, 2, 9, 3]],
  ['output', FIN_ACK, [5, 4, 2, 5, 4, 5, 6, 5, 8, 9, 5]],
  ['output', ACK, [1, 1, 2, 1, 4, 5, 6, 7, 8, 1, 1]],
  ['output', RST, [6, 6, 2, 6, 6, 5, 6, 6, 6, 6, 6]],
  ['input-only', SYN, [3, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3]],
  ['input-only', FIN_ACK, [6, 4, 2, 5, 4, 5, 6, 7, 8, 9, 5]],
  ['input-only', ACK, [1, 1, 2, 1, 4, 5, 6, 7, 6, 9, 1]],
  ['input-only', RST, [6, 6, 6, 3, 6, 6, 6, 6, 8, 9, 6]],
] as const)('%s, control bits %i', (direction, flags, row) => {
  expect(TCP_STATES.map((state) => nextTcpState(state, direction, flags))).toEqual(row.map((i) => TCP_STATES[i]));
});

it('active are those that open and those that are open', () => {
  const active = TCP_STATES.filter(isActiveState);
  expect(active).toEqual(['ESTABLISHED', 'SYN_SENT', 'SYN_RECV', 'SYNACK']);
  expect(isActiveState('UDP')).toBe(false);
});

it('timeouts are the kernel’s, in seconds', () => {
  const timeouts = defaultTimeouts();
  expect(TCP_STATES.map((state) => timeouts[state])).toEqual([2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120]);
  expect(timeouts.UDP).toBe(300);
});

describe('with secure_tcp', () => {
  const next = (state: TcpState, direction: Direction, flags: number) => nextTcpState(state, direction, flags, true);

  it('only the server’s word establishes a connection', () => {
    expect(next('NONE', 'input', SYN)).toBe('SYN_RECV');
    expect(next('SYN_RECV', 'input', ACK)).toBe('SYN_RECV');
    expect(next('SYN_RECV', 'output', SYN | ACK)).toBe('SYNACK');
    expect(next('SYNACK', 'input', ACK)).toBe('SYNACK');
    expect(next('SYNACK', 'input', FIN_ACK)).toBe('SYNACK');
    expect(next('SYNACK', 'input', RST)).toBe('CLOSE');
    expect(next('SYNACK', 'output', ACK)).toBe('ESTABLISHED');
  });

  it('where the server is not heard, the client’s has to do', () => {
    expect(next('NONE', 'input-only', SYN)).toBe('SYNACK');
    expect(next('SYN_RECV', 'input-only', SYN)).toBe('SYN_RECV');
    expect(next('SYNACK', 'input-only', ACK)).toBe('ESTABLISHED');
  });
});
