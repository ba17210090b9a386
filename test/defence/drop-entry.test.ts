/** drop_entry: which connections end before their time, and how many. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import type { ServiceKey } from '../../src/types.js';
import { BINARIES } from '../support/core.js';
import {
  CLIENT,
  fromClient,
  fromServer,
  lab,
  request,
  SCTP_KEY,
  SERVERS,
  sctpRequest,
  TCP_KEY,
  UDP_KEY,
} from '../support/lab.js';
import { ACK, FIN, SYN, tcp } from '../support/packets.js';

const NAT = { address: SERVERS[0], method: 'nat' } as const;
/** With one record planned, each second's draw is of that. */
const ONE = { connections: 1, connections6: 1, arenaBytes: 1 << 17 };

describe.each(BINARIES)('%s', (binary) => {
  const ready = (plan: object = ONE, service = {}, keys: readonly ServiceKey[] = [TCP_KEY, UDP_KEY, SCTP_KEY]) =>
    lab([NAT], { binary, plan, sysctl: { drop_entry: 3 } }, service, keys);
  const send = (director: Director, flags: number, now = 0, sport = 40_000) =>
    director.send(fromClient(request('tcp', { flags, sport })), 'cli', now);
  const answer = (director: Director, flags: number) =>
    director.send(
      fromServer(tcp({ source: SERVERS[0], destination: CLIENT, sport: 80, dport: 40_000, flags })),
      'srv',
      0,
    );

  it('a half-open connection ends at the next second, and its dest counts it no more', () => {
    const director = ready();
    send(director, SYN);
    director.advance(999);
    expect(director.connectionCount).toBe(1);
    director.advance(1000);
    expect(director.connectionCount).toBe(0);
    expect(director.counters()['drop-entry']).toBe(1n);
    expect(director.services()[0]?.dests).toMatchObject([{ activeConnections: 0, inactiveConnections: 0 }]);
  });

  it('so does one in SYNACK, and one of SCTP in INIT1', () => {
    const director = ready();
    director.setSysctl({ secure_tcp: 3 });
    send(director, SYN);
    answer(director, SYN | ACK);
    expect(director.connections(0)).toMatchObject([{ state: 'SYNACK' }]);
    director.advance(1000);
    expect(director.connectionCount).toBe(0);
    director.send(fromClient(sctpRequest()), 'cli', 1000);
    expect(director.connections(1000)).toMatchObject([{ state: 'INIT1' }]);
    director.advance(2000);
    expect(director.connectionCount).toBe(0);
  });

  it('one that closes stays until it is due', () => {
    const director = ready();
    send(director, SYN);
    send(director, ACK);
    send(director, FIN | ACK);
    answer(director, FIN | ACK);
    for (let now = 1000; now < 120_000; now += 1000) director.advance(now);
    expect(director.connections(119_000)).toMatchObject([{ state: 'TIME_WAIT' }]);
  });

  it('one that is established stays for as long as it had a packet within a minute', () => {
    const director = ready();
    send(director, SYN);
    send(director, ACK);
    for (let now = 1000; now < 60_000; now += 1000) director.advance(now);
    expect(director.connectionCount).toBe(1);
    director.advance(60_000);
    expect(director.connectionCount).toBe(0);
  });

  it('one with more than eight packets stays, however idle it is', () => {
    const director = ready();
    for (const flags of [SYN, ...Array(8).fill(ACK)]) send(director, flags);
    for (let now = 1000; now < 900_000; now += 1000) director.advance(now);
    expect(director.connectionCount).toBe(1);
  });

  it.each([1, 3, 8])('of idle ones with %i packets the first ends, and then each that comes as far', (packets) => {
    const director = ready();
    const lives = [0, 1, 2].map((life) => {
      const start = 1_000_000 * life;
      for (let i = 0; i < packets; i++) director.send(fromClient(request('udp')), 'cli', start);
      let seconds = 0;
      while (director.connectionCount !== 0) director.advance(start + ++seconds * 1000);
      return seconds;
    });
    expect(lives).toEqual([60, 59 + packets, 59 + packets]);
  });

  it('about a 32nd of the table each second', () => {
    const director = ready({ connections: 3200, connections6: 1, arenaBytes: 1 << 17 });
    for (let i = 1; i <= 3200; i++) send(director, SYN, 0, 1000 + i);
    let left = 3200;
    for (let second = 1; second <= 10; second++) {
      director.advance(second * 1000);
      const ended = left - director.connectionCount;
      // A hundred records are drawn, some twice, some free.
      expect(ended).toBeGreaterThan(50);
      expect(ended).toBeLessThanOrEqual(100);
      left = director.connectionCount;
    }
    expect(director.counters()['drop-entry']).toBe(BigInt(3200 - left));
  });

  it('after a pause it is made up for, 64 times at most', () => {
    const director = ready({ connections: 32, connections6: 1, arenaBytes: 1 << 17 });
    director.setTimeouts({ tcp: 1_000_000 });
    for (let i = 1; i <= 32; i++) for (const flags of [SYN, ACK]) send(director, flags, 0, 1000 + i);
    director.advance(900_000);
    expect(director.counters()['drop-entry']).toBeGreaterThan(8n);
    expect(director.counters()['drop-entry']).toBeLessThanOrEqual(32n);
  });

  describe('templates', () => {
    const TWO = { ...ONE, connections: 2 };
    const persistent = () => ready(TWO, { persistent: 300 });
    const seconds = (director: Director, from: number, to: number) => {
      for (let now = from; now <= to; now++) director.advance(now * 1000);
    };

    it('go with their last connection when none was established', () => {
      const director = persistent();
      send(director, SYN);
      expect(director.connectionCount).toBe(2);
      seconds(director, 1, 20);
      expect(director.connectionCount).toBe(0);
      expect(director.counters()['drop-entry']).toBe(2n);
    });

    it('stay once one was', () => {
      const director = persistent();
      send(director, SYN);
      send(director, ACK);
      seconds(director, 1, 200);
      expect(director.connections(200_000)).toMatchObject([{ template: true, state: 'ASSURED' }]);
    });

    it('that none is under any more go alone when none was established', () => {
      const director = persistent();
      director.setSysctl({ drop_entry: 0 });
      send(director, SYN);
      seconds(director, 1, 61);
      expect(director.connections(61_000)).toMatchObject([{ template: true, state: 'NONE' }]);
      director.setSysctl({ drop_entry: 3 });
      seconds(director, 62, 90);
      expect(director.connectionCount).toBe(0);
    });

    it('of a service that schedules each packet go by the count of packets', () => {
      const director = ready(TWO, { persistent: 300, ops: true }, [UDP_KEY]);
      for (let i = 0; i < 9; i++) director.send(fromClient(request('udp')), 'cli', 0);
      seconds(director, 1, 290);
      expect(director.connections(290_000)).toMatchObject([{ template: true, inPackets: 9 }]);
      const other = ready(TWO, { persistent: 300, ops: true }, [UDP_KEY]);
      other.send(fromClient(request('udp')), 'cli', 0);
      seconds(other, 1, 59);
      expect(other.connectionCount).toBe(1);
      seconds(other, 60, 80);
      expect(other.connectionCount).toBe(0);
    });
  });
});
