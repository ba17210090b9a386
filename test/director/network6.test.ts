/** IPv6 tables: where packets go, from which address the director sends, what a network may not say. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import type { NetworkConfig } from '../../src/types.js';
import { createDirector, SMALL_PLAN } from '../support/core.js';
import { ethernet, ip6, toHex, udp } from '../support/packets.js';
import { gue } from '../support/tunnels.js';

const CLI = '02:00:00:00:00:01';
const CLIENT = 'fd00::2';
const SERVICE = { protocol: 'udp', address: 'fd00::100', port: 53 } as const;

/** A client on `cli`; what else there is, tests say. */
function made(srv: readonly string[], more: Partial<NetworkConfig> = {}): Director {
  return createDirector('release', {
    plan: SMALL_PLAN,
    network: {
      interfaces: [
        { name: 'lo', addresses: ['127.0.0.1/8', '::1/128'] },
        { name: 'cli', mac: CLI, addresses: ['fd00::100/128', 'fd00::1/64', 'fe80::1/64'] },
        { name: 'srv', kind: 'raw', addresses: srv },
        { name: 'other', kind: 'raw' },
      ],
      ...more,
    },
  });
}

const frame = (destination: string): Uint8Array =>
  ethernet(CLI, '02:00:00:00:00:02', udp({ source: CLIENT, destination, sport: 1, dport: 53 }), 0x86dd);

/** The outer source of a packet that goes to `server` in a tunnel. */
function sourceTo(server: string, srv: readonly string[], more?: Partial<NetworkConfig>): string {
  const director = made(srv, more);
  director.addService({ ...SERVICE, scheduler: 'rr' });
  director.addDest(SERVICE, { address: server, method: 'tun' });
  const [outcome] = director.send(frame(SERVICE.address), 'cli', 0);
  return outcome?.reason === 'tunnel-ipip' ? toHex(outcome.frame.subarray(8, 24)) : (outcome?.reason ?? 'nothing');
}

const text = (address: string): string => toHex(ip6(address));

it('a gateway is on a network of its interface, on the link of a route, link-local, or said to be on the link', () => {
  const dst = 'fd00:5::/64';
  const link = { dst: 'fd00:9::/64', dev: 'srv' };
  const routes = (...all: NetworkConfig['routes'] & object): Partial<NetworkConfig> => ({ routes: all });
  const given = [
    routes({ dst, dev: 'cli', gateway: 'fd00::9' }),
    routes({ dst, dev: 'srv', gateway: 'fd00:9::1' }, link),
    routes({ dst, dev: 'srv', gateway: 'fe80::1' }),
    routes({ dst, dev: 'srv', gateway: 'fd00:9::1', onlink: true }),
  ];
  for (const more of given) expect(() => made([], more)).not.toThrow();
  expect(() => made([], routes({ dst, dev: 'cli', gateway: 'fd00:9::1' }, link))).toThrow('routes[0].gateway');
});

describe('the source (RFC 6724) is', () => {
  it.each([
    ['the only one of the interface', 'fd00:1::11', ['fd00:1::1/64'], 'fd00:1::1'],
    ['global for a global destination', 'fd00:1::11', ['fe80::5/64', 'fd00:1::1/64'], 'fd00:1::1'],
    ['of another interface rather than of the link alone', 'fd00:1::11', ['fe80::5/64'], 'fd00::100'],
    ['the one that shares more bits', 'fd00:1::11', ['2001:db8::1/64', 'fd00:1::1/64'], 'fd00:1::1'],
    ['one of the interface rather than one that shares more', 'fd00::99', ['fd00:1::1/64'], 'fd00:1::1'],
    ['no nearer than the prefix of its link', 'fd00:1::22', ['fd00:1::21/64', 'fd00:1::20/128'], 'fd00:1::20'],
    ['the first of those that share as many', 'fd00:1::11', ['fd00:1::2/64', 'fd00:1::10/64'], 'fd00:1::2'],
    ['that of a host, near to it', 'fd00:1::11', ['fd00:1::1/64', 'fd00:1::10/128'], 'fd00:1::10'],
    ['that of its link, far from a host’s', 'fd00:1:0:0:8000::11', ['fd00:1::1/64', 'fd00:1::10/128'], 'fd00:1::1'],
    ['one of two hosts’', 'fd00:1::21', ['fd00:1::1/64', 'fd00:1::10/128', 'fd00:1::20/128'], 'fd00:1::20'],
  ])('%s', (_, server, addresses, source) => {
    const routes = [
      { dst: 'fd00:1::/64', dev: 'srv' },
      { dst: 'fd00::99', dev: 'srv' },
    ];
    expect(sourceTo(server, addresses, { routes })).toBe(text(source));
  });

  it('what the route says', () => {
    const routes = [{ dst: 'fd00:1::/64', dev: 'srv', prefsrc: 'fd00::1' }];
    expect(sourceTo('fd00:1::11', ['fd00:1::1/64'], { routes })).toBe(text('fd00::1'));
  });
});

