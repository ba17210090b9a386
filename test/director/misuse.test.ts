/**
 * Calls that cannot be meant: refused before anything has changed.
 */
import { describe, expect, it } from 'vitest';
import { Director } from '../../src/director.js';
import { memoryFor, SMALL_PLAN } from '../support/core.js';
import { CLIENT, fromClient, judged, lab, NAT, NETWORK, request, SERVERS, TCP_KEY } from '../support/lab.js';

const coded = (code: string) => expect.objectContaining({ code });

describe('a burst', () => {
  it('is judged once', () => {
    const director = lab([NAT]);
    const { burst } = director;
    burst.reset();
    burst.reserve(64, 1).set(fromClient(request('tcp')));
    burst.commit(54);
    director.process(0);
    expect(() => director.process(0)).toThrow(coded('BURST_JUDGED'));
    expect(() => burst.reserve(64, 1)).toThrow(coded('BURST_JUDGED'));
    expect(() => burst.place(burst.address(0), 54, 0, 1)).toThrow(coded('BURST_JUDGED'));
    expect(director.connectionCount).toBe(1);
  });

  it('is empty after a frame was sent by itself', () => {
    const director = lab([NAT]);
    expect(director.send(fromClient(request('tcp')), 'cli', 0)).toHaveLength(1);
    expect(director.burst.length).toBe(0);
    expect(director.process(0)).toBe(0);
    director.burst.reset();
    expect(() => director.send(fromClient(request('tcp')), 'cli', Number.NaN)).toThrow(RangeError);
    expect(director.process(0)).toBe(0);
  });

  it('keeps its hands off a frame that is reserved while others are judged', () => {
    const director = lab([NAT]);
    const { burst } = director;
    burst.reset();
    burst.reserve(64, 1).set(fromClient(request('tcp', { ttl: 1 })));
    burst.commit(54);
    const view = burst.reserve(1000, 1).fill(0xa5);
    expect(director.process(0)).toBe(2);
    expect(view.every((byte) => byte === 0xa5)).toBe(true);
  });

  it('says nothing of the burst before', () => {
    const director = lab([NAT]);
    const { burst } = director;
    director.send(fromClient(request('tcp')), 'cli', 0);
    burst.reset();
    expect(() => director.outcome(0, 0)).toThrow(RangeError);
    burst.reserve(64, 1);
    burst.commit(54);
    expect([burst.verdict(0), burst.reason(0)]).toEqual([0, 0]);
  });

  it.each([-1, 10.5, Number.NaN])('takes no length of %s', (length) => {
    const { burst } = lab([NAT]);
    burst.reset();
    expect(() => burst.hold(length)).toThrow(RangeError);
    expect(() => burst.reserveAt(length, 1)).toThrow(RangeError);
    burst.reserveAt(64, 1);
    expect(() => burst.commit(length)).toThrow(RangeError);
    expect(burst.commit(54)).toBe(0);
  });

  it.each(['cli', undefined, 0.5, 1n])('takes no interface %s', (index) => {
    const { burst } = lab([NAT]);
    burst.reset();
    expect(() => burst.reserve(64, index as never)).toThrow(TypeError);
    expect(() => burst.commit(54)).toThrow(RangeError);
  });

  it('holds nothing while a frame is reserved', () => {
    const { burst } = lab([NAT]);
    burst.reset();
    burst.reserveAt(64, 1);
    expect(() => burst.hold(64)).toThrow(coded('BURST_FULL'));
  });

  it('has 256 frames at most, reserved ones counted', () => {
    const { burst } = lab([NAT]);
    burst.reset();
    const at = burst.reserveAt(64, 1);
    for (let i = 0; i < 256; i++) burst.place(at, 54, 0, 1);
    expect(() => burst.commit(54)).toThrow(coded('BURST_FULL'));
  });
});

describe('time', () => {
  it('that lies before the last counts as the last', () => {
    const director = lab([NAT]);
    director.send(fromClient(request('tcp')), 'cli', 10_000);
    const [outcome] = director.send(fromClient(request('tcp')), 'cli', 9_999);
    expect(outcome?.connection).toMatchObject({ state: 'SYN_RECV', expires: 60 });
    expect(director.connections(9_000)).toMatchObject([{ expires: 60 }]);
  });

  it('that lies far ahead shows no dead connections', () => {
    const director = lab([NAT]);
    director.send(fromClient(request('tcp')), 'cli', 10_000);
    expect(director.connections(10_000 + 2 ** 32)).toEqual([]);
  });
});

