import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  MAGLEV_SLOTS,
  Maglev,
  MH_SLOTS,
  maglevHash,
  maglevPermutation,
  maglevTable,
  maglevTurns,
  parseAddress,
  parseAnyAddress,
  type SchedulerDest,
  siphash13,
} from '../../../src/reference/index.js';
import { dest, keyOf } from './support.js';

/** A dest on port 8080. */
function server(address: string, weight = 1): SchedulerDest {
  return { ...dest('S', weight), address: parseAnyAddress(address), port: 8080 };
}

const CLIENTS = ['10.0.0.2', '10.0.0.3', '192.0.2.1', '203.0.113.77'].map(parseAddress);

/** In list order. */
const SERVERS = ['172.16.0.4', '172.16.0.3', '172.16.0.2'].map((each) => server(each));

/** The table as indices into the list. */
function indices(dests: readonly SchedulerDest[]): number[] {
  return maglevTable(dests, 4, MH_SLOTS).map((each) => dests.indexOf(each));
}

function sha256(bytes: readonly number[]): string {
  return createHash('sha256').update(Uint8Array.from(bytes)).digest('hex');
}

function shares(table: readonly number[]): number[] {
  return SERVERS.map((_, i) => table.filter((each) => each === i).length);
}

describe('SipHash-1-3', () => {
  it('agrees with the self-test of the kernel', () => {
    const key = [0x0706050403020100n, 0x0f0e0d0c0b0a0908n] as const;
    expect(siphash13(Uint8Array.of(0, 1, 2, 3), key) & 0xffffffffn).toBe(0x88d38328n);
  });

  it('takes words of eight bytes, then the rest with the length', () => {
    const key = [1n, 2n] as const;
    const hashes = [0, 1, 7, 8, 9, 16].map((length) => siphash13(new Uint8Array(length), key));
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

describe('the table of mh', () => {
  it('hashes as the kernel does', () => {
    expect([maglevHash(0, 1), maglevHash(0, 2), maglevHash(0x0a000002, 1)]).toEqual([
      0x1d5a77c2, 0xf882433f, 0x41cfde13,
    ]);
    expect(maglevHash(2 ** 32 + 5, 1)).toBe(maglevHash(5, 1));
  });

  it('gives each dest a permutation', () => {
    expect(SERVERS.map((each) => maglevPermutation(each, 4, MH_SLOTS))).toEqual([
      { start: 3434, skip: 2702 },
      { start: 2057, skip: 3747 },
      { start: 3952, skip: 355 },
    ]);
  });

  it('of equal weights', () => {
    const table = indices(SERVERS);
    expect(shares(table)).toEqual([1365, 1364, 1364]);
    expect(table.slice(0, 20).join(' ')).toBe('1 2 0 2 2 2 1 0 1 1 0 1 0 0 1 0 1 1 0 1');
    expect(sha256(table)).toBe('422920c9a8146af043a9464c42210323f3eb5fb75432d9adb0f5b0acf4e5507d');
  });

  it('of weights that are far apart', () => {
    const dests = [server('172.16.0.4', 128), server('172.16.0.3', 3), server('172.16.0.2', 1)];
    expect(maglevTurns(dests)).toEqual([32, 1, 1]);
    const table = indices(dests);
    expect(shares(table)).toEqual([3853, 120, 120]);
    expect(sha256(table)).toBe('8d150f2bfe4ff7a5b93bbd81ded11180f9329a5dcf86774fb63735d4066df6af');
  });

  it('counts weights by what divides them all, in six bits', () => {
    const turns = (...weights: number[]) => maglevTurns(weights.map((weight) => dest('A', weight)));
    expect(turns(20, 30, 0)).toEqual([2, 3, 0]);
    expect(turns(63, 1)).toEqual([63, 1]);
    expect(turns(64, 1, 3)).toEqual([32, 1, 1]);
    expect(turns(65535, 65534, 2048)).toEqual([63, 63, 2]);
    expect(turns(0, 0)).toEqual([0, 0]);
    expect(turns()).toEqual([]);
  });

  it('goes by the last weight that was not 0, and leaves out who never had one', () => {
    const drained = SERVERS.map((each, i) => ({ ...each, weight: i }));
    expect(indices(drained)).toEqual(indices(SERVERS));
    const [a, b, c] = SERVERS;
    const without = maglevTable([a!, { ...b!, lastWeight: 0 }, c!], 4, MH_SLOTS);
    expect(new Set(without)).toEqual(new Set([a, c]));
    expect(maglevTable([dest('A', 0)], 4, MH_SLOTS)).toEqual([]);
    expect(maglevTable([], 4, MH_SLOTS)).toEqual([]);
  });

  it('lets each dest in turn take the next of its slots that is free', () => {
    const table = maglevTable(SERVERS, 4, 7);
    const walks = SERVERS.map((each) => maglevPermutation(each, 4, 7));
    const slots: (SchedulerDest | undefined)[] = new Array(7).fill(undefined);
    for (let n = 0; n < 7; n++) {
      const { start, skip } = walks[n % 3]!;
      const order = Array.from({ length: 7 }, (_, i) => (start + i * skip) % 7);
      slots[order.find((slot) => slots[slot] === undefined)!] = SERVERS[n % 3];
    }
    expect(table).toEqual(slots);
  });

  it('folds what is IPv6 by the family of the service', () => {
    const [one, other] = [server('2001:db8::1'), server('2001:db8::2')];
    expect(maglevPermutation(one, 6, MH_SLOTS)).not.toEqual(maglevPermutation(other, 6, MH_SLOTS));
    expect(maglevPermutation(one, 4, MH_SLOTS)).toEqual(maglevPermutation(other, 4, MH_SLOTS));
    expect(maglevPermutation(one, 4, MH_SLOTS)).toEqual(maglevPermutation(server('32.1.13.184'), 4, MH_SLOTS));
  });
});

describe('mh', () => {
  const of = (...flags: string[]) => new Maglev<SchedulerDest>(MH_SLOTS, 4, () => flags);

  it('takes the dest in the slot of the client', () => {
    expect(CLIENTS.map((client) => maglevHash(client, 1) % MH_SLOTS)).toEqual([1884, 3741, 2891, 2731]);
    const picked = CLIENTS.map((sourceAddress) => of().pick(SERVERS, keyOf({ sourceAddress })));
    expect(picked).toEqual([SERVERS[2], SERVERS[2], SERVERS[0], SERVERS[1]]);
  });

  it('folds the four words of an IPv6 client', () => {
    const dests = [server('fd00:1::11'), server('fd00:1::12'), server('fd00:1::13')];
    const table = maglevTable(dests, 6, MH_SLOTS);
    const mh = new Maglev<SchedulerDest>(MH_SLOTS, 6, () => []);
    for (const [client, slot] of [
      ['2001:db8::1', 3457],
      ['fd00::a00:2', 3351],
    ] as const) {
      expect(mh.pick(dests, keyOf({ sourceAddress: parseAnyAddress(client) })), client).toBe(table[slot]);
    }
  });

  it('mh-port adds the port', () => {
    const table = maglevTable(SERVERS, 4, MH_SLOTS);
    for (let sourcePort = 40000; sourcePort < 40020; sourcePort++) {
      const slot = maglevHash(0x0a000002 + sourcePort, 1) % MH_SLOTS;
      expect(of('mh-port').pick(SERVERS, keyOf({ sourcePort }))).toBe(table[slot]);
      expect(of('sh-port').pick(SERVERS, keyOf({ sourcePort }))).toBe(table[1884]);
    }
  });

  it('has none for an unusable dest', () => {
    const key = keyOf({ sourceAddress: CLIENTS[0]! });
    const [a, b, c] = SERVERS;
    expect(of().pick([a!, b!, { ...c!, weight: 0 }], key)).toBeUndefined();
    expect(of().pick([a!, b!, { ...c!, overloaded: true }], key)).toBeUndefined();
    expect(of('mh-fallback').pick([], key)).toBeUndefined();
  });

  it('mh-fallback looks on with the slot as an offset, and one more each time', () => {
    const [a, b, c] = SERVERS;
    const dests = [a!, b!, { ...c!, weight: 0 }];
    const table = maglevTable(dests, 4, MH_SLOTS);
    for (const sourceAddress of CLIENTS.slice(0, 2)) {
      const first = maglevHash(sourceAddress, 1) % MH_SLOTS;
      expect(table[first]).toBe(dests[2]);
      const tried = Array.from({ length: 20 }, (_, i) => maglevHash(sourceAddress + ((first + i) % MH_SLOTS), 1));
      const next = tried.map((hash) => table[hash % MH_SLOTS]).find((each) => each !== dests[2]);
      expect(of('mh-fallback').pick(dests, keyOf({ sourceAddress }))).toBe(next);
    }
    expect(
      of('mh-fallback').pick(
        dests.map((each) => ({ ...each, weight: 0 })),
        keyOf({}),
      ),
    ).toBeUndefined();
  });

  it('fills the table anew after a change, and not before', () => {
    const mh = of();
    const list = [...SERVERS];
    const key = keyOf({ sourceAddress: CLIENTS[0]! });
    expect(mh.pick(list, key)).toBe(SERVERS[2]);
    mh.deleted();
    expect(mh.pick(list.slice(0, 2), key)).not.toBe(SERVERS[2]);
    mh.changed();
    expect(mh.pick(list, key)).toBe(SERVERS[2]);
  });
});

describe('maglev', () => {
  it('is mh with 65,537 slots', () => {
    const table = maglevTable(SERVERS, 4, MAGLEV_SLOTS);
    expect(table.length).toBe(65_537);
    expect(shares(table.map((each) => SERVERS.indexOf(each)))).toEqual([21_846, 21_846, 21_845]);
    const maglev = new Maglev<SchedulerDest>(MAGLEV_SLOTS, 4, () => []);
    for (const sourceAddress of CLIENTS) {
      const slot = maglevHash(sourceAddress, 1) % MAGLEV_SLOTS;
      expect(maglev.pick(SERVERS, keyOf({ sourceAddress }))).toBe(table[slot]);
    }
  });
});
