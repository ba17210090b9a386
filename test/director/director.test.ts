/** The API: making directors, memory, time of life, the network, counters. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Director, type DirectorOptions } from '../../src/director.js';
import { layOut } from '../../src/plan.js';
import { REASONS } from '../../src/reasons.js';
import { binaryUrl } from '../../src/wasm.js';
import { BINARIES } from '../support/core.js';
import { coded } from '../support/errors.js';
import { fromClient, judged, lab, NAT, NETWORK, networkWith, request, SERVERS, TCP_KEY } from '../support/lab.js';
import { ACK } from '../support/packets.js';

const PLAN = { connections: 16, services: 2, dests: 2, neighbours: 8, routes: 16, interfaces: 4, arenaBytes: 65_536 };

describe('making a director', () => {
  it('create and createSync do the same', async () => {
    for (const director of [await Director.create({ network: NETWORK }), Director.createSync({ network: NETWORK })]) {
      director.addService({ ...TCP_KEY, scheduler: 'rr' });
      director.addDest(TCP_KEY, NAT);
      expect(judged(director.send(fromClient(request('tcp')), 'cli', 0))).toEqual(['forward nat-in']);
    }
  });

  it.each(['release', 'debug'] as const)('has a %s variant', async (variant) => {
    const director = await Director.create({ variant, plan: PLAN, network: NETWORK });
    expect(judged(director.send(fromClient(request('tcp')), 'cli', 0))).toEqual(['local local-delivery']);
  });

  it('takes the binary as a module, as bytes and as a URL', async () => {
    const url = binaryUrl('release', false);
    const bytes = new Uint8Array(readFileSync(url));
    for (const wasm of [url, bytes, bytes.buffer, new WebAssembly.Module(bytes)]) {
      expect(Director.createSync({ wasm, plan: PLAN }).connectionCount).toBe(0);
      expect((await Director.create({ wasm, plan: PLAN })).connectionCount).toBe(0);
    }
  });

  it.each([
    { connections: 0 },
    { connections: 1.5 },
    { services: 65_537 },
    { arenaBytes: 65_535 },
    { interfaces: Number.NaN },
    { connections: 33_554_432, arenaBytes: 1 << 30, dests: 1_048_576, neighbours: 1_048_576, services: 65_536 },
  ])('refuses the plan %j', (plan) => {
    expect(() => Director.createSync({ plan })).toThrow(RangeError);
  });

  it.each([0n, 1n, (1n << 128n) - 1n, new Uint8Array(16)])('takes the seed %s', (seed) => {
    expect(Director.createSync({ seed, plan: PLAN })).toBeInstanceOf(Director);
  });

  it('refuses a seed of another length', () => {
    expect(() => Director.createSync({ seed: new Uint8Array(15), plan: PLAN })).toThrow(/16 bytes, got 15/);
  });

  it('has a seed of its own otherwise', () => {
    const keys = [1, 2].map(() => {
      const memory = new WebAssembly.Memory({ initial: layOut(PLAN).pages, maximum: layOut(PLAN).pages });
      Director.createSync({ memory, plan: PLAN });
      return new Uint8Array(memory.buffer, 1024 + 112, 16).join();
    });
    expect(keys[0]).not.toBe(keys[1]);
  });
});

describe('an embedder’s memory', () => {
  const { pages } = layOut(PLAN);

  it.each([false, true])('shared: %s', (shared) => {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
    new Uint8Array(memory.buffer).fill(0xa5);
    const director = lab([NAT], { memory, plan: PLAN, ...(shared ? { binary: 'shared' } : {}) });
    expect(director.burst.bytes.buffer).toBe(memory.buffer);
    expect(judged(director.send(fromClient(request('tcp')), 'cli', 0))).toEqual(['forward nat-in']);
    // What lies before the map is the embedder's.
    expect(new Uint8Array(memory.buffer, 0, 1024).every((byte) => byte === 0xa5)).toBe(true);
  });

  it('may be larger, and what is beyond the plan stays the embedder’s', () => {
    const memory = new WebAssembly.Memory({ initial: pages + 1, maximum: pages + 1 });
    const beyond = new Uint8Array(memory.buffer, layOut(PLAN).bytes).fill(0xa5);
    lab([NAT], { memory, plan: PLAN }).send(fromClient(request('tcp')), 'cli', 0);
    expect(beyond.every((byte) => byte === 0xa5)).toBe(true);
  });

  it.each([false, true])('too small is refused (shared: %s)', (shared) => {
    const memory = new WebAssembly.Memory({ initial: pages - 1, maximum: pages - 1, shared });
    expect(() => Director.createSync({ memory, plan: PLAN })).toThrow(coded('MEMORY_TOO_SMALL'));
  });
});

describe('the end', () => {
  it('a closed director does nothing more', () => {
    const director = lab([NAT]);
    director.close();
    const frame = fromClient(request('tcp'));
    const calls: (() => unknown)[] = [
      () => director.process(0),
      () => director.advance(0),
      () => director.send(frame, 'cli', 0),
      () => director.services(),
      () => director.connections(0),
      () => director.counters(),
      () => director.addService({ ...TCP_KEY, port: 81 }),
      () => director.deleteService(TCP_KEY),
      () => director.addDest(TCP_KEY, { address: SERVERS[1] }),
      () => director.setNetwork(NETWORK),
      () => director.setSysctl({ ip_forward: 1 }),
      () => director.setTimeouts({ udp: 1 }),
      () => director.clear(),
    ];
    for (const call of calls) expect(call).toThrow(coded('CLOSED'));
    expect(() => director.close()).not.toThrow();
  });

  it('comes with the end of `using`', () => {
    let outside: Director;
    {
      using director = lab([NAT]);
      outside = director;
      expect(director.connectionCount).toBe(0);
    }
    expect(() => outside.services()).toThrow(coded('CLOSED'));
  });
});

describe('the network', () => {
  it('may change under connections, which look their way up anew', () => {
    const director = lab([NAT]);
    director.send(fromClient(request('tcp')), 'cli', 0);
    director.setNetwork({ ...NETWORK, neighbours: [{ dst: SERVERS[0], dev: 'srv', lladdr: '02:00:00:00:01:99' }] });
    const [outcome] = director.send(fromClient(request('tcp', { flags: ACK })), 'cli', 0);
    expect(outcome?.frame[5]).toBe(0x99);
    expect(director.connections(0)).toMatchObject([{ state: 'ESTABLISHED', inPackets: 2 }]);
    director.setNetwork(networkWith({ srv: { up: false } }));
    expect(judged(director.send(fromClient(request('tcp', { flags: ACK })), 'cli', 0))[0]).toBe('drop no-route');
    director.setNetwork(NETWORK);
    expect(judged(director.send(fromClient(request('tcp', { flags: ACK })), 'cli', 0))).toEqual(['forward nat-in']);
  });

  it('stays as it was when the new one is refused', () => {
    const director = lab([NAT]);
    const wrong = { ...NETWORK, routes: [{ dst: '10.2.0.0/16', dev: 'nowhere' }] };
    expect(() => director.setNetwork(wrong)).toThrow(coded('BAD_NETWORK'));
    expect(director.network).toEqual(NETWORK);
    expect(judged(director.send(fromClient(request('tcp')), 'cli', 0))).toEqual(['forward nat-in']);
  });

  it.each([
    ['interfaces', { interfaces: Array.from({ length: 5 }, (_, i) => ({ name: `r${i}`, kind: 'raw' as const })) }],
    ['routes', { ...NETWORK, routes: Array.from({ length: 17 }, (_, i) => ({ dst: `10.${i}.0.0/16`, dev: 'cli' })) }],
    [
      'neighbours',
      {
        ...NETWORK,
        neighbours: Array.from({ length: 9 }, (_, i) => ({
          dst: `10.0.0.${i}`,
          dev: 'cli',
          lladdr: '02:00:00:00:00:01',
        })),
      },
    ],
  ])('with more %s than planned is refused', (_, network) => {
    expect(() => Director.createSync({ plan: PLAN, network })).toThrow(coded('TABLE_FULL'));
  });

  it('knows interfaces by name and by number', () => {
    const director = lab([]);
    expect(director.interfaceIndex('srv')).toBe(2);
    expect(director.interfaceName(2)).toBe('srv');
    expect(director.interfaceName(9)).toBeUndefined();
    expect(() => director.interfaceIndex('eth9')).toThrow(RangeError);
    expect(() => director.send(fromClient(request('tcp')), 'eth9', 0)).toThrow(RangeError);
  });
});

describe('counters', () => {
  it('are bigints, one for every reason, and count up', () => {
    const director = lab([NAT]);
    const counters = director.counters();
    expect(Object.keys(counters).sort()).toEqual(REASONS.map(({ name }) => name).sort());
    expect(Object.values(counters).every((count) => count === 0n)).toBe(true);
    for (let i = 0; i < 3; i++) director.send(fromClient(request('tcp')), 'cli', 0);
    expect(director.counters()['nat-in']).toBe(3n);
  });

  it('of traffic count IP bytes, on the service and on the dest', () => {
    const director = lab([NAT]);
    director.send(fromClient(request('udp', { payload: new Uint8Array(100) })), 'cli', 0);
    const stats = { connections: 1n, inPackets: 1n, inBytes: 128n, outPackets: 0n, outBytes: 0n };
    const [service] = director.services().filter(({ protocol }) => protocol === 'udp');
    expect(service?.stats).toEqual(stats);
    expect(service?.dests[0]?.stats).toEqual(stats);
  });
});

describe('every binary', () => {
  it('makes the same bytes', () => {
    const options: DirectorOptions = { plan: PLAN };
    const results = BINARIES.map((binary) => {
      const director = lab([NAT], { ...options, binary });
      const outcomes = [1, 2, 3].flatMap((ttl) =>
        director.send(fromClient(request('tcp', { ttl, sport: ttl })), 'cli', 0),
      );
      return outcomes.map(({ frame, reason }) => `${reason} ${Buffer.from(frame).toString('hex')}`);
    });
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });
});
