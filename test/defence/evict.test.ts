/** What makes room for a new connection when the table is full, by policy: kinds in order, the oldest first. */
import { describe, expect, it } from 'vitest';
import { type Director, EVICT_NAMES, type EvictName } from '../../src/director.js';
import type { ServiceKey, ServiceSettings } from '../../src/types.js';
import { BINARIES } from '../support/core.js';
import {
  CLIENT,
  fromClient,
  fromServer,
  judged,
  lab,
  onV6,
  request,
  request6,
  SERVERS,
  SERVERS6,
  TCP_KEY,
  UDP_KEY,
} from '../support/lab.js';
import { ACK, FIN, SYN, tcp } from '../support/packets.js';

const NAT = { address: SERVERS[0], method: 'nat' } as const;

describe.each(BINARIES)('%s', (binary) => {
  const ready = (
    evict: EvictName,
    connections: number,
    service: ServiceSettings = {},
    keys: readonly ServiceKey[] = [TCP_KEY, UDP_KEY],
  ) => lab([NAT], { binary, evict, plan: { connections, connections6: 4, arenaBytes: 1 << 17 } }, service, keys);
  const send = (director: Director, sport: number, flags: number, now = 0) =>
    judged(director.send(fromClient(request('tcp', { sport, flags })), 'cli', now))[0];
  const datagram = (director: Director, sport: number, now = 0, payload?: Uint8Array) =>
    judged(director.send(fromClient(request('udp', { sport, ...(payload && { payload }) })), 'cli', now))[0];
  const answer = (director: Director, dport: number, flags: number, now = 0) =>
    director.send(fromServer(tcp({ source: SERVERS[0], destination: CLIENT, sport: 80, dport, flags })), 'srv', now);
  const ports = (director: Director, now = 0) =>
    director
      .connections(now)
      .filter(({ template }) => template !== true)
      .map(({ clientPort }) => clientPort)
      .sort((a, b) => a - b);
  const evicted = (director: Director) => {
    const counters = director.counters();
    return (['half-open', 'closing', 'datagram', 'established'] as const).map((kind) =>
      Number(counters[`evicted-${kind}`]),
    );
  };

  /** Connections 1 to 5, hung in the wheel in turn: established, UDP, closing, half-open, established. */
  function mixed(evict: EvictName): Director {
    const director = ready(evict, 5);
    for (const port of [1001, 1005]) {
      send(director, port, SYN);
      send(director, port, ACK);
    }
    datagram(director, 1002);
    send(director, 1003, SYN);
    send(director, 1003, ACK);
    send(director, 1003, FIN | ACK);
    answer(director, 1003, FIN | ACK);
    send(director, 1004, SYN);
    expect(ports(director)).toEqual([1001, 1002, 1003, 1004, 1005]);
    return director;
  }

  it.each([
    ['none', [], [0, 0, 0, 0]],
    ['half-open', [1004], [1, 0, 0, 0]],
    ['closing', [1004, 1003], [1, 1, 0, 0]],
    ['datagram', [1004, 1003, 1002], [1, 1, 1, 0]],
    ['established', [1004, 1003, 1002, 1001, 1005], [1, 1, 1, 2]],
  ] as const)('%s: %j make room in this order', (evict, gone, counts) => {
    const director = mixed(evict);
    let left = [1001, 1002, 1003, 1004, 1005];
    gone.forEach((port, i) => {
      send(director, 2000 + i, SYN);
      // So that it goes last of all.
      send(director, 2000 + i, ACK);
      left = left.filter((each) => each !== port);
      expect(ports(director).filter((each) => each < 2000)).toEqual(left);
    });
    expect(evicted(director)).toEqual(counts);
    if (evict !== 'established') {
      expect(send(director, 3000, SYN)).toBe('drop table-full');
      expect(director.connectionCount).toBe(5);
    }
    const dest = director.services().find((one) => !('fwmark' in one) && one.protocol === 'tcp')?.dests[0];
    expect(dest!.activeConnections + dest!.inactiveConnections).toBe(
      ports(director).filter((port) => port !== 1002).length,
    );
  });

  it('of one kind the oldest goes first, also of those of one moment', () => {
    const director = ready('half-open', 4);
    for (const [i, now] of [0, 0, 100, 5000].entries()) send(director, 1001 + i, SYN, now);
    const orders = [1002, 1003, 1004, 2001].map((first, i) => {
      send(director, 2001 + i, SYN, 6000);
      return ports(director, 6000)[0] === first;
    });
    expect(orders).toEqual([true, true, true, true]);
  });

  it('a packet makes a connection young again', () => {
    const director = ready('established', 3);
    for (const [i, port] of [1001, 1002, 1003].entries()) {
      send(director, port, SYN, i * 1000);
      send(director, port, ACK, i * 1000);
    }
    send(director, 1001, ACK, 5000);
    send(director, 2001, SYN, 6000);
    expect(ports(director, 6000)).toEqual([1001, 1003, 2001]);
  });

  it('is bounded: after 32 that were touched since a newcomer is refused, and the next goes on from there', () => {
    const director = ready('established', 40);
    for (let i = 1; i <= 40; i++) for (const flags of [SYN, ACK]) send(director, 1000 + i, flags);
    for (let i = 1; i <= 40; i++) send(director, 1000 + i, ACK, 10_000);
    expect(send(director, 2001, SYN, 20_000)).toBe('drop table-full');
    expect(send(director, 2001, SYN, 20_000)).toBe('forward nat-in');
    expect(ports(director, 20_000)).not.toContain(1001);
  });

  it('a connection that is due is no loss', () => {
    const director = ready('half-open', 2);
    send(director, 1001, SYN);
    send(director, 1002, SYN);
    // The wheel has not turned since.
    expect(send(director, 1003, SYN, 60_000)).toBe('forward nat-in');
    expect(evicted(director)).toEqual([0, 0, 0, 0]);
  });

  it('each family has its own room', () => {
    const director = lab([NAT], { binary, evict: 'half-open', plan: { connections: 2, connections6: 2 } });
    const key = onV6(TCP_KEY);
    director.addService({ ...key, scheduler: 'rr' });
    director.addDest(key, { address: SERVERS6[0], method: 'nat' });
    for (let i = 1; i <= 2; i++) {
      send(director, 1000 + i, SYN);
      director.send(fromClient(request6('tcp', { sport: 2000 + i })), 'cli', 0);
    }
    director.send(fromClient(request6('tcp', { sport: 2003 })), 'cli', 0);
    expect(ports(director)).toEqual([1001, 1002, 2002, 2003]);
  });

  it.each(EVICT_NAMES)('%s: a SYN that begins again needs no room but that of its connection', (evict) => {
    const director = ready(evict, 2);
    datagram(director, 1009);
    send(director, 1001, SYN);
    answer(director, 1001, FIN | ACK);
    expect(director.connections(0)).toContainEqual(expect.objectContaining({ state: 'TIME_WAIT' }));
    const verdict = send(director, 1001, SYN);
    // The old one ends once there is the new one, for which there has to be room beside it.
    expect(verdict).toBe(['datagram', 'established'].includes(evict) ? 'forward nat-in' : 'drop table-full');
    expect(director.connections(0).some(({ state }) => state === 'TIME_WAIT')).toBe(false);
  });

  describe('templates', () => {
    const persistent = (evict: EvictName, connections: number) => ready(evict, connections, { persistent: 300 });
    const from = (director: Director, last: number, flags: number, now = 0) =>
      judged(director.send(fromClient(request('tcp', { source: `10.9.0.${last}`, flags })), 'cli', now))[0];
    const listed = (director: Director, now = 0) =>
      director.connections(now).map(({ clientAddress, template }) => `${clientAddress}${template ? ' template' : ''}`);

    it('go with their last connection when none was established', () => {
      const director = persistent('half-open', 4);
      for (const last of [1, 2, 3]) from(director, last, SYN);
      expect(listed(director).sort()).toEqual(['10.9.0.2', '10.9.0.2 template', '10.9.0.3', '10.9.0.3 template']);
      expect(evicted(director)).toEqual([2, 0, 0, 0]);
    });

    it('stay for as long as they control one', () => {
      const director = persistent('datagram', 4);
      for (const last of [1, 2]) for (const flags of [SYN, ACK]) from(director, last, flags);
      expect(from(director, 3, SYN)).toBe('drop table-full');
      expect(director.connectionCount).toBe(4);
    });

    it('that control none any more are forgotten like connections of UDP', () => {
      const director = persistent('datagram', 4);
      from(director, 1, SYN);
      from(director, 1, ACK);
      from(director, 1, FIN | ACK);
      const reset = { source: SERVERS[0], destination: '10.9.0.1', sport: 80, dport: 40_000, flags: FIN | ACK };
      director.send(fromServer(tcp(reset)), 'srv', 0);
      director.advance(130_000);
      expect(listed(director, 130_000)).toEqual(['10.9.0.1 template']);
      for (const last of [2, 3]) for (const flags of [SYN, ACK]) from(director, last, flags, 130_000);
      expect(listed(director, 130_000)).not.toContain('10.9.0.1 template');
      expect(evicted(director)).toEqual([0, 0, 1, 0]);
    });

    it('give their Call-ID back', () => {
      const director = ready('half-open', 2, { persistent: 300, pe: 'sip' }, [UDP_KEY]);
      const call = (id: number) => new TextEncoder().encode(`INVITE sip:a SIP/2.0\r\nCall-ID: ${id}\r\n\r\n`);
      for (let i = 1; i <= 1100; i++) {
        const verdict = datagram(director, 1000 + i, i * 400_000, call(i));
        expect(verdict).toBe('forward nat-in');
      }
    });
  });
});

it('an unknown policy is refused', () => {
  expect(() => lab([NAT], { evict: 'all' as EvictName })).toThrow(
    'expected an evict of none, half-open, closing, datagram, established, got "all"',
  );
});