describe('the source of an error', () => {
  /** That of the answer to a packet which dies here, or goes beyond its scope. */
  const errorSource = (source: string, interfaces: NetworkConfig['interfaces']): string => {
    const routes = ['fe80::/64', 'fd00::/64', 'fd00:1::/64'].map((dst) => ({ dst, dev: 'cli' }));
    const director = made([], { interfaces, routes });
    const packet = udp({ source, destination: 'fd00:1::11', sport: 1, dport: 2, ttl: 1 });
    return toHex(director.send(packet, 'cli', 0)[1]?.frame.subarray(8, 24) ?? new Uint8Array(0));
  };
  const raw = (name: string, ...addresses: string[]) => ({ name, kind: 'raw', addresses }) as const;

  it.each([
    ['of the link, to the link', 'fe80::2', [raw('cli', 'fd00::1/64', 'fe80::1/64')], 'fe80::1'],
    ['of no other link', 'fe80::2', [raw('srv', 'fe80::5/64'), raw('cli', 'fd00::1/64')], 'fd00::1'],
    ['of another interface', 'fd00::2', [raw('srv', 'fd00:5::1/64'), raw('cli', 'fe80::1/64')], 'fd00:5::1'],
    ['none of loopback', 'fd00::2', [{ name: 'lo', addresses: ['::1/128'] }, raw('cli')], '::'],
  ] as const)('is one %s', (_, source, interfaces, expected) => {
    expect(errorSource(source, interfaces)).toBe(text(expected));
  });
});

describe('a network that is set anew', () => {
  it.each([
    ['IPv6', 'fd00:5::/32', 'fd00:5::9', 'fd00::2'],
    ['IPv4', '10.5.0.0/16', '10.5.0.9', '10.0.0.2'],
  ])('leaves nothing of its routes before: %s', (_, dst, destination, gateway) => {
    const source = destination.includes(':') ? CLIENT : '10.0.0.3';
    const director = made([]);
    const network = director.network;
    const neighbours = [
      { dst: gateway, dev: 'cli', lladdr: '02:00:00:00:00:02' },
      { dst: destination, dev: 'cli', lladdr: '02:00:00:00:00:09' },
    ];
    const packet = ethernet(
      CLI,
      '02:00:00:00:00:02',
      udp({ source, destination, sport: 1, dport: 2 }),
      source === CLIENT ? 0x86dd : 0x0800,
    );
    const macTo = (route: object): number | undefined => {
      director.setNetwork({ ...network, neighbours, routes: [{ dst, dev: 'cli', onlink: true, ...route }] });
      return director.send(packet, 'cli', 0)[0]?.frame[5];
    };
    expect([macTo({ gateway }), macTo({}), macTo({ gateway })]).toEqual([2, 9, 2]);
  });

  it('leaves nothing of its GUE ports', () => {
    const director = made([]);
    const network = {
      ...director.network,
      interfaces: [...director.network.interfaces, { name: 't', kind: 'ip6tnl' }],
    };
    const ports = [6080, 6081].map((port) => ({ port, family: 6 as const }));
    const packet = (dport: number): Uint8Array => {
      const inner = udp({ source: CLIENT, destination: 'fd00::1', sport: 1, dport: 2 });
      const words = { source: CLIENT, destination: 'fd00::1', sport: 1, dport };
      return ethernet(CLI, '02:00:00:00:00:02', gue(words, inner), 0x86dd);
    };
    const taken = (fou: typeof ports): boolean[] => {
      director.setNetwork({ ...network, fou } as NetworkConfig);
      return [6080, 6081].map((port) => director.send(packet(port), 'cli', 0)[0]?.reason === 'decapsulated');
    };
    expect([taken(ports), taken(ports.slice(0, 1)), taken([])]).toEqual([
      [true, true],
      [true, false],
      [false, false],
    ]);
  });
});

