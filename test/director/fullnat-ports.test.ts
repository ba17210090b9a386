/** FullNAT's ports: which one is next, that none is given twice, and what happens when there are none. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DPORT, ENDS, fullNat, keyOf, NOW, PLAN, request, restored, send } from '../support/fullnat.js';
import { ACK, RST, SYN } from '../support/packets.js';
import { properties } from '../support/property.js';

const property = properties(import.meta.url);
const key = keyOf(4);

const open = (director: ReturnType<typeof fullNat>, sport: number, now = NOW) =>
  send(director, request(4, { sport, flags: SYN }), 'cli', now);
/** It ends ten seconds later. */
function close(director: ReturnType<typeof fullNat>, sport: number, now = NOW): void {
  for (const flags of [ACK, RST]) send(director, request(4, { sport, flags }), 'cli', now);
}
const ends = ({ connection }: ReturnType<typeof open>) => `${connection?.localAddress}:${connection?.localPort}`;

describe('a port', () => {
  it('is the lowest that was never given, then the one that was freed first', () => {
    const director = fullNat({}, { localPorts: { first: 5000, last: 5003 } });
    for (const sport of [1, 2, 3]) open(director, sport);
    close(director, 2);
    director.advance(NOW + 20_000);
    close(director, 1, NOW + 20_000);
    director.advance(NOW + 40_000);
    const given = [4, 5, 6].map((sport) => ends(open(director, sport, NOW + 40_000)));
    expect(given).toEqual(['10.1.0.1:5003', '10.1.0.1:5001', '10.1.0.1:5000']);
  });

  it('is one of the shard alone', () => {
    const director = fullNat({}, { localPorts: { first: 5000, last: 5010, shards: 4, shard: 3 } });
    expect([1, 2, 3].map((sport) => ends(open(director, sport)))).toEqual([
      '10.1.0.1:5003',
      '10.1.0.1:5007',
      'undefined:undefined',
    ]);
  });

  it('is of a pool that hangs on the server: others begin anew, or share', () => {
    const director = fullNat();
    director.addDest(key, { address: '10.1.0.12', port: DPORT, method: 'fullnat' });
    // The same fold of all bytes: 0x0a ^ 0x01 ^ 0x0b and 0x0a ^ 0x00 ^ 0x0a.
    director.addDest(key, { address: '10.0.0.10', port: DPORT, method: 'fullnat' });
    const given = [1, 2, 3].map((sport) => {
      const { connection } = open(director, sport);
      return `${connection?.destAddress} ${connection?.localPort}`;
    });
    expect(given.sort()).toEqual(['10.0.0.10 1024', '10.1.0.11 1025', '10.1.0.12 1024']);
  });

  it.each([{ first: 0 }, { first: 2, last: 1 }, { last: 65_536 }, { shards: 0 }, { shards: 2, shard: 2 }, { more: 1 }])(
    'is refused by %j',
    (localPorts) => {
      expect(() => fullNat({}, { localPorts: localPorts as object })).toThrow(RangeError);
    },
  );

  it('is refused when the shard has none', () => {
    expect(() => fullNat({}, { localPorts: { first: 10, last: 12, shards: 100, shard: 13 } })).toThrow('13 modulo 100');
  });
});

