/** secure_tcp: its state table, and when it counts. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { BINARIES, innerCore } from '../support/core.js';
import { CLIENT, fromClient, fromServer, lab, request, SERVERS } from '../support/lab.js';
import { ACK, FIN, RST, SYN, tcp } from '../support/packets.js';

const { call } = innerCore();

const STATES = ['NO', 'ES', 'SS', 'SR', 'FW', 'TW', 'CL', 'CW', 'LA', 'LI', 'SA'];

/** Linux 6.1, tcp_states_dos: from NO ES SS SR FW TW CL CW LA LI SA. */
const TABLES = [
  {
    syn: 'SR ES ES SR SR SR SR SR SR SR SA',
    fin: 'CL CW SS TW TW TW CL CW LA LI SA',
    ack: 'ES ES SS SR FW TW CL CW CL LI SA',
    rst: 'CL CL CL SR CL CL CL CL LA LI CL',
  },
  {
    syn: 'SS ES SS SA SS SS SS SS SS LI SA',
    fin: 'TW FW SS TW FW TW CL TW LA LI TW',
    ack: 'ES ES SS ES FW TW CL CW LA ES ES',
    rst: 'CL CL SS CL CL TW CL CL CL CL CL',
  },
  {
    syn: 'SA ES ES SR SA SA SA SA SA SA SA',
    fin: 'CL FW SS TW FW TW CL CW LA LI TW',
    ack: 'ES ES SS ES FW TW CL CW CL LI ES',
    rst: 'CL CL CL SR CL CL CL CL LA LI CL',
  },
];

it.each(['input', 'output', 'input-only'].map((name, direction) => [name, direction] as const))(
  'the table of %s',
  (_, direction) => {
    const rows = TABLES[direction]!;
    for (let flags = 0; flags < 256; flags++) {
      const row =
        flags & RST ? rows.rst : flags & SYN ? rows.syn : flags & FIN ? rows.fin : flags & ACK ? rows.ack : '';
      STATES.forEach((state, i) => {
        const next = STATES[call.tcpState(direction, flags, i, true)];
        expect(next, `flags ${flags.toString(16)} in ${state}`).toBe(row === '' ? 'CL' : row.split(' ')[i]);
      });
    }
  },
);

describe.each(BINARIES)('%s', (binary) => {
  const send = (director: Director, flags: number) => director.send(fromClient(request('tcp', { flags })), 'cli', 0);
  const answer = (director: Director, flags: number) =>
    director.send(
      fromServer(tcp({ source: SERVERS[0], destination: CLIENT, sport: 80, dport: 40_000, flags })),
      'srv',
      0,
    );
  const state = (director: Director) => director.connections(0)[0]?.state;
  const ready = (secure_tcp: number, method: 'nat' | 'dr' = 'nat') =>
    lab([{ address: SERVERS[0], method }], { binary, sysctl: { secure_tcp } });

  it('a client alone establishes nothing, its server does', () => {
    const director = ready(3);
    send(director, SYN);
    send(director, ACK);
    expect(state(director)).toBe('SYN_RECV');
    answer(director, SYN | ACK);
    send(director, ACK);
    expect(director.connections(0)).toMatchObject([{ state: 'SYNACK', expires: 120 }]);
    expect(director.services()[0]?.dests).toMatchObject([{ activeConnections: 1, inactiveConnections: 0 }]);
    answer(director, ACK);
    expect(state(director)).toBe('ESTABLISHED');
  });

  it('by DR a SYN is one of SYNACK', () => {
    const director = ready(3, 'dr');
    send(director, SYN);
    expect(state(director)).toBe('SYNACK');
    send(director, ACK);
    expect(state(director)).toBe('ESTABLISHED');
  });

  it('counts from when it is written, also for connections that there are', () => {
    const director = ready(0);
    send(director, SYN);
    director.setSysctl({ secure_tcp: 3 });
    send(director, ACK);
    expect(state(director)).toBe('SYN_RECV');
    director.setSysctl({ secure_tcp: 0 });
    send(director, ACK);
    expect(state(director)).toBe('ESTABLISHED');
  });

  it.each([0, 1])('mode %i leaves the table alone while there is room', (mode) => {
    const director = ready(mode);
    send(director, SYN);
    send(director, ACK);
    expect(state(director)).toBe('ESTABLISHED');
  });

  it('mode 2 goes back to 1 at once when there is room', () => {
    expect(ready(2).getSysctl().secure_tcp).toBe(1);
  });
});
