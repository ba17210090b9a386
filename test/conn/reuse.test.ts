/** SYNs and INITs of connections that are there already: which of them are scheduled anew (conn_reuse_mode, expire_nodest_conn). */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import type { SysctlConfig } from '../../src/types.js';
import { BINARIES } from '../support/core.js';
import {
  CLIENT,
  fromClient,
  fromServer,
  judged,
  lab,
  request,
  SCTP_KEY,
  SERVERS,
  sctpRequest,
  serverOf,
  TCP_KEY,
  UDP_KEY,
} from '../support/lab.js';
import { ACK, FIN, RST, SYN, tcp } from '../support/packets.js';

const [A, B] = SERVERS;
const NAT = { address: A, method: 'nat' } as const;
const OTHER = { address: B, method: 'nat' } as const;
const SHUTDOWN_COMPLETE = 14;

describe.each(BINARIES)('%s', (binary) => {
  const request4 = (director: Director, flags: number) =>
    director.send(fromClient(request('tcp', { flags })), 'cli', 0);
  const answer = (director: Director, flags: number) =>
    director.send(fromServer(tcp({ source: A, destination: CLIENT, sport: 80, dport: 40_000, flags })), 'srv', 0);
  const stateOf = (director: Director) => director.connections(0).map(({ state }) => state);

  /** With a connection to A; B is next. */
  function open(sysctl: SysctlConfig = {}): Director {
    const director = lab([NAT], { binary, sysctl });
    request4(director, SYN);
    answer(director, SYN | ACK);
    request4(director, ACK);
    for (const key of [TCP_KEY, UDP_KEY]) director.addDest(key, OTHER);
    return director;
  }

  function ended(sysctl: SysctlConfig = {}): Director {
    const director = open(sysctl);
    request4(director, FIN | ACK);
    answer(director, FIN | ACK);
    expect(stateOf(director)).toEqual(['TIME_WAIT']);
    return director;
  }

  it('a SYN on a connection in TIME_WAIT opens another', () => {
    const director = ended();
    expect(serverOf(request4(director, SYN))).toBe(12);
    expect(director.connections(0)).toMatchObject([{ state: 'SYN_RECV', destAddress: B, inPackets: 1 }]);
    expect(serverOf(request4(director, ACK))).toBe(12);
    expect(judged(answer(director, ACK))).toEqual(['forward routed']);
  });

  it('and on one in CLOSE', () => {
    const director = open();
    request4(director, RST);
    expect(stateOf(director)).toEqual(['CLOSE']);
    expect(serverOf(request4(director, SYN | ACK))).toBe(12);
  });

  it('to the same server: its replies are those of the new one', () => {
    const director = ended();
    director.deleteDest(TCP_KEY, OTHER);
    expect(serverOf(request4(director, SYN))).toBe(11);
    expect(judged(answer(director, SYN | ACK))).toEqual(['forward nat-out']);
    expect(stateOf(director)).toEqual(['SYN_RECV']);
    const [dest] = director.services().find(({ protocol }) => protocol === 'tcp')?.dests ?? [];
    expect(dest).toMatchObject({ activeConnections: 1, inactiveConnections: 0, stats: { connections: 2n } });
  });

  it('not on a living one, nor without conn_reuse_mode', () => {
    expect(serverOf(request4(open(), SYN))).toBe(11);
    expect(serverOf(request4(ended({ conn_reuse_mode: 0 }), SYN))).toBe(11);
    expect(serverOf(request4(ended(), ACK))).toBe(11);
  });

  it.each([
    [1, 11],
    [2, 12],
    [3, 12],
  ])(
    'on one in FIN_WAIT whose server answers directly, with conn_reuse_mode %i: server %i',
    (conn_reuse_mode, server) => {
      const director = lab([{ address: A, method: 'dr' }], { binary, sysctl: { conn_reuse_mode } });
      for (const flags of [SYN, ACK, FIN | ACK]) request4(director, flags);
      expect(stateOf(director)).toEqual(['FIN_WAIT']);
      director.addDest(TCP_KEY, { address: B, method: 'dr' });
      expect(request4(director, ACK)[0]?.connection?.destAddress).toBe(A);
      expect(request4(director, SYN)[0]?.connection?.destAddress).toBe(server === 12 ? B : A);
    },
  );

  it('not on one in FIN_WAIT by NAT, whatever the mode', () => {
    const director = open({ conn_reuse_mode: 3 });
    answer(director, FIN | ACK);
    expect(stateOf(director)).toEqual(['FIN_WAIT']);
    expect(serverOf(request4(director, SYN))).toBe(11);
  });

  it('with conn_reuse_mode 2 on one in TIME_WAIT, too', () => {
    expect(serverOf(request4(ended({ conn_reuse_mode: 2 }), SYN))).toBe(12);
  });

  it('a SYN that is a RST, too, ends the connection and opens none', () => {
    const director = ended();
    expect(judged(request4(director, SYN | RST))).toEqual(['local not-opening']);
    expect(director.connections(0)).toEqual([]);
  });

  it('the old one counts while a server is chosen', () => {
    const director = ended();
    director.editService({ ...TCP_KEY, scheduler: 'wlc' });
    // A has one, B none: were the old one gone, A would have none, too, and be first.
    director.editDest(TCP_KEY, { ...NAT, weight: 1 });
    expect(serverOf(request4(director, SYN))).toBe(12);
  });

  it('an INIT on an SCTP connection in CLOSED opens another', () => {
    const director = lab([NAT], { binary }, {}, [SCTP_KEY]);
    const send = (chunk: number) => director.send(fromClient(sctpRequest({ chunks: [chunk] })), 'cli', 0);
    send(1);
    send(SHUTDOWN_COMPLETE);
    expect(stateOf(director)).toEqual(['CLOSED']);
    director.addDest(SCTP_KEY, OTHER);
    expect(serverOf(send(0))).toBe(11);
    expect(serverOf(send(1))).toBe(12);
  });

  it('a SYN to a dest of weight 0 goes to another, with expire_nodest_conn', () => {
    const director = open({ expire_nodest_conn: 1, conn_reuse_mode: 0 });
    expect(serverOf(request4(director, SYN))).toBe(11);
    director.editDest(TCP_KEY, { ...NAT, weight: 0 });
    expect(serverOf(request4(director, ACK))).toBe(11);
    expect(serverOf(request4(director, SYN))).toBe(12);
    expect(director.connections(0)).toHaveLength(1);
  });
});