describe('what is refused changes nothing', () => {
  it('timeouts', () => {
    const director = lab([NAT]);
    expect(() => director.setTimeouts({ udp: 5, tcpfin: -1 })).toThrow(RangeError);
    expect(() => director.setTimeouts({ udp: Number.NaN })).toThrow(RangeError);
    director.send(fromClient(request('udp')), 'cli', 0);
    expect(director.connections(0)).toMatchObject([{ expires: 300 }]);
  });

  it.each([
    ['a seed', { seed: new Uint8Array(3) }, 'seed'],
    ['a sysctl', { sysctl: { ip_forward: 7 } }, 'ip_forward'],
    ['a network', { network: { interfaces: [{ name: 'cli' }] } }, 'interfaces[0] (cli)'],
  ])("an embedder's memory, by %s", (_, options, what) => {
    const memory = memoryFor('release', 256);
    const bytes = new Uint8Array(memory.buffer).fill(7);
    expect(() => Director.createSync({ memory, plan: SMALL_PLAN, ...options })).toThrow(what);
    expect(bytes.every((byte) => byte === 7)).toBe(true);
  });

  it("an embedder's memory, by a closed director", () => {
    const memory = memoryFor('release', 256);
    const director = Director.createSync({ memory, plan: SMALL_PLAN, network: NETWORK });
    director.close();
    const before = new Uint8Array(memory.buffer.slice(0));
    expect(() => director.send(fromClient(request('tcp')), 'cli', 0)).toThrow(coded('CLOSED'));
    expect(Buffer.from(memory.buffer).equals(before)).toBe(true);
  });

  it('a network that its owner changes afterwards', () => {
    const network = structuredClone(NETWORK) as { interfaces: { name: string }[] };
    const director = Director.createSync({ plan: { connections: 64 }, network });
    (network.interfaces[1] as { name: string }).name = 'other';
    expect(director.interfaceName(1)).toBe('cli');
    expect(director.network.interfaces[1]?.name).toBe('cli');
  });
});

describe('names and numbers', () => {
  it.each(['constructor', 'toString', '__proto__'])('%s is no scheduler, method, protocol or sysctl', (name) => {
    const director = lab([NAT]);
    const as = name as never;
    expect(() => director.addService({ protocol: 'tcp', address: CLIENT, port: 1, scheduler: as })).toThrow(RangeError);
    expect(() => director.addService({ protocol: as, address: CLIENT, port: 1 })).toThrow(RangeError);
    expect(() => director.addDest(TCP_KEY, { address: SERVERS[1], method: as })).toThrow(RangeError);
    expect(() => director.setSysctl(JSON.parse(`{"${name}":1}`))).toThrow(RangeError);
    expect(director.services()).toHaveLength(2);
  });

  it.each(['0.0.0.0', '224.0.0.1', '239.1.2.3', '255.255.255.255'])('%s is no server', (address) => {
    expect(() => lab([]).addDest(TCP_KEY, { address })).toThrow(RangeError);
  });

  it.each([
    ['a metric that is no number', { routes: [{ dst: 'default', dev: 'cli', metric: Number.NaN }] }],
    [
      'a VLAN on a VLAN',
      {
        interfaces: [
          ...NETWORK.interfaces,
          { name: 'v', vlan: { parent: 'cli', id: 5 } },
          { name: 'w', vlan: { parent: 'v', id: 6 } },
        ],
      },
    ],
    [
      'a VLAN twice',
      {
        interfaces: [
          ...NETWORK.interfaces,
          { name: 'v', vlan: { parent: 'cli', id: 5 } },
          { name: 'w', vlan: { parent: 'cli', id: 5 } },
        ],
      },
    ],
  ])('%s is refused', (_, change) => {
    expect(() => lab([]).setNetwork({ ...NETWORK, ...change })).toThrow(coded('BAD_NETWORK'));
  });

  it('a plan of 4 GiB is refused', () => {
    expect(() => Director.createSync({ plan: { connections: 33_554_432, arenaBytes: 1 << 30 } })).toThrow(RangeError);
  });
});