describe('a route', () => {
  const wayTo = (destination: string, more: Partial<NetworkConfig>): string | undefined => {
    const [outcome] = made(['fd00:1::1/64'], more).send(frame(destination), 'cli', 0);
    return outcome?.outInterface ?? outcome?.reason;
  };

  it.each([
    ['of an address', 'fd00:1::11', {}, 'srv'],
    ['by default', '2001:db8::1', { routes: [{ dst: 'default', dev: 'srv', gateway: 'fd00:1::fe' }] }, 'srv'],
    ['::/0', '2001:db8::1', { routes: [{ dst: '::/0', dev: 'srv' }] }, 'srv'],
    ['default of IPv4', '2001:db8::1', { routes: [{ dst: 'default', dev: 'srv' }] }, 'no-route'],
    ['with a longer prefix wins', 'fd00:1::11', { routes: [{ dst: 'fd00:1::/120', dev: 'other' }] }, 'other'],
    [
      'of the same length wins over one implied',
      'fd00:1::1f',
      { routes: [{ dst: 'fd00:1::/64', dev: 'other' }] },
      'other',
    ],
    [
      'with a lower metric wins',
      '2001:db8::1',
      {
        routes: [
          { dst: '2001:db8::/32', dev: 'other', metric: 1024 },
          { dst: '2001:db8::/32', dev: 'srv', metric: 256 },
        ],
      },
      'srv',
    ],
  ] as const)('%s', (_, destination, more, expected) => {
    expect(wayTo(destination, more)).toBe(expected);
  });

  it('with a gateway on the link is taken by the gateway’s MAC', () => {
    const director = made([], {
      routes: [{ dst: '2001:db8::/32', dev: 'cli', gateway: 'fe80::9' }],
      neighbours: [
        { dst: 'fe80::9', dev: 'srv', lladdr: '02:00:00:00:00:07' },
        { dst: 'fe80::9', dev: 'cli', lladdr: '02:00:00:00:00:09' },
      ],
    });
    const [outcome] = director.send(frame('2001:db8::1'), 'cli', 0);
    expect(outcome).toMatchObject({ reason: 'routed', outInterface: 'cli' });
    expect(outcome?.frame[5]).toBe(9);
  });

  it('out of an interface that is down is none, and its addresses are nobody’s', () => {
    const interfaces = [
      { name: 'cli', mac: CLI, addresses: ['fd00::1/64'] },
      { name: 'srv', kind: 'raw', up: false, addresses: ['fd00:1::1/64', '10.1.0.1/24'] },
    ] as const;
    expect(wayTo('fd00:1::11', { interfaces })).toBe('no-route');
    expect(wayTo('fd00:1::1', { interfaces })).toBe('no-route');
  });
});

describe('a network is refused', () => {
  const refused = expect.objectContaining({ code: 'BAD_NETWORK' });

  it.each([
    ['routes[0].gateway', { routes: [{ dst: 'fd00:5::/64', dev: 'srv', gateway: '10.1.0.9' }] }],
    ['routes[0].prefsrc', { routes: [{ dst: '10.5.0.0/16', dev: 'srv', prefsrc: 'fd00::1' }] }],
    ['routes[0].dst', { routes: [{ dst: 'fd00:5::/129', dev: 'srv' }] }],
    ['routes[0].dst', { routes: [{ dst: 'fd00:5::1/64', dev: 'srv' }] }],
    ['routes[0].dst', { routes: [{ dst: '10.5.0.1/16', dev: 'srv' }] }],
    ['routes[0].gateway', { routes: [{ dst: 'fd00:5::/64', dev: 'srv', gateway: 'fd00:9::1' }] }],
    ['routes[0].gateway', { routes: [{ dst: '10.5.0.0/16', dev: 'cli', gateway: '10.99.0.1' }] }],
    ['neighbours[0].dst', { neighbours: [{ dst: 'fd00::x', dev: 'cli', lladdr: CLI }] }],
    ['interfaces[0].addresses', { interfaces: [{ name: 'cli', mac: CLI, addresses: ['fd00::1%cli/64'] }] }],
    ['interfaces[0]', { interfaces: [{ name: 'cli', kind: 'vxlan' as never }] }],
    ['fou[0]', { fou: [{ port: 0 }] }],
    ['fou[0]', { fou: [{ port: 6080, family: 5 as never }] }],
    ['fou[1]', { fou: [{ port: 6080 }, { port: 6080, family: 4 }] }],
    ['fou[16]', { fou: Array.from({ length: 17 }, (_, i) => ({ port: i + 1 })) }],
  ] as [string, Partial<NetworkConfig>][])('for its %s', (where, more) => {
    expect(() => made([], more)).toThrow(refused);
    expect(() => made([], more)).toThrow(where);
  });

  it('with more IPv6 routes than planned', () => {
    const routes = Array.from({ length: 65 }, (_, i) => ({ dst: `fd01:${i}::/32`, dev: 'srv' }));
    expect(() => made([], { routes })).toThrow(expect.objectContaining({ code: 'TABLE_FULL' }));
  });
});
