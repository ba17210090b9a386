/** How the schedulers are wired into the director: what they see, and when they are told. */
import { describe, expect, it } from 'vitest';
import {
  maglevHash,
  maglevTable,
  parseAddress,
  Random,
  ReferenceDirector,
  type ReferenceOptions,
  type ReferenceScheduler,
  type SchedulerDest,
  serialiseIpv4,
} from '../../../src/reference/index.js';
import { ACK, CLIENT, frame, ip, judged, NETWORK, SYN, TCP_SERVICE, tcp, VIP } from '../builders.js';
import { dest as plainDest } from './support.js';

const MINUTE = 60_000;

/** A TCP service with DR dests 10.1.0.<n>, of weight 1 where none is said. */
function service(
  scheduler: ReferenceScheduler,
  dests: readonly (number | [n: number, weight: number])[],
  options: Partial<ReferenceOptions> = {},
): ReferenceDirector {
  const made = new ReferenceDirector({ network: NETWORK, ...options });
  made.addService({ ...TCP_SERVICE, scheduler });
  for (const each of dests) {
    const [n, weight] = typeof each === 'number' ? [each, 1] : each;
    made.addDest(TCP_SERVICE, { address: `10.1.0.${n}`, weight });
  }
  return made;
}

let port = 1000;

/** The last bytes of the servers that `count` new connections go to, 0 for none. */
function opens(made: ReferenceDirector, count: number, now = 0): number[] {
  return Array.from({ length: count }, () => {
    port += 1;
    const [outcome] = made.send(frame(tcp(SYN, [port, 80])), 'cli', now);
    return outcome!.verdict === 'forward' ? Number(outcome!.frame[5]!.toString(16)) : 0;
  });
}

const server = (n: number) => ({ address: `10.1.0.${n}` });

describe('a service may have', () => {
  // Weights 1, 3, 2 in list order; connections that are half open count as active.
  it.each<[ReferenceScheduler, number[]]>([
    ['rr', [13, 12, 11, 13, 12, 11]],
    ['wrr', [13, 12, 11, 12, 12, 11]],
    ['lc', [13, 12, 11, 13, 12, 11]],
    ['wlc', [13, 12, 11, 12, 11, 12]],
    ['sed', [12, 11, 12, 13, 12, 11]],
    ['nq', [13, 12, 11, 12, 12, 11]],
    ['fo', [12, 12, 12, 12, 12, 12]],
    ['ovf', [12, 12, 12, 12, 11, 11]],
    // The bucket of the client is 137, of six in a round; that of the virtual address 248, of three.
    ['sh', [11, 11, 11, 11, 11, 11]],
    ['dh', [11, 11, 11, 11, 11, 11]],
    ['lblc', [13, 13, 12, 12, 12, 12]],
    ['lblcr', [13, 13, 12, 12, 12, 12]],
  ])('%s', (scheduler, picked) => {
    const made = service(scheduler, [
      [11, 2],
      [12, 3],
      [13, 1],
    ]);
    expect(opens(made, 6)).toEqual(picked);
    expect(made.services()[0]!.scheduler).toBe(scheduler);
  });
});

describe('twos', () => {
  it('draws from the generator of the director, which all services share', () => {
    const made = service(
      'twos',
      [
        [11, 1],
        [12, 1],
      ],
      { seed: 5n },
    );
    const random = new Random(5n);
    // Nothing counts before the first connections: 0 and 1 are the head.
    const active = new Map([
      [12, 0],
      [11, 0],
    ]);
    for (let i = 0; i < 40; i++) {
      const [first, second] = [random.draw(3), random.draw(3)].map((place) => (place <= 1 ? 12 : 11)) as [
        number,
        number,
      ];
      const picked = active.get(first)! > active.get(second)! ? second : first;
      expect(opens(made, 1)).toEqual([picked]);
      active.set(picked, active.get(picked)! + 1);
    }
  });

  it('draws nothing for a service without a usable dest', () => {
    const [one, other] = [1, 2].map(() => service('twos', [11, 12, 13], { seed: 9n })) as [
      ReferenceDirector,
      ReferenceDirector,
    ];
    const none = { ...TCP_SERVICE, port: 81 };
    one.addService({ ...none, scheduler: 'twos' });
    one.send(frame(tcp(SYN, [1, 81])), 'cli', 0);
    expect(opens(one, 20)).toEqual(opens(other, 20));
  });
});

