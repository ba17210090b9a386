/** Ports of local addresses: which one a connection gets, and when it is given again. */
import { describe, expect, it } from 'vitest';
import { type Asking, LocalPorts, poolOf } from '../../src/reference/fullnat/pools.js';
import { judged } from './builders.js';
import { ENDS, frame, udp } from './builders6.js';
import { fullnat, keyOf, LOCAL, NOW, SYN, Talk } from './fullnat.js';

const [L1, L2] = [0x0a010001, 0x0a010002];

const asking = (...localAddresses: number[]): Asking => ({ localAddresses, nextLocal: 0 });

describe('poolOf', () => {
  it('folds the words of address, port and protocol to four bits', () => {
    // 0a01 ^ 000b ^ 1f90 ^ 0006 = 159c; ^ 0015 = 1589; ^ 0158 = 14d1.
    expect(poolOf('tcp', 0x0a01000b, 8080)).toBe(1);
    // With 0011 in place of 0006: 158b; 159e; 14c7.
    expect(poolOf('udp', 0x0a01000b, 8080)).toBe(7);
    // fd00 ^ 0001 ^ 0011 ^ 1f90 ^ 0084 = e204; e2e6; ecc8.
    expect(poolOf('sctp', 0xfd000001n * 2n ** 96n + 0x11n, 8080)).toBe(8);
  });
});

describe('a pool', () => {
  it('gives ports that were never given, the lowest first, then the one that was freed first', () => {
    const ports = new LocalPorts({ first: 10, last: 12 });
    const service = asking(L1);
    const given = [1, 2, 3].map(() => ports.give(service, 0, 4)!);
    expect(given.map(({ port }) => port)).toEqual([10, 11, 12]);
    expect(ports.give(service, 0, 4)).toBe(undefined);
    ports.free(given[1]!);
    ports.free(given[0]!);
    expect([1, 2, 3].map(() => ports.give(service, 0, 4)?.port)).toEqual([11, 10, undefined]);
  });

  it('gives none again before all were given', () => {
    const ports = new LocalPorts({ first: 10, last: 12 });
    ports.free(ports.give(asking(L1), 0, 4)!);
    expect(ports.give(asking(L1), 0, 4)?.port).toBe(10);
    const named = new LocalPorts({ first: 10, last: 12 });
    named.rename([], [L1]);
    named.free(named.give(asking(L1), 0, 4)!);
    expect([1, 2, 3].map(() => named.give(asking(L1), 0, 4)?.port)).toEqual([11, 12, 10]);
  });

  it('has the ports of one shard alone', () => {
    const ports = new LocalPorts({ first: 1024, last: 1034, shards: 4, shard: 3 });
    expect([1, 2, 3].map(() => ports.give(asking(L1), 0, 4)?.port)).toEqual([1027, 1031, undefined]);
    expect(() => new LocalPorts({ first: 8, last: 10, shards: 4, shard: 3 })).toThrow(RangeError);
    expect(() => new LocalPorts({ first: 10, last: 8 })).toThrow(RangeError);
  });

  it('is one of sixteen of its address', () => {
    const ports = new LocalPorts({ first: 10, last: 10 });
    expect([0, 15, 0].map((pool) => ports.give(asking(L1), pool, 4)?.port)).toEqual([10, 10, undefined]);
  });
});

describe('local addresses', () => {
  it('are taken by turns, and passed over while they have no port', () => {
    const ports = new LocalPorts({ first: 10, last: 11 });
    const service = asking(L1, L2);
    const one = ports.give(service, 0, 4)!;
    expect([one, ports.give(service, 0, 4)!].map(({ address }) => address)).toEqual([L1, L2]);
    ports.give(asking(L1), 0, 4);
    expect(ports.give(service, 0, 4)).toMatchObject({ address: L2, port: 11 });
    expect(ports.give(service, 0, 4)).toBe(undefined);
    ports.free(one);
    expect(ports.give(service, 0, 4)).toMatchObject({ address: L1, port: 10 });
  });

  it('keep their pools while a service names them, or a connection has a port', () => {
    const ports = new LocalPorts({ first: 10, last: 20 }, 1);
    ports.rename([], [L1]);
    const end = ports.give(asking(L1), 0, 4)!;
    expect(() => ports.rename([], [L2])).toThrow(RangeError);
    ports.rename([L1], []);
    // The connection that is left has it.
    expect(() => ports.rename([], [L2])).toThrow(RangeError);
    ports.rename([], [L1]);
    expect(ports.give(asking(L1), 1, 4)?.port).toBe(10);
    expect(ports.give(asking(L1), 0, 4)?.port).toBe(11);
    ports.free(end);
  });

  it('begin anew when they come back after all is over', () => {
    const ports = new LocalPorts({ first: 10, last: 20 }, 1);
    ports.rename([], [L1]);
    const end = ports.give(asking(L1), 0, 4)!;
    ports.rename([L1], []);
    ports.free(end);
    ports.rename([], [L2]);
    expect(() => ports.rename([L2], [L1])).toThrow(RangeError);
    ports.rename([L2], []);
    ports.rename([], [L1]);
    expect(ports.give(asking(L1), 0, 4)?.port).toBe(10);
  });
});