describe('local addresses', () => {
  const two = { localAddresses: [ENDS[4].local, ENDS[4].second] };
  const director = (localPorts = { first: 5000, last: 5001 }) => {
    const made = fullNat({}, { localPorts });
    made.editService({ ...key, scheduler: 'rr', ...two });
    return made;
  };

  it('take turns, and are passed over while they have no port; then nothing living is touched', () => {
    const made = director();
    expect([1, 2, 3, 4].map((sport) => ends(open(made, sport)))).toEqual([
      '10.1.0.1:5000',
      '10.1.0.2:5000',
      '10.1.0.1:5001',
      '10.1.0.2:5001',
    ]);
    const before = made.connections(NOW);
    const refused = made.send(request(4, { sport: 5 }), 'cli', NOW);
    expect(refused.map(({ verdict, reason }) => `${verdict} ${reason}`)).toEqual(['drop no-local-port']);
    expect(made.connections(NOW)).toEqual(before);
    expect(made.counters()['no-local-port']).toBe(1n);
    close(made, 2);
    made.advance(NOW + 11_000);
    expect(ends(open(made, 6, NOW + 11_000))).toBe('10.1.0.2:5000');
  });

  it('go on by turns when they are given again, and begin with the first of others', () => {
    const made = director();
    open(made, 1);
    made.editService({ ...key, scheduler: 'wrr', ...two });
    expect(ends(open(made, 2))).toBe('10.1.0.2:5000');
    made.editService({ ...key, scheduler: 'wrr', localAddresses: [...two.localAddresses].reverse() });
    expect(ends(open(made, 3))).toBe('10.1.0.2:5001');
  });

  it('keep their pools while a connection has a port, be they on no list', () => {
    const made = fullNat({}, { localPorts: { first: 5000, last: 5001 } }, ['tcp'], [4]);
    open(made, 1);
    for (const localAddresses of [['10.1.0.2'], ['10.1.0.1']]) made.editService({ ...key, localAddresses });
    expect(ends(open(made, 2))).toBe('10.1.0.1:5001');
  });

  it('keep their pools while a connection has a port, and begin anew after that', () => {
    const made = director();
    open(made, 1);
    for (const localAddresses of [['10.1.0.2'], ['10.1.0.1']]) made.editService({ ...key, localAddresses });
    expect(ends(open(made, 2))).toBe('10.1.0.1:5001');
    made.editService({ ...key, localAddresses: ['10.1.0.2'] });
    // Services of other protocols list it, too: these first.
    for (const protocol of ['udp', 'sctp'] as const) made.editService({ ...keyOf(4, protocol), localAddresses: [] });
    made.advance(NOW + 61_000);
    expect(made.connectionCount).toBe(0);
    made.editService({ ...key, localAddresses: ['10.1.0.1'] });
    expect(ends(open(made, 3, NOW + 61_000))).toBe('10.1.0.1:5000');
  });

  it('are needed', () => {
    const made = fullNat({ localAddresses: [] });
    expect(open(made, 1)).toMatchObject({ verdict: 'drop', reason: 'no-local-port' });
  });
});

it('a client that sends from port 0 opens nothing', () => {
  const director = fullNat();
  expect(open(director, 0)).toMatchObject({ verdict: 'drop', reason: 'client-port-zero' });
  expect(director.connectionCount).toBe(0);
});

it.each([
  ['record', { connections: 1 }],
  ['extension', { extensions: 1 }],
])('without a free %s no port is taken', (_, plan) => {
  const director = fullNat({}, { plan, localPorts: { first: 5000, last: 5001 } });
  open(director, 1);
  for (let n = 0; n < 5; n++) expect(open(director, 2)).toMatchObject({ verdict: 'drop', reason: 'table-full' });
  close(director, 1);
  director.advance(NOW + 11_000);
  expect(ends(open(director, 3, NOW + 11_000))).toBe('10.1.0.1:5001');
});

it('one that makes room for another gives its port back first', () => {
  const director = fullNat(
    {},
    { plan: { connections: 2 }, evict: 'half-open', localPorts: { first: 5000, last: 5001 } },
  );
  for (const sport of [1, 2]) open(director, sport);
  // No port is free: nobody has to go.
  expect(open(director, 3).reason).toBe('no-local-port');
  expect(director.counters()['evicted-half-open']).toBe(0n);
});

property(
  'no server sees two clients at one local end, whatever ends and begins, and a restored director goes on as it was',
  fc.property(
    fc.array(fc.record({ sport: fc.integer({ min: 1, max: 12 }), what: fc.nat(12) }), { maxLength: 30 }),
    fc.integer({ min: 1, max: 6 }),
    (steps, ports) => {
      let director = fullNat({ localAddresses: [] }, { plan: PLAN, localPorts: { first: 5000, last: 4999 + ports } });
      director.editService({ ...key, scheduler: 'rr', localAddresses: [ENDS[4].local, ENDS[4].second] });
      director.addDest(key, { address: '10.1.0.12', port: DPORT, method: 'fullnat' });
      let now = NOW;
      for (const { sport, what } of steps) {
        if (what < 7) open(director, sport, now);
        else if (what < 10) close(director, sport, now);
        else if (what < 12) now += 11_000;
        else director = restored(director);
        director.advance(now);
        const all = director
          .connections(now)
          .map((each) => `${each.destAddress} ${each.localAddress} ${each.localPort}`);
        expect(new Set(all).size).toBe(all.length);
      }
    },
  ),
);