describe('the last weight', () => {
  /** The servers of mh's table, by number and last weight. */
  function expected(...dests: [n: number, lastWeight: number][]): number {
    const list: SchedulerDest[] = dests.map(([n, lastWeight]) => ({
      ...plainDest('A'),
      address: parseAddress(`10.1.0.${n}`),
      lastWeight,
    }));
    return list.indexOf(maglevTable(list, 4, 4093)[maglevHash(parseAddress(CLIENT), 1) % 4093]!);
  }

  it('stays when a dest is drained, so that nobody else gets its clients', () => {
    const made = service('mh', [11, 12, 13]);
    const [n] = opens(made, 1);
    for (const other of [11, 12, 13].filter((each) => each !== n)) {
      made.editDest(TCP_SERVICE, { ...server(other), weight: 0 });
      expect(opens(made, 1)).toEqual([n]);
    }
    made.editDest(TCP_SERVICE, { ...server(n!), weight: 0 });
    expect(opens(made, 1)).toEqual([0]);
    made.editDest(TCP_SERVICE, { ...server(n!), weight: 7 });
    made.editDest(TCP_SERVICE, { ...server(n!), weight: 0 });
    const weights = [13, 12, 11].map((each): [number, number] => [each, each === n ? 7 : 1]);
    const now = weights[expected(...weights)]![0];
    made.editDest(TCP_SERVICE, { ...server(now), weight: now === n ? 7 : 1 });
    expect(opens(made, 1)).toEqual([now]);
  });

  it('is none for one that is added with weight 0, even if it had one before it was deleted', () => {
    const made = service('mh', [11, 12]);
    expect(opens(made, 30)).toHaveLength(30);
    for (const n of [11, 12]) {
      made.deleteDest(TCP_SERVICE, server(n));
      made.addDest(TCP_SERVICE, { ...server(n), weight: 0 });
      expect(opens(made, 1)).toEqual([n === 11 ? 12 : 0]);
    }
    made.editDest(TCP_SERVICE, { ...server(11), weight: 1 });
    expect(opens(made, 1)).toEqual([11]);
  });
});

describe('flags', () => {
  it('take effect at once', () => {
    const made = service('mh', [11, 12, 13]);
    expect(new Set(opens(made, 30)).size).toBe(1);
    made.editService({ ...TCP_SERVICE, scheduler: 'mh', flags: ['mh-port'] });
    expect(new Set(opens(made, 30)).size).toBe(3);
    made.editDest(TCP_SERVICE, { ...server(11), weight: 0 });
    expect(opens(made, 30)).toContain(0);
    made.editService({ ...TCP_SERVICE, scheduler: 'mh', flags: ['mh-port', 'mh-fallback'] });
    expect(new Set(opens(made, 30))).toEqual(new Set([12, 13]));
  });

  it('maglev has those of mh', () => {
    const made = service('maglev', [11, 12, 13]);
    expect(new Set(opens(made, 10)).size).toBe(1);
    made.editService({ ...TCP_SERVICE, scheduler: 'maglev', flags: ['mh-port'] });
    expect(new Set(opens(made, 30)).size).toBe(3);
  });
});

