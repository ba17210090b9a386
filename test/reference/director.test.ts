import { describe, expect, it } from 'vitest';
import { ReferenceDirector } from '../../src/reference/index.js';
import {
  ACK,
  CLIENT,
  director,
  FIN_ACK,
  frame,
  judged,
  NETWORK,
  SERVER,
  SYN,
  TCP_SERVICE,
  tcp,
  UDP_SERVICE,
  udp,
} from './builders.js';

/** A TCP service with DR dests 10.1.0.<n>. */
function service(scheduler: 'rr' | 'wrr' | 'wlc' | 'sh', ...dests: [number, object?][]): ReferenceDirector {
  const made = new ReferenceDirector({ network: NETWORK });
  made.addService({ ...TCP_SERVICE, scheduler });
  for (const [n, words] of dests) made.addDest(TCP_SERVICE, { address: `10.1.0.${n}`, ...words });
  return made;
}

let port = 1000;

/** The last bytes of the servers that new connections go to, 0 for none. */
function opens(made: ReferenceDirector, count: number, now = 0): number[] {
  return Array.from({ length: count }, () => {
    port += 1;
    const [outcome] = made.send(frame(tcp(SYN, [port, 80])), 'cli', now);
    return outcome!.verdict === 'forward' ? Number(outcome!.frame[5]!.toString(16)) : 0;
  });
}

describe('services and dests', () => {
  it('are listed, the newest dest first', () => {
    const made = service(
      'sh',
      [11],
      [12, { method: 'nat', port: 8080, weight: 3, upperThreshold: 9, lowerThreshold: 5 }],
    );
    made.editService({ ...TCP_SERVICE, scheduler: 'sh', flags: ['sh-port'] });
    const stats = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };
    const none = { activeConnections: 0, inactiveConnections: 0, persistentConnections: 0, stats, rates: stats };
    expect(made.services()).toEqual([
      {
        ...TCP_SERVICE,
        scheduler: 'sh',
        flags: ['sh-port'],
        stats,
        rates: stats,
        dests: [
          { address: '10.1.0.12', port: 8080, method: 'nat', weight: 3, upperThreshold: 9, lowerThreshold: 5, ...none },
          { address: '10.1.0.11', port: 80, method: 'dr', weight: 1, upperThreshold: 0, lowerThreshold: 0, ...none },
        ],
      },
    ]);
  });

  it('have ipvsadm’s defaults', () => {
    const made = new ReferenceDirector({ network: NETWORK });
    made.addService(TCP_SERVICE);
    made.addDest(TCP_SERVICE, { address: SERVER, port: 8080 });
    expect(made.services()).toMatchObject([
      { scheduler: 'wlc', flags: [], dests: [{ method: 'dr', port: 80, weight: 1 }] },
    ]);
  });

  it('exist once, and must exist to be changed', () => {
    const made = service('rr', [11]);
    expect(() => made.addService(TCP_SERVICE)).toThrow('exists');
    expect(() => made.addDest(TCP_SERVICE, { address: SERVER })).toThrow('exists');
    expect(() => made.editService(UDP_SERVICE)).toThrow('no service');
    expect(() => made.deleteService(UDP_SERVICE)).toThrow('no service');
    expect(() => made.addDest(UDP_SERVICE, { address: SERVER })).toThrow('no service');
    expect(() => made.editDest(TCP_SERVICE, { address: '10.1.0.12' })).toThrow('no dest');
    expect(() => made.deleteDest(TCP_SERVICE, { address: SERVER, port: 81 })).toThrow('no dest');
  });

  it.each(['0.0.0.0', '224.0.0.1', '239.255.255.255', '255.255.255.255'])(
    'a dest has a unicast address, not %s',
    (address) => {
      const made = service('rr');
      expect(() => made.addDest(TCP_SERVICE, { address })).toThrow(RangeError);
      expect(made.services()[0]!.dests).toEqual([]);
    },
  );

  it.each(['0.0.0.5', '1.0.0.0', '127.0.0.1', '223.255.255.255', '240.0.0.1'])('a dest may have %s', (address) => {
    const made = service('rr');
    made.addDest(TCP_SERVICE, { address });
    expect(made.services()[0]!.dests).toMatchObject([{ address }]);
  });

  it('a deleted service takes nothing any more, and its connections neither', () => {
    const made = service('rr', [11]);
    made.send(frame(tcp(SYN, [40000, 80])), 'cli', 0);
    made.deleteService(TCP_SERVICE);
    expect(made.services()).toEqual([]);
    expect(judged(made.send(frame(tcp(ACK, [40000, 80])), 'cli', 0))).toEqual(['drop dest-unavailable']);
    expect(judged(made.send(frame(tcp(SYN, [40001, 80])), 'cli', 0))).toEqual(['local local-delivery']);
    made.addService(TCP_SERVICE);
    made.addDest(TCP_SERVICE, { address: SERVER });
    expect(judged(made.send(frame(tcp(ACK, [40000, 80])), 'cli', 0))).toEqual(['forward direct-route']);
    expect(made.services()[0]!.dests[0]).toMatchObject({
      activeConnections: 1,
      stats: { connections: 0n, inPackets: 1n },
    });
  });
});