describe('a key that nobody knows is refused, with its place', () => {
  const plan = { connections: 64 };
  const [cli, ...others] = NETWORK.interfaces;
  const routes = [{ dst: 'default', dev: 'cli', via: '10.0.0.9' }];
  it.each([
    ['network', { network: { ...NETWORK, neighbors: [] } }, 'neighbors'],
    ['network.interfaces[0]', { network: { ...NETWORK, interfaces: [{ ...cli, adresses: [] }] } }, 'adresses'],
    ['network.interfaces[1]', { network: { ...NETWORK, interfaces: [cli, { ...others[0], Up: false }] } }, 'Up'],
    ['network.interfaces[0]', { network: { ...NETWORK, interfaces: [{ ...cli, MTU: 100 }] } }, 'MTU'],
    [
      'network.interfaces[0].vlan',
      { network: { ...NETWORK, interfaces: [{ ...cli, vlan: { parent: 'x', id: 5, ID: 5 } }] } },
      'ID',
    ],
    ['network.routes[0]', { network: { ...NETWORK, routes } }, 'via'],
    [
      'network.neighbours[0]',
      { network: { ...NETWORK, neighbours: [{ dst: 'x', dev: 'cli', lladdr: '', mac: '' }] } },
      'mac',
    ],
    ['network.fou[0]', { network: { ...NETWORK, fou: [{ port: 1, gue: true }] } }, 'gue'],
    ['plan', { plan: { conns: 1 } }, 'conns'],
    ['director', { sysctls: {} }, 'sysctls'],
  ])('of %s', (path, options, key) => {
    const refused = { name: 'RangeError', message: expect.stringMatching(/: expected a key of .*, got /) };
    const named = expect.objectContaining({ message: expect.stringContaining(`${path}: `) });
    expect(() => Director.createSync({ plan, ...options } as never)).toThrow(expect.objectContaining(refused));
    expect(() => Director.createSync({ plan, ...options } as never)).toThrow(named);
    expect(() => Director.createSync({ plan, ...options } as never)).toThrow(new RegExp(`, got ${key}$`));
    if (!('network' in options)) return;
    const director = lab([NAT]);
    expect(() => director.setNetwork(options.network as never)).toThrow(expect.objectContaining(refused));
    expect(director.network).toEqual(NETWORK);
  });

  it('of notes and timeouts', () => {
    const director = lab([NAT]);
    const frame = fromClient(request('tcp'));
    expect(() => director.send(frame, 'cli', 1, { marc: 3 } as never)).toThrow(
      new RangeError('notes: expected a key of mark, partialChecksum, got marc'),
    );
    expect(() => director.setTimeouts({ tpc: 3 } as never)).toThrow(
      new RangeError('timeouts: expected a key of tcp, tcpfin, udp, got tpc'),
    );
    expect(director.connectionCount).toBe(0);
  });

  it('but what is undefined is not there', () => {
    const interfaces = NETWORK.interfaces.map((each) => ({ ...each, adresses: undefined, mtu: undefined }));
    const network = { ...NETWORK, interfaces, neighbors: undefined } as never;
    const director = Director.createSync({ plan, network, sysctl: { ip_forward: undefined } as never });
    expect(director.getSysctl().ip_forward).toBe(1);
  });
});

