/** The API: making directors, rules and their errors, memory, time of life. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Director, type DirectorOptions } from '../../src/director.js';
import type { ErrorCode } from '../../src/errors.js';
import { layOut } from '../../src/plan.js';
import { REASONS } from '../../src/reasons.js';
import type { DestConfig, ServiceConfig, SysctlConfig } from '../../src/types.js';
import { binaryUrl } from '../../src/wasm.js';
import { BINARIES } from '../support/core.js';
import { fromClient, judged, lab, NETWORK, networkWith, request, SERVERS, TCP_KEY, UDP_KEY } from '../support/lab.js';
import { ACK } from '../support/packets.js';

const PLAN = { connections: 16, services: 2, dests: 2, neighbours: 8, routes: 16, interfaces: 4, arenaBytes: 65_536 };
const NAT: DestConfig = { address: SERVERS[0], port: 8080, method: 'nat' };

/** An IpvsError with that code. */
const coded = (code: ErrorCode): unknown => expect.objectContaining({ name: 'IpvsError', code });

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

describe('rules', () => {
  it('are refused when they do not fit what is there', () => {
    const director = lab([NAT], { plan: { ...PLAN, dests: 3 } });
    const none = { ...TCP_KEY, port: 99 };
    const codes: [ErrorCode, () => void][] = [
      ['SERVICE_EXISTS', () => director.addService(TCP_KEY)],
      ['TABLE_FULL', () => director.addService(none)],
      ['NO_SUCH_SERVICE', () => director.editService(none)],
      ['NO_SUCH_SERVICE', () => director.deleteService(none)],
      ['NO_SUCH_SERVICE', () => director.addDest(none, NAT)],
      ['NO_SUCH_SERVICE', () => director.editDest(none, NAT)],
      ['NO_SUCH_SERVICE', () => director.deleteDest(none, NAT)],
      ['DEST_EXISTS', () => director.addDest(TCP_KEY, NAT)],
      ['NO_SUCH_DEST', () => director.editDest(TCP_KEY, { ...NAT, port: 1 })],
      ['NO_SUCH_DEST', () => director.deleteDest(TCP_KEY, { address: SERVERS[1] })],
    ];
    for (const [code, act] of codes) expect(act, code).toThrow(coded(code));
    director.addDest(TCP_KEY, { address: SERVERS[1] });
    expect(() => director.addDest(TCP_KEY, { address: SERVERS[2] })).toThrow(coded('TABLE_FULL'));
    expect(director.services()).toHaveLength(2);
  });

  it.each([
    { port: 0 },
    { port: 65_536 },
    { port: 1.5 },
    { address: '10.0.0' },
    { address: 'fd00::1%cli' },
    { protocol: 'icmp' },
    { scheduler: 'lblc2' },
    { flags: ['mh-port'] },
  ])('refuse a service with %j', (change) => {
    const director = lab([]);
    expect(() => director.addService({ ...TCP_KEY, port: 99, ...change } as ServiceConfig)).toThrow(RangeError);
    expect(director.services()).toHaveLength(2);
  });

  it.each([
    { port: -1 },
    { address: '10.0.0.256' },
    { method: 'masq' },
    { weight: -1 },
    { weight: 65_536 },
    { weight: 0.5 },
    { upperThreshold: -1 },
    { lowerThreshold: 2 ** 31 },
  ])('refuse a dest with %j', (change) => {
    const director = lab([NAT]);
    const wrong = { ...NAT, address: SERVERS[1], ...change } as DestConfig;
    expect(() => director.addDest(TCP_KEY, wrong)).toThrow(RangeError);
    expect(director.services().map(({ dests }) => dests.length)).toEqual([1, 1]);
  });

  it('have ipvsadm’s defaults', () => {
    const director = lab([]);
    director.deleteService(TCP_KEY);
    director.addService(TCP_KEY);
    director.addDest(TCP_KEY, { address: SERVERS[0] });
    expect(director.services().find(({ protocol }) => protocol === 'tcp')).toMatchObject({
      ...TCP_KEY,
      scheduler: 'wlc',
      flags: [],
      dests: [{ address: SERVERS[0], port: 80, method: 'dr', weight: 1, upperThreshold: 0, lowerThreshold: 0 }],
    });
  });

  it('are listed as given, the dest added last first', () => {
    const director = lab([NAT, { ...NAT, address: SERVERS[1], weight: 7, upperThreshold: 9, lowerThreshold: 3 }]);
    director.editService({ ...UDP_KEY, scheduler: 'sh', flags: ['sh-port', 'sh-fallback'] });
    const [service] = director.services().filter(({ protocol }) => protocol === 'udp');
    expect(service).toMatchObject({ scheduler: 'sh', flags: ['sh-fallback', 'sh-port'] });
    expect(service?.dests).toMatchObject([
      { address: SERVERS[1], port: 8080, method: 'nat', weight: 7, upperThreshold: 9, lowerThreshold: 3 },
      { address: SERVERS[0], weight: 1 },
    ]);
  });

  it('are all gone after clear', () => {
    const director = lab([NAT]);
    director.clear();
    expect(director.services()).toEqual([]);
    director.addService(TCP_KEY);
    expect(director.services()).toMatchObject([{ dests: [], stats: { connections: 0n } }]);
  });

  it('a service is found by protocol, address and port, whatever is beside it', () => {
    const director = lab([], { plan: { ...PLAN, services: 64 } });
    const ports = Array.from({ length: 60 }, (_, i) => 1000 + i * 7);
    for (const port of ports) director.addService({ ...TCP_KEY, port });
    for (const port of ports.filter((_, i) => i % 3 === 0)) director.deleteService({ ...TCP_KEY, port });
    for (const [i, port] of ports.entries()) {
      const act = (): void => director.editService({ ...TCP_KEY, port });
      if (i % 3 === 0) expect(act).toThrow(coded('NO_SUCH_SERVICE'));
      else expect(act).not.toThrow();
    }
  });
});