describe('the trash', () => {
  it('gives a dest back with its connections, at the head of the list', () => {
    const made = service('wlc', [11], [12]);
    expect(opens(made, 4)).toEqual([12, 11, 12, 11]);
    made.deleteDest(TCP_SERVICE, { address: SERVER });
    expect(opens(made, 2)).toEqual([12, 12]);
    made.addDest(TCP_SERVICE, { address: SERVER });
    expect(
      made.services()[0]!.dests.map((each) => [each.address, each.activeConnections, each.stats.connections]),
    ).toEqual([
      ['10.1.0.11', 2, 2n],
      ['10.1.0.12', 4, 4n],
    ]);
    expect(opens(made, 4)).toEqual([11, 11, 11, 12]);
  });

  it('forgets a dest with its last connection', () => {
    const made = service('wlc', [11]);
    opens(made, 1, 0);
    made.deleteDest(TCP_SERVICE, { address: SERVER });
    made.advance(60_000);
    made.addDest(TCP_SERVICE, { address: SERVER });
    expect(made.services()[0]!.dests).toMatchObject([{ activeConnections: 0, stats: { connections: 0n } }]);
  });

  it('is of one service', () => {
    const made = service('wlc', [11]);
    opens(made, 1);
    made.deleteDest(TCP_SERVICE, { address: SERVER });
    const other = { ...TCP_SERVICE, port: 81 };
    made.addService(other);
    made.addDest(other, { address: SERVER, port: 80, method: 'nat' });
    expect(made.services()[1]!.dests).toMatchObject([{ activeConnections: 0 }]);
  });
});

describe('scheduling', () => {
  it('begins with the newest, and edits do not move a dest', () => {
    const made = service('rr', [11], [12], [13]);
    expect(opens(made, 4)).toEqual([13, 12, 11, 13]);
    made.editDest(TCP_SERVICE, { address: '10.1.0.12', weight: 0 });
    expect(opens(made, 3)).toEqual([11, 13, 11]);
  });

  it('goes on in front of a deleted dest', () => {
    const made = service('rr', [11], [12], [13]);
    expect(opens(made, 2)).toEqual([13, 12]);
    made.deleteDest(TCP_SERVICE, { address: '10.1.0.12' });
    expect(opens(made, 3)).toEqual([11, 13, 11]);
  });

  it('starts anew with another scheduler only', () => {
    const made = service('rr', [11], [12]);
    expect(opens(made, 1)).toEqual([12]);
    made.editService({ ...TCP_SERVICE, scheduler: 'rr' });
    expect(opens(made, 2)).toEqual([11, 12]);
    made.editService({ ...TCP_SERVICE, scheduler: 'wrr' });
    made.editService({ ...TCP_SERVICE, scheduler: 'rr' });
    expect(opens(made, 1)).toEqual([12]);
  });

  it('wrr begins at the top when it comes after the dests', () => {
    const made = service('rr', [13, { weight: 2 }], [12, { weight: 3 }], [11, { weight: 4 }]);
    made.editService({ ...TCP_SERVICE, scheduler: 'wrr' });
    expect(opens(made, 9)).toEqual([11, 11, 12, 11, 12, 13, 11, 12, 13]);
  });

  it('sh follows its flags at once', () => {
    const made = service('sh', [11], [12]);
    const all = () => new Set(opens(made, 40));
    expect(all().size).toBe(1);
    made.editService({ ...TCP_SERVICE, scheduler: 'sh', flags: ['sh-port'] });
    expect(all()).toEqual(new Set([11, 12]));
    made.editDest(TCP_SERVICE, { address: SERVER, weight: 0 });
    expect(all()).toEqual(new Set([0, 12]));
    made.editService({ ...TCP_SERVICE, scheduler: 'sh', flags: ['sh-port', 'sh-fallback'] });
    expect(all()).toEqual(new Set([12]));
  });
});