describe('a deleted dest that lblc remembers', () => {
  /** lblc remembers 12 for the VIP; 12 is deleted and has no connections. */
  function remembered(options: Partial<ReferenceOptions> = {}) {
    const made = service('lblc', [11, 12], options);
    expect(opens(made, 1)).toEqual([12]);
    const later = 2 * MINUTE;
    expect(made.connections(later)).toEqual([]);
    made.deleteDest(TCP_SERVICE, server(12));
    return { made, later };
  }

  const counted = (made: ReferenceDirector) => made.services()[0]!.dests[0]!.stats.connections;

  it('waits in the trash, and is the one of its address again when it is added', () => {
    const { made, later } = remembered();
    made.addDest(TCP_SERVICE, server(12));
    expect(counted(made)).toBe(1n);
    // By wlc it would be 13, the head.
    made.addDest(TCP_SERVICE, server(13));
    expect(opens(made, 1, later)).toEqual([12]);
  });

  it('is forgotten when its address went to another one', () => {
    const { made, later } = remembered();
    expect(opens(made, 1, later)).toEqual([11]);
    made.addDest(TCP_SERVICE, server(12));
    expect(counted(made)).toBe(0n);
    expect(opens(made, 1, later)).toEqual([11]);
  });

  it('is forgotten with the scheduler', () => {
    const { made } = remembered();
    made.editService({ ...TCP_SERVICE, scheduler: 'lblcr' });
    made.editService({ ...TCP_SERVICE, scheduler: 'lblc' });
    made.addDest(TCP_SERVICE, server(12));
    expect(counted(made)).toBe(0n);
  });

  it('is remembered through an edit that keeps the scheduler', () => {
    const { made } = remembered();
    made.editService({ ...TCP_SERVICE, scheduler: 'lblc' });
    made.addDest(TCP_SERVICE, server(12));
    expect(counted(made)).toBe(1n);
  });

  it('is forgotten with the service', () => {
    const { made } = remembered();
    made.deleteService(TCP_SERVICE);
    made.addService({ ...TCP_SERVICE, scheduler: 'lblc' });
    made.addDest(TCP_SERVICE, server(12));
    expect(counted(made)).toBe(0n);
  });

  it('is forgotten when the entry expires: half an hour and more after the service got its scheduler', () => {
    for (const [minutes, count] of [
      [29, 1n],
      [30, 0n],
    ] as const) {
      const { made } = remembered({ sysctl: { lblc_expiration: 600 } });
      made.advance(minutes * MINUTE);
      made.addDest(TCP_SERVICE, server(12));
      expect(counted(made)).toBe(count);
    }
  });

  it('the half hours are counted from the latest time that the director knew', () => {
    const made = new ReferenceDirector({ network: NETWORK, sysctl: { lblc_expiration: 0 } });
    made.advance(7 * MINUTE);
    made.addService({ ...TCP_SERVICE, scheduler: 'lblc' });
    made.addDest(TCP_SERVICE, server(11));
    expect(opens(made, 1, 36 * MINUTE)).toEqual([11]);
    made.addDest(TCP_SERVICE, server(12));
    expect(opens(made, 1, 37 * MINUTE - 1)).toEqual([11]);
    expect(opens(made, 1, 37 * MINUTE)).toEqual([12]);
  });

  it('lblcr has a switch of its own', () => {
    const made = service('lblcr', [11], { sysctl: { lblc_expiration: 1, lblcr_expiration: 3600 } });
    expect(opens(made, 1)).toEqual([11]);
    made.addDest(TCP_SERVICE, server(12));
    expect(opens(made, 1, 31 * MINUTE)).toEqual([11]);
    made.setSysctl({ lblcr_expiration: 60 });
    made.advance(89 * MINUTE);
    expect(opens(made, 1, 90 * MINUTE)).toEqual([12]);
  });
});

describe('as a live kernel of version 6.1 did it', () => {
  /** The service anew, with another scheduler and weights of 2, 3 and 1. */
  function again(made: ReferenceDirector, scheduler: ReferenceScheduler): void {
    made.clear();
    made.addService({ ...TCP_SERVICE, scheduler });
    for (const [i, weight] of [2, 3, 1].entries()) made.addDest(TCP_SERVICE, { ...server(11 + i), weight });
  }

  it('from dh to lblcr to sed, on the connections that are there', () => {
    const made = service('dh', [11, 12], { sysctl: { schedule_icmp: 1 } });
    // The bucket of the virtual address is 248, that of the client 137: a packet that an error quotes goes to the client.
    expect(opens(made, 1)).toEqual([12]);
    const quoted = tcp(ACK, [80, 999], { source: VIP, destination: CLIENT });
    const error = Uint8Array.of(3, 3, 0, 0, 0, 0, 0, 0, ...serialiseIpv4(quoted));
    expect(judged(made.send(frame(ip({ protocol: 1, payload: error })), 'cli', 0))).toEqual(['forward icmp-in']);
    expect(made.connections(0)).toMatchObject([{ destAddress: '10.1.0.12' }, { destAddress: '10.1.0.11' }]);

    again(made, 'lblcr');
    expect(opens(made, 12)).toEqual([13, 13, 11, 11, 11, 12, 12, 12, 12, 11, 12, 12]);
    made.deleteDest(TCP_SERVICE, server(12));
    expect(opens(made, 3)).toEqual([13, 11, 11]);
    made.addDest(TCP_SERVICE, { ...server(12), weight: 20 });
    expect(opens(made, 3)).toEqual([12, 12, 12]);
    expect(made.services()[0]!.dests.map((each) => each.activeConnections)).toEqual([10, 3, 6]);

    again(made, 'sed');
    expect(opens(made, 6)).toEqual([11, 12, 13, 12, 11, 12]);
  });
});