describe('switches and timeouts', () => {
  it('have the kernel’s defaults, but that a director forwards', () => {
    expect(lab([]).getSysctl()).toEqual({
      ip_forward: 1,
      ipv6_forwarding: 1,
      pmtu_disc: 1,
      sloppy_tcp: 0,
      sloppy_sctp: 0,
      expire_nodest_conn: 0,
      expire_quiescent_template: 0,
      conn_reuse_mode: 1,
      nat_icmp_send: 0,
      schedule_icmp: 0,
      cache_bypass: 0,
      ignore_tunneled: 0,
      lblc_expiration: 86_400,
      lblcr_expiration: 86_400,
      secure_tcp: 0,
      drop_entry: 0,
      drop_packet: 0,
      am_droprate: 10,
      amemthresh: 1024,
      synproxy_defer: 0,
      synproxy_mss: 1460,
      synproxy_wscale: 7,
      synproxy_sack: 1,
      synproxy_timestamp: 1,
      synproxy_retries: 3,
      synproxy_max_ack_saved: 3,
      synproxy_dup_ack: 10,
      conn_expire_tcp_rst: 0,
    });
  });

  it('change only what is given', () => {
    const director = lab([], { sysctl: { sloppy_tcp: 1 } });
    director.setSysctl({ pmtu_disc: 0 });
    expect(director.getSysctl()).toMatchObject({ sloppy_tcp: 1, pmtu_disc: 0, ip_forward: 1 });
  });

  it.each([{ ip_forward: 2 }, { pmtu_disc: -1 }, { lblc_expiration: 0 }, { accept_source_route: 1 }])(
    'refuse %j',
    (sysctl) => {
      expect(() => lab([]).setSysctl(sysctl as SysctlConfig)).toThrow(RangeError);
    },
  );

  it.each([
    [{ tcp: 100 }, ACK, 100],
    [{ tcpfin: 50 }, ACK, 900],
    [{ tcp: 0 }, ACK, 900],
  ])('--set %j', (timeouts, flags, expected) => {
    const director = lab([NAT]);
    director.setTimeouts(timeouts);
    director.send(fromClient(request('tcp')), 'cli', 0);
    director.send(fromClient(request('tcp', { flags })), 'cli', 0);
    expect(director.connections(0)).toMatchObject([{ state: 'ESTABLISHED', expires: expected }]);
  });

  it('getTimeouts tells what was set, and the defaults', () => {
    const director = lab([]);
    expect(director.getTimeouts()).toEqual({ tcp: 900, tcpfin: 120, udp: 300 });
    director.setTimeouts({ tcp: 1, udp: 2_678_400 });
    expect(director.getTimeouts()).toEqual({ tcp: 1, tcpfin: 120, udp: 2_678_400 });
  });

  it.each([{ udp: -1 }, { udp: 2_678_401 }, { tcp: 0.5 }])('a timeout of %j is refused', (timeouts) => {
    expect(() => lab([]).setTimeouts(timeouts)).toThrow(RangeError);
  });
});

describe('counters of services', () => {
  it('zeroStats sets those of a service and its dests to 0, or those of all', () => {
    const director = lab([NAT]);
    const packets = () => director.services().map(({ stats, dests }) => [stats.inPackets, dests[0]?.stats.inPackets]);
    const zeroed = (...services: (typeof TCP_KEY | typeof UDP_KEY)[]) => {
      for (const protocol of ['tcp', 'udp'] as const) director.send(fromClient(request(protocol)), 'cli', 0);
      director.zeroStats(...services);
      return packets();
    };
    expect(zeroed(TCP_KEY)).toEqual([
      [0n, 0n],
      [1n, 1n],
    ]);
    expect(zeroed()).toEqual([
      [0n, 0n],
      [0n, 0n],
    ]);
    expect(director.services()[0]?.stats.connections).toBe(0n);
    expect(() => director.zeroStats({ ...TCP_KEY, port: 81 })).toThrow(coded('NO_SUCH_SERVICE'));
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