describe('thresholds', () => {
  it('close at the upper one and open below the lower one', () => {
    const made = service('rr', [11, { upperThreshold: 3, lowerThreshold: 2 }]);
    // Ends at 60, 61 and 62 s.
    expect([0, 1000, 2000, 2000].flatMap((now) => opens(made, 1, now))).toEqual([11, 11, 11, 0]);
    expect(opens(made, 1, 60_000)).toEqual([0]);
    expect(opens(made, 3, 61_000)).toEqual([11, 11, 0]);
  });

  it('without a lower one open below three quarters', () => {
    const made = service('rr', [11, { upperThreshold: 4 }]);
    expect([0, 1000, 2000, 3000, 3000].flatMap((now) => opens(made, 1, now))).toEqual([11, 11, 11, 11, 0]);
    expect(opens(made, 1, 60_000)).toEqual([0]);
    expect(opens(made, 1, 61_000)).toEqual([11]);
  });

  it('are lifted by a higher one at once, by a lower one not', () => {
    const made = service('rr', [11, { upperThreshold: 2 }]);
    expect(opens(made, 3)).toEqual([11, 11, 0]);
    made.editDest(TCP_SERVICE, { address: SERVER, upperThreshold: 1 });
    expect(opens(made, 1)).toEqual([0]);
    made.editDest(TCP_SERVICE, { address: SERVER, upperThreshold: 3 });
    expect(opens(made, 2)).toEqual([11, 0]);
    made.editDest(TCP_SERVICE, { address: SERVER });
    expect(opens(made, 1)).toEqual([11]);
  });
});

describe('time', () => {
  it('ends connections', () => {
    const made = director('nat');
    made.send(frame(tcp(SYN, [40000, 80])), 'cli', 0);
    made.send(frame(udp([40000, 53])), 'cli', 500);
    expect(made.connections(1500)).toEqual([
      {
        protocol: 'tcp',
        clientAddress: CLIENT,
        clientPort: 40000,
        virtualAddress: '10.0.0.100',
        virtualPort: 80,
        destAddress: SERVER,
        destPort: 8080,
        method: 'nat',
        state: 'SYN_RECV',
        expires: 58.5,
        idle: 1.5,
        inPackets: 1,
      },
      expect.objectContaining({ protocol: 'udp', state: 'UDP', expires: 299 }),
    ]);
    expect(made.connections(59_999).length).toBe(2);
    expect(made.connections(60_000)).toMatchObject([{ protocol: 'udp' }]);
    expect(made.services()[0]!.dests).toMatchObject([{ activeConnections: 0, inactiveConnections: 0 }]);
    made.advance(300_500);
    expect(made.connections(300_500)).toEqual([]);
    expect(made.services()[1]!.dests).toMatchObject([{ inactiveConnections: 0 }]);
  });

  it('starts again with every packet, also one that goes nowhere', () => {
    const made = director('nat');
    made.send(frame(udp([40000, 53])), 'cli', 0);
    made.send(frame(udp([40000, 53], { ttl: 1 })), 'cli', 200_000);
    expect(made.connections(200_000)).toMatchObject([{ expires: 300, inPackets: 2 }]);
    made.send(frame(udp([5353, 40000], { source: SERVER, destination: CLIENT }), 'srv'), 'srv', 400_000);
    expect(made.connections(400_000)).toMatchObject([{ expires: 300, inPackets: 2 }]);
  });

  it('runs by the timeouts of the last packet', () => {
    const made = director('nat');
    for (const flags of [SYN, ACK]) made.send(frame(tcp(flags, [40000, 80])), 'cli', 0);
    made.send(frame(udp([40000, 53])), 'cli', 0);
    made.setTimeouts({ tcp: 100, tcpfin: 0, udp: 0 });
    expect(made.connections(0).map((each) => each.expires)).toEqual([900, 300]);
    made.send(frame(udp([40000, 53])), 'cli', 0);
    expect(made.connections(0)[1]!.expires).toBe(300);
    made.setTimeouts({ tcpfin: 30, udp: 20 });
    made.send(frame(tcp(ACK, [40000, 80])), 'cli', 0);
    made.send(frame(udp([40000, 53])), 'cli', 0);
    expect(made.connections(0).map((each) => each.expires)).toEqual([100, 20]);
    made.send(frame(tcp(FIN_ACK, [8080, 40000], { source: SERVER, destination: CLIENT }), 'srv'), 'srv', 0);
    expect(made.connections(0)[0]).toMatchObject({ state: 'FIN_WAIT', expires: 30 });
  });
});

it('counts packets and IP bytes of service and dest', () => {
  const made = director('nat');
  made.send(frame(tcp(SYN, [40000, 80])), 'cli', 0);
  made.send(Uint8Array.from([...frame(tcp(ACK, [40000, 80], {}, 2)), 0, 0, 0, 0]), 'cli', 0);
  const stats = { connections: 1n, inPackets: 2n, outPackets: 0n, inBytes: 82n, outBytes: 0n };
  expect(made.services()[0]).toMatchObject({ stats, dests: [{ stats, activeConnections: 1, inactiveConnections: 0 }] });
});

it('connections outlive a change of the network', () => {
  const made = director('nat');
  made.send(frame(udp([40000, 53])), 'cli', 0);
  made.setNetwork({ ...NETWORK, neighbours: [] });
  expect(judged(made.send(frame(udp([40000, 53])), 'cli', 0))).toEqual(['drop no-neighbour']);
  expect(made.connections(0)).toMatchObject([{ inPackets: 2 }]);
});
