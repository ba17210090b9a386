/** The defence against floods, as docs/defence.md has it. */
import { describe, expect, it } from 'vitest';
import { Random, ReferenceDirector, type ReferenceOptions } from '../../src/reference/index.js';
import { ACK, frame, judged, NETWORK, SERVER, SYN, TCP_SERVICE, tcp, UDP_SERVICE, udp } from './builders.js';

function director(options: Partial<ReferenceOptions>): ReferenceDirector {
  const made = new ReferenceDirector({ network: NETWORK, ...options });
  for (const service of [TCP_SERVICE, UDP_SERVICE]) {
    made.addService({ ...service, scheduler: 'rr' });
    made.addDest(service, { address: SERVER, method: 'nat' });
  }
  return made;
}

const opens = (made: ReferenceDirector, port: number, now = 0): string =>
  judged(made.send(frame(tcp(SYN, [port, 80])), 'cli', now)).join();

const states = (made: ReferenceDirector, now: number): string[] =>
  made.connections(now).map(({ state, clientPort }) => `${state} ${clientPort}`);

describe('drop_packet', () => {
  it('3: drops the first, and then one of am_droprate', () => {
    const made = director({ sysctl: { drop_packet: 3, am_droprate: 3 } });
    const judgements = Array.from({ length: 8 }, (_, i) => opens(made, 1000 + i));
    const [dropped, sent] = ['drop drop-packet', 'forward nat-in'];
    expect(judgements).toEqual([dropped, sent, sent, dropped, sent, sent, dropped, sent]);
    // What has its connection is never asked.
    expect(judged(made.send(frame(tcp(ACK, [1001, 80])), 'cli', 0))).toEqual(['forward nat-in']);
  });

  it('takes another rate at the next look, once a second', () => {
    const made = director({ sysctl: { drop_packet: 3, am_droprate: 0 } });
    made.setSysctl({ am_droprate: 1 });
    expect(opens(made, 1000, 500)).toBe('forward nat-in');
    expect(opens(made, 1001, 1000)).toBe('drop drop-packet');
  });

  it('1: by how much room is missing, and is 2 meanwhile', () => {
    const made = director({ connections: 4, sysctl: { drop_packet: 1, amemthresh: 2048 } });
    for (const port of [1, 2]) expect(opens(made, port, 1)).toBe('forward nat-in');
    // Half full is not too full.
    expect(opens(made, 3, 1000)).toBe('forward nat-in');
    // A quarter is free: one of 2048 / (2048 - 1024).
    expect(opens(made, 4, 2000)).toBe('forward nat-in');
    expect(opens(made, 5, 2001)).toBe('drop drop-packet');
    expect(opens(made, 6, 2002)).toBe('drop table-full');
    // All are gone: it is 1 again.
    expect(Array.from({ length: 3 }, (_, i) => opens(made, 10 + i, 70_000))).toEqual(
      new Array(3).fill('forward nat-in'),
    );
  });
});

describe('secure_tcp', () => {
  const shake = (made: ReferenceDirector, now = 0): string[] => {
    made.send(frame(tcp(SYN, [1000, 80])), 'cli', now);
    made.send(frame(tcp(ACK, [1000, 80])), 'cli', now);
    return states(made, now);
  };

  it('3: no client establishes a connection alone', () => {
    expect(shake(director({}))).toEqual(['ESTABLISHED 1000']);
    const made = director({ sysctl: { secure_tcp: 3 } });
    expect(shake(made)).toEqual(['SYN_RECV 1000']);
    made.setSysctl({ secure_tcp: 0 });
    expect(shake(made)).toEqual(['ESTABLISHED 1000']);
  });

  it('1 is on while there is little room', () => {
    const made = director({ connections: 4, sysctl: { secure_tcp: 1, amemthresh: 4097 } });
    expect(shake(made)).toEqual(['SYN_RECV 1000']);
    made.setSysctl({ amemthresh: 1024 });
    made.send(frame(tcp(ACK, [1000, 80])), 'cli', 999);
    expect(states(made, 999)).toEqual(['SYN_RECV 1000']);
    made.send(frame(tcp(ACK, [1000, 80])), 'cli', 1000);
    expect(states(made, 1000)).toEqual(['ESTABLISHED 1000']);
  });
});

describe('drop_entry', () => {
  it('ends half-open connections by the number that is drawn, one of 32', () => {
    const made = director({ connections: 40, connections6: 1, seed: 5n, sysctl: { drop_entry: 3 } });
    for (let i = 0; i < 40; i++) opens(made, 1000 + i);
    const random = new Random(5n);
    const gone = new Set<number>();
    for (let second = 1; second <= 3; second++) {
      for (let i = 0; i < 2; i++) gone.add(1000 + random.draw(40));
      random.draw(1);
      expect(states(made, second * 1000)).toEqual(
        Array.from({ length: 40 }, (_, i) => 1000 + i)
          .filter((port) => !gone.has(port))
          .map((port) => `SYN_RECV ${port}`),
      );
    }
  });

  it('ends idle connections by their packets: of those with n every n-th', () => {
    const made = director({ connections: 1, connections6: 1, sysctl: { drop_entry: 3 } });
    const live = (from: number, packets: number): number => {
      for (let i = 0; i < packets; i++) made.send(frame(udp([1000, 53])), 'cli', from);
      for (let second = 1; second <= 150; second++) {
        if (made.connections(from + second * 1000).length === 0) return second;
      }
      return 0;
    };
    expect([live(0, 2), live(200_000, 2), live(400_000, 2)]).toEqual([60, 61, 61]);
    expect(live(600_000, 1)).toBe(60);
    expect(live(800_000, 9)).toBe(0);
  });

  it('ends templates that control nobody and of which no connection was established', () => {
    const made = director({ connections: 2, connections6: 1, sysctl: { drop_entry: 3 } });
    made.editService({ ...TCP_SERVICE, scheduler: 'rr', persistent: 300 });
    opens(made, 1000);
    // The template goes with its connection.
    let second = 1;
    while (made.connections(second * 1000).length === 2) second += 1;
    expect(states(made, second * 1000)).toEqual([]);
  });

  it('leaves others, and is off by default', () => {
    const made = director({ connections: 1, connections6: 1, sysctl: { drop_entry: 3 } });
    opens(made, 1000);
    made.send(frame(tcp(ACK, [1000, 80])), 'cli', 0);
    expect(states(made, 59_999)).toEqual(['ESTABLISHED 1000']);
    const off = director({ connections: 1, connections6: 1 });
    opens(off, 1000);
    expect(states(off, 59_999)).toEqual(['SYN_RECV 1000']);
  });

  it('after a pause looks for as many seconds, but no more than 64', () => {
    const made = director({ connections: 64, connections6: 1, sysctl: { drop_entry: 3 } });
    for (let i = 0; i < 64; i++) made.send(frame(udp([1000 + i, 53])), 'cli', 0);
    const random = new Random(0n);
    const drawn = new Set<number>();
    for (let look = 0; look < 64; look++) {
      for (let i = 0; i < 2; i++) drawn.add(random.draw(64));
      random.draw(1);
    }
    expect(made.connections(250_000)).toHaveLength(64 - drawn.size);
  });
});