describe('a value of the wrong kind is refused, with its place', () => {
  const [cli] = NETWORK.interfaces;
  const one = (change: object) => ({ network: { ...NETWORK, interfaces: [{ ...cli, ...change }] } });
  it.each([
    ['options', null, 'director: expected an object, got null'],
    ['a network', { network: 5 }, 'network: expected an object, got 5'],
    ['no interfaces', { network: {} }, 'network.interfaces: expected a list, got undefined'],
    ['an interface', { network: { interfaces: ['cli'] } }, 'network.interfaces[0]: expected an object, got "cli"'],
    [
      'addresses',
      one({ addresses: '10.0.0.1/24' }),
      'network.interfaces[0].addresses: expected a list, got "10.0.0.1/24"',
    ],
    ['an address', one({ addresses: [1n] }), 'network.interfaces[0].addresses[0]: expected a string, got 1n'],
    ['a name', one({ name: undefined }), 'network.interfaces[0].name: expected a string, got undefined'],
    ['up', one({ up: 'no' }), 'network.interfaces[0].up: expected a boolean, got "no"'],
    ['a VLAN', one({ vlan: 5 }), 'network.interfaces[0].vlan: expected an object, got 5'],
    [
      'a route',
      { network: { ...NETWORK, routes: [{ dev: 'cli' }] } },
      'network.routes[0].dst: expected a string, got undefined',
    ],
    ['neighbours', { network: { ...NETWORK, neighbours: {} } }, 'network.neighbours: expected a list, got an object'],
    ['a plan', { plan: 'large' }, 'plan: expected an object, got "large"'],
    ['sysctls', { sysctl: 1 }, 'sysctl: expected an object, got 1'],
    ['a seed', { seed: 5 }, 'expected a seed as a bigint or a Uint8Array of 16 bytes, got 5'],
  ])('%s', (_, options, message) => {
    expect(() => Director.createSync(options as never)).toThrow(new TypeError(message));
  });

  it('in calls', () => {
    const director = lab([NAT]);
    const frame = fromClient(request('tcp'));
    const call =
      (name: string, ...given: unknown[]) =>
      () =>
        (director as unknown as Record<string, (...all: unknown[]) => unknown>)[name]?.(...given);
    const cases: [() => unknown, Error][] = [
      [call('setNetwork'), new TypeError('network: expected an object, got undefined')],
      [call('setSysctl'), new TypeError('sysctl: expected an object, got undefined')],
      [call('setTimeouts'), new TypeError('timeouts: expected an object, got undefined')],
      [call('setTimeouts', { tcp: '5' }), new RangeError('expected a timeout from 1 to 2678400 seconds, got "5"')],
      [call('send', frame, 'cli', 1n), new TypeError('expected a time in milliseconds as a number, got 1n')],
      [call('send', frame, 'cli'), new TypeError('expected a time in milliseconds as a number, got undefined')],
      [
        call('send', frame, 1, 0),
        new RangeError('expected the name of an interface, got 1: the network has lo, cli, srv, tunl0'),
      ],
      [call('send', 'syn', 'cli', 0), new TypeError('expected a frame as a Uint8Array, got "syn"')],
      [call('send', frame, 'cli', 0, 7), new TypeError('notes: expected an object, got 7')],
      [call('send', frame, 'cli', 0, { mark: 1n }), new RangeError('expected a mark from 0 to 4294967295, got 1n')],
      // DR takes no port but the service's: a wrong one is wrong all the same.
      [
        call('addDest', TCP_KEY, { address: SERVERS[0], method: 'dr', port: 80_800 }),
        new RangeError('expected a server port from 0 to 65535, got 80800'),
      ],
      [call('addService'), new TypeError('service: expected an object, got undefined')],
      [call('deleteService', 'web'), new TypeError('service: expected an object, got "web"')],
      [
        call('addService', { ...TCP_KEY, port: '80' }),
        new RangeError('expected a service port from 0 to 65535, got "80"'),
      ],
      [
        call('addService', { ...TCP_KEY, flags: 'sh-port' }),
        new TypeError('service.flags: expected a list, got "sh-port"'),
      ],
      [call('addDest', TCP_KEY), new TypeError('dest: expected an object, got undefined')],
      [call('addDest', undefined, NAT), new TypeError('service: expected an object, got undefined')],
      [
        call('addDest', TCP_KEY, { ...NAT, method: 'tun', tunnel: 'gue' }),
        new TypeError('tunnel: expected an object, got "gue"'),
      ],
    ];
    for (const [run, error] of cases) expect(run).toThrow(error);
    expect(director.connectionCount).toBe(0);
    expect(director.services()).toHaveLength(2);
  });
});

it('what is there already, or is not there, is named with its port', () => {
  const director = lab([NAT]);
  const dest = `tcp ${TCP_KEY.address}:80 -> ${SERVERS[0]}:8080`;
  expect(() => director.addDest(TCP_KEY, NAT)).toThrow(`${dest}: already exists`);
  expect(() => director.deleteDest(TCP_KEY, { ...NAT, port: 81 })).toThrow(`${SERVERS[0]}:81: no such dest`);
  expect(() => director.deleteDest(TCP_KEY, { address: SERVERS[0] })).toThrow(`${SERVERS[0]}:80: no such dest`);
  expect(() => director.deleteService({ protocol: 'tcp', address: 'fd00::1', port: 81 })).toThrow(
    'tcp [fd00::1]:81: not defined',
  );
});

describe('the source of packets of our own', () => {
  it.each([
    ['in the net of the next hop', ['10.1.0.100/32', '10.1.0.1/24'], '10.1.0.1'],
    ['of another interface, when the way out has none', [], '10.0.0.1'],
  ])('is an address %s', (_, addresses, source) => {
    const interfaces = NETWORK.interfaces.map((each) => (each.name === 'srv' ? { ...each, addresses } : each));
    const routes = [{ dst: '10.1.0.0/24', dev: 'srv' }];
    const director = lab([{ ...NAT, port: 80, method: 'tun' }], { network: { ...NETWORK, interfaces, routes } });
    const [outcome] = director.send(fromClient(request('tcp')), 'cli', 0);
    expect(judged([outcome as never])).toEqual(['forward tunnel-ipip']);
    expect([...(outcome?.frame.subarray(26, 30) ?? [])].join('.')).toBe(source);
  });

  it('what came out of a tunnel is marked', () => {
    const director = lab([NAT]);
    const [plain] = director.send(fromClient(request('tcp')), 'cli', 0);
    expect(plain?.decapsulated).toBe(false);
  });
});