describe.each([4, 6] as const)('a service of IPv%i', (family) => {
  const key = keyOf(family);
  const { vip, client } = ENDS[family];
  const second = family === 4 ? '10.0.0.1' : 'fd00::1';

  it('refuses addresses that cannot be local ones', () => {
    const director = fullnat();
    const name = (...localAddresses: string[]) => director.editService({ ...key, localAddresses });
    // Those of IPv4 are for NAT64.
    if (family === 4) expect(() => name('fd00::1')).toThrow(/local address of IPv4/);
    expect(() => name(family === 4 ? '224.0.0.1' : 'ff02::1')).toThrow(/unicast/);
    expect(() => name(family === 4 ? '127.0.0.2' : '::1')).toThrow(/others can answer/);
    expect(() => name(second, second)).toThrow(/twice/);
    const many = Array.from({ length: 256 }, (_, i) => (family === 4 ? `10.7.1.${i}` : `fd07::${i.toString(16)}`));
    expect(() => name(...many)).toThrow(/at most 255/);
    expect(director.services()[0]).toMatchObject({ localAddresses: [LOCAL[4]] });
  });

  it('refuses FullNAT for connections of one packet, whichever comes first', () => {
    const director = fullnat();
    expect(() => director.editService({ ...keyOf(family, 'udp'), ops: true })).toThrow(/ops/);
    const other = { ...keyOf(family, 'udp'), port: 99 };
    director.addService({ ...other, ops: true });
    const server = { address: ENDS[family].server, port: 8080 };
    expect(() => director.addDest(other, { ...server, method: 'fullnat' })).toThrow(/ops/);
    director.addDest(other, { ...server, method: 'nat' });
    expect(() => director.editDest(other, { ...server, method: 'fullnat' })).toThrow(/ops/);
  });

  it('opens nothing without a port, and touches nothing that lives', () => {
    const talk = new Talk(fullnat({}, { localPorts: { first: 5000, last: 5001 } }), family);
    talk.client({ flags: SYN }, 1);
    talk.client({ flags: SYN }, 2);
    const before = talk.director.connections(NOW);
    const packets = (port: number) => talk.client({ flags: SYN }, port).outcomes;
    expect(judged(packets(3))).toEqual(['drop no-local-port']);
    expect(talk.director.connections(NOW)).toEqual(before);
    expect(before.map(({ localAddress, localPort }) => [localAddress, localPort])).toEqual([
      [LOCAL[family], 5000],
      [LOCAL[family], 5001],
    ]);
    // Another protocol has another pool here.
    const datagram = () => talk.director.send(frame(udp([client, 1], [vip, 80])), 'cli', NOW);
    expect(judged(datagram())).toEqual(['forward fullnat-in']);
  });

  it('opens nothing without a local address, nor for a client that sends from port 0', () => {
    const talk = new Talk(fullnat({ localAddresses: [] }), family);
    expect(judged(talk.client({ flags: SYN }).outcomes)).toEqual(['drop no-local-port']);
    expect(judged(new Talk(fullnat(), family).client({ flags: SYN }, 0).outcomes)).toEqual(['drop client-port-zero']);
  });

  it('takes no port when the table is full', () => {
    const talk = new Talk(fullnat({}, { connections: 1, connections6: 1 }), family);
    talk.client({ flags: SYN }, 1);
    expect(judged(talk.client({ flags: SYN }, 2).outcomes)).toEqual(['drop table-full']);
    expect(judged(talk.client({ flags: SYN }, 0).outcomes)).toEqual(['drop client-port-zero']);
    talk.now += 120_000;
    talk.client({ flags: SYN }, 3);
    expect(talk.director.connections(talk.now).map(({ localPort }) => localPort)).toEqual([1025]);
  });

  it('goes on by turns when it is edited, and begins with the first of a new list', () => {
    const director = fullnat();
    const talk = new Talk(director, family);
    const open = (port: number) => {
      talk.client({ flags: SYN }, port);
      return director.connections(NOW).find(({ clientPort }) => clientPort === port)?.localAddress;
    };
    const both = [LOCAL[family], second];
    director.editService({ ...key, localAddresses: both });
    expect(open(1)).toBe(LOCAL[family]);
    director.editService({ ...key, localAddresses: both, profile: 'dpvs' });
    expect(open(2)).toBe(second);
    director.editService({ ...key, localAddresses: [second, LOCAL[family]] });
    expect(open(3)).toBe(second);
  });
});
