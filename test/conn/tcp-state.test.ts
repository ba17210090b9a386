/** The TCP state machine: every direction, every combination of control bits, every state. */
import { describe, expect, it } from 'vitest';
import { ConnState } from '../../src/abi/protocol.js';
import { type Direction, isActiveState, nextTcpState, TCP_STATES } from '../../src/reference/index.js';
import { innerCore } from '../support/core.js';
import { CLIENT, fromClient, fromServer, lab, request, SERVERS, TCP_KEY } from '../support/lab.js';
import { ACK, FIN, RST, SYN, tcp } from '../support/packets.js';

const { call } = innerCore();

/** In the order of the core's enum. */
const DIRECTIONS: readonly Direction[] = ['input', 'output', 'input-only'];

describe.each(DIRECTIONS.flatMap((direction) => [false, true].map((isSecure) => ({ direction, isSecure }))))(
  '$direction, secure_tcp $isSecure',
  ({ direction, isSecure }) => {
    it.each(TCP_STATES)('from %s', (state) => {
      for (let flags = 0; flags < 256; flags++) {
        const next = call.tcpState(DIRECTIONS.indexOf(direction), flags, TCP_STATES.indexOf(state), isSecure);
        expect(TCP_STATES[next], `flags ${flags.toString(16)}`).toBe(nextTcpState(state, direction, flags, isSecure));
      }
    });
  },
);

it('the states are numbered as in the kernel', () => {
  const names = TCP_STATES.map((name) => name.replace('_', '').toLowerCase());
  expect(names.map((_, i) => ConnState[i]?.toLowerCase())).toEqual(names);
});

/** What the captures show: state after each segment. */
describe('a life by NAT', () => {
  it.each([
    [
      'client closes first',
      [
        ['c', SYN, 'SYN_RECV'],
        ['s', SYN | ACK, 'SYN_RECV'],
        ['c', ACK, 'ESTABLISHED'],
        ['c', FIN | ACK, 'CLOSE_WAIT'],
        ['s', FIN | ACK, 'TIME_WAIT'],
        ['c', ACK, 'TIME_WAIT'],
      ],
    ],
    [
      'server closes first',
      [
        ['c', SYN, 'SYN_RECV'],
        ['c', ACK, 'ESTABLISHED'],
        ['s', FIN | ACK, 'FIN_WAIT'],
        ['c', FIN | ACK, 'TIME_WAIT'],
      ],
    ],
    [
      'a reset of the client while it waits changes nothing',
      [
        ['c', SYN, 'SYN_RECV'],
        ['c', RST, 'SYN_RECV'],
        ['s', RST, 'CLOSE'],
      ],
    ],
    [
      'a segment without any flag closes',
      [
        ['c', SYN, 'SYN_RECV'],
        ['c', ACK, 'ESTABLISHED'],
        ['c', 0, 'CLOSE'],
      ],
    ],
  ] as [string, [string, number, string][]][])('%s', (_, life) => {
    const director = lab([{ address: SERVERS[0], port: 8080, method: 'nat' }]);
    for (const [from, flags, expected] of life) {
      if (from === 'c') director.send(fromClient(request('tcp', { flags })), 'cli', 0);
      else {
        const reply = tcp({ source: SERVERS[0], destination: CLIENT, sport: 8080, dport: 40_000, flags });
        director.send(fromServer(reply), 'srv', 0);
      }
      const [connection] = director.connections(0);
      expect(connection?.state).toBe(expected);
      const [dest] = director.services().find(({ port }) => port === TCP_KEY.port)?.dests ?? [];
      const active = isActiveState(expected as Parameters<typeof isActiveState>[0]) ? 1 : 0;
      expect([dest?.activeConnections, dest?.inactiveConnections]).toEqual([active, 1 - active]);
    }
  });
});

describe.each(['dr', 'tun'] as const)('a life by %s, of which half is seen', (method) => {
  it.each([
    [
      [SYN, 'SYN_RECV'],
      [ACK, 'ESTABLISHED'],
      [FIN | ACK, 'FIN_WAIT'],
      [ACK, 'FIN_WAIT'],
    ],
    [
      [SYN, 'SYN_RECV'],
      [FIN | ACK, 'TIME_WAIT'],
    ],
    [
      [SYN, 'SYN_RECV'],
      [ACK, 'ESTABLISHED'],
      [RST, 'CLOSE'],
      [SYN, 'SYN_RECV'],
    ],
  ] as [number, string][][])('%#', (...life) => {
    const director = lab([{ address: SERVERS[0], method }]);
    for (const [flags, expected] of life) {
      director.send(fromClient(request('tcp', { flags })), 'cli', 0);
      expect(director.connections(0)[0]?.state).toBe(expected);
    }
  });
});
