/** The automatic modes of secure_tcp, drop_entry and drop_packet: when they go on and off. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { BINARIES } from '../support/core.js';
import { fromClient, fromServer, judged, lab, lab6, request, request6, SERVERS, SERVERS6 } from '../support/lab.js';
import { ACK, icmp, udp } from '../support/packets.js';

const NAT = { address: SERVERS[0], method: 'nat' } as const;
const AUTOMATIC = { secure_tcp: 1, drop_entry: 1, drop_packet: 1 };
const ON = { secure_tcp: 2, drop_entry: 2, drop_packet: 2 };

describe.each(BINARIES)('%s', (binary) => {
  const plan = { connections: 64, connections6: 64, arenaBytes: 1 << 17 };
  const ready = (sysctl: object) => lab([NAT], { binary, plan, sysctl });
  const open = (director: Director, sport: number, now = 0) =>
    judged(director.send(fromClient(request('udp', { sport: 1000 + sport })), 'cli', now))[0];
  const fill = (director: Director, count: number, now = 0) => {
    for (let sport = 1; sport <= count; sport++) open(director, sport, now);
  };

  it('go on at the first second with less than a quarter of the table free, and off at the first with that', () => {
    const director = ready(AUTOMATIC);
    fill(director, 48);
    director.advance(1000);
    expect(director.getSysctl()).toMatchObject(AUTOMATIC);
    open(director, 49, 1000);
    director.advance(1999);
    expect(director.getSysctl()).toMatchObject(AUTOMATIC);
    director.advance(2000);
    expect(director.getSysctl()).toMatchObject(ON);
    // 300 s after their last packet they are gone.
    director.advance(301_000);
    director.advance(302_000);
    expect(director.connectionCount).toBe(0);
    expect(director.getSysctl()).toMatchObject(AUTOMATIC);
  });

  it('go on when they are written while there is little room', () => {
    const director = ready({});
    fill(director, 60);
    director.setSysctl(AUTOMATIC);
    expect(director.getSysctl()).toMatchObject(ON);
  });

  it('amemthresh says what little room is', () => {
    const director = ready({ ...AUTOMATIC, amemthresh: 2048 });
    fill(director, 32);
    director.advance(1000);
    expect(director.getSysctl()).toMatchObject(AUTOMATIC);
    open(director, 33, 1000);
    director.advance(2000);
    expect(director.getSysctl()).toMatchObject(ON);
    director.setSysctl({ amemthresh: 0 });
    director.advance(3000);
    expect(director.getSysctl()).toMatchObject(AUTOMATIC);
  });

  it('a full table of IPv6 is one, too', () => {
    const director = lab6([{ address: SERVERS6[0], method: 'nat' }], { binary, plan, sysctl: { secure_tcp: 1 } });
    for (let sport = 1; sport <= 49; sport++) {
      director.send(fromClient(request6('udp', { sport: 1000 + sport })), 'cli', 0);
    }
    director.advance(1000);
    expect(director.getSysctl().secure_tcp).toBe(2);
  });

  it('modes 0 and 3 stay', () => {
    for (const mode of [0, 3]) {
      const director = ready({ secure_tcp: mode, drop_entry: mode, amemthresh: 5000 });
      director.advance(1000);
      director.advance(2000);
      expect(director.getSysctl()).toMatchObject({ secure_tcp: mode, drop_entry: mode });
    }
  });

  describe('drop_packet', () => {
    it('3 drops the first and every tenth after it, of packets that would open a connection', () => {
      const director = ready({ drop_packet: 3 });
      const all = Array.from({ length: 31 }, (_, i) => open(director, i + 1));
      const dropped = all.flatMap((each, i) => (each === 'drop drop-packet' ? [i] : []));
      expect(dropped).toEqual([0, 10, 20, 30]);
      // Those of connections pass.
      expect(Array.from({ length: 20 }, () => open(director, 2))).toEqual(Array(20).fill('forward nat-in'));
    });

    it.each([
      [1, 3],
      [2, 2],
      [0, 0],
    ])('am_droprate %i drops %i of three', (am_droprate, dropped) => {
      const director = ready({ am_droprate, drop_packet: 3 });
      for (let sport = 1; sport <= 3; sport++) open(director, sport);
      expect(director.counters()['drop-packet']).toBe(BigInt(dropped));
    });

    it('another am_droprate counts from the next second on', () => {
      const director = ready({ am_droprate: 1, drop_packet: 3 });
      open(director, 1);
      director.setSysctl({ am_droprate: 0 });
      expect(open(director, 2)).toBe('drop drop-packet');
      director.advance(1000);
      expect(open(director, 3, 1000)).toBe('forward nat-in');
    });

    it('2 drops one of amemthresh / (amemthresh - free)', () => {
      const director = ready({ drop_packet: 1 });
      // 512 of 4096 are free: half of the threshold.
      fill(director, 56);
      director.advance(1000);
      const all = Array.from({ length: 4 }, (_, i) => open(director, 100 + i, 1000));
      expect(all.map((each) => each === 'drop drop-packet')).toEqual([false, true, false, true]);
    });

    it('what no service takes, and what opens nothing, is not its business', () => {
      const director = ready({ am_droprate: 1, drop_packet: 3 });
      expect(judged(director.send(fromClient(request('tcp', { flags: ACK })), 'cli', 0))).toEqual([
        'local not-opening',
      ]);
      expect(judged(director.send(fromClient(request('udp', { dport: 9 })), 'cli', 0))).toEqual([
        'local local-delivery',
      ]);
      // From FTP's data port nothing is opened, but the kernel has dropped it by then.
      expect(judged(director.send(fromClient(request('tcp', { sport: 20 })), 'cli', 0))).toEqual(['drop drop-packet']);
    });

    it('takes what schedule_icmp would open, too', () => {
      const director = ready({ am_droprate: 1, drop_packet: 3, schedule_icmp: 1 });
      const quoted = udp({ source: '10.0.0.100', destination: '10.0.0.2', sport: 53, dport: 1 });
      const error = icmp({ source: '10.1.0.11', destination: '10.0.0.100' }, 3, 3, quoted);
      expect(judged(director.send(fromServer(error), 'srv', 0))).toEqual(['drop drop-packet']);
    });
  });
});

it.each([{ secure_tcp: 4 }, { drop_entry: -1 }, { drop_packet: 1.5 }, { am_droprate: -1 }, { amemthresh: 2 ** 31 }])(
  '%o is refused',
  (sysctl) => {
    const director = lab([NAT]);
    expect(() => director.setSysctl(sysctl)).toThrow(RangeError);
  },
);
