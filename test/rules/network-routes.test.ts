import { describe, expect, it } from 'vitest';
import { IpvsError } from '../../src/errors.js';
import { networkFromJson } from '../../src/rules/network.js';

type Json = Record<string, unknown>;

const lo = {
  ifname: 'lo',
  flags: ['LOOPBACK', 'UP'],
  mtu: 65536,
  operstate: 'UNKNOWN',
  link_type: 'loopback',
  address: '00:00:00:00:00:00',
};
const eth0 = {
  ifname: 'eth0',
  flags: ['BROADCAST', 'UP', 'LOWER_UP'],
  mtu: 1500,
  operstate: 'UP',
  link_type: 'ether',
  address: '02:00:00:00:00:01',
  addr_info: [{ family: 'inet', local: '10.0.0.1', prefixlen: 24, scope: 'global' }],
};
const routesOf = (...route: Json[]) => networkFromJson({ addr: [lo, eth0], route }).routes;
const neighboursOf = (...neigh: Json[]) => networkFromJson({ addr: [lo, eth0], neigh }).neighbours;

function refusal(value: unknown): string {
  try {
    networkFromJson(value, 'net.json');
  } catch (error) {
    expect(error).toBeInstanceOf(IpvsError);
    expect((error as IpvsError).code).toBe('BAD_INPUT');
    return (error as IpvsError).message;
  }
  throw new Error(`taken: ${JSON.stringify(value)}`);
}

describe('routes', () => {
  it('keep what forwarding needs', () => {
    expect(
      routesOf(
        {
          dst: 'default',
          gateway: '10.0.0.254',
          dev: 'eth0',
          protocol: 'dhcp',
          prefsrc: '10.0.0.1',
          metric: 100,
          flags: ['onlink'],
        },
        {
          type: 'unicast',
          dst: '10.7.0.0/16',
          dev: 'eth0',
          table: 'main',
          tos: '0',
          scope: 'link',
          flags: [],
          metrics: [{ advmss: 1400 }],
        },
        { dst: '10.8.0.1', dev: 'eth0', metric: 0, table: 254, flags: ['linkdown'] },
      ),
    ).toEqual([
      { dst: 'default', gateway: '10.0.0.254', dev: 'eth0', prefsrc: '10.0.0.1', metric: 100 },
      { dst: '10.7.0.0/16', dev: 'eth0' },
      { dst: '10.8.0.1', dev: 'eth0', metric: 0 },
    ]);
  });

  it.each<Json>([
    {},
    { dst: 'fd00::/64', dev: 'eth0' },
    { dst: 'default', gateway: 'fe80::1', dev: 'eth0' },
    { type: 'unreachable', dst: 'default', dev: 'lo', metric: 4294967295, pref: 'medium' },
    { type: 'broadcast', dst: '10.0.0.255', dev: 'eth0', table: 'local' },
    { type: 'multicast', dst: '224.0.0.0/4', dev: 'eth0' },
    { type: 'local', dst: '10.0.0.1', dev: 'eth0', table: 'local' },
    { type: 'local', dst: '127.0.0.0/8', dev: 'lo', table: 'local' },
    { dst: '10.9.0.0/16', dev: 'eth0', table: '100' },
    { dst: '10.9.0.0/16', dev: 'eth0', flags: ['dead', 'linkdown'] },
  ])('pass over what the kernel would not forward IPv4 by: %j', (route) => {
    expect(routesOf(route)).toEqual([]);
  });

  const later = 'not handled by this version';
  it.each<[Json, string]>([
    [{ dev: 'eth0' }, 'dst: expected an IPv4 prefix as a string, got undefined'],
    [{ dst: '10.0.0.0/33', dev: 'eth0' }, 'dst: expected a prefix length of 0 to 32, got "10.0.0.0/33"'],
    [
      { dst: '10/8', dev: 'eth0' },
      'dst: expected an IPv4 prefix such as 10.0.0.0/24, an address or default, got "10/8"',
    ],
    [{ dst: '10.0.0.1/24', dev: 'eth0' }, 'dst: expected a network without host bits, got "10.0.0.1/24"'],
    [{ dst: '10.7.0.0/16' }, 'dev: expected the name of an interface, got nothing'],
    [{ dst: '10.7.0.0/16', dev: 'eth9' }, 'dev: expected the name of an interface, got "eth9": there is none'],
    [{ dst: '10.7.0.0/16', dev: 'gre0' }, `dev: the link type "gre" of gre0 is ${later}`],
    [
      { dst: '10.7.0.0/16', dev: 'eth0', gateway: 'gw' },
      'gateway: expected an IPv4 address such as 10.0.0.1, got "gw"',
    ],
    [{ dst: '10.7.0.0/16', dev: 'eth0', prefsrc: 5 }, 'prefsrc: expected an IPv4 address such as 10.0.0.1, got 5'],
    [{ dst: '10.7.0.0/16', dev: 'eth0', metric: -1 }, 'metric: expected a metric of 0 to 4294967295, got -1'],
    [
      { type: 'local', dst: '10.99.0.0/16', dev: 'lo' },
      'dst: expected an address of an interface for a local route, got "10.99.0.0/16"',
    ],
    [
      { type: 'local', dst: '10.0.0.2', dev: 'lo' },
      'dst: expected an address of an interface for a local route, got "10.0.0.2"',
    ],
    [{ type: 'blackhole', dst: '10.66.0.0/16' }, `type: "blackhole" routes are ${later}`],
    [{ dst: '10.7.0.0/16', nexthops: [] }, `nexthops: several next hops are ${later}`],
    [
      { dst: '10.7.0.0/16', dev: 'eth0', via: { family: 'inet6' } },
      `via: a gateway of another address family is ${later}`,
    ],
    [{ dst: '10.7.0.0/16', dev: 'eth0', encap: 'mpls' }, `encap: encapsulating routes are ${later}`],
    [{ dst: '10.7.0.0/16', dev: 'eth0', tos: '0x10' }, `tos: routes by TOS are ${later}`],
    [{ dst: '10.7.0.0/16', dev: 'eth0', metrics: [{ mtu: 1400 }] }, `metrics: an MTU of the route's own is ${later}`],
  ])('refuse %j', (route, message) => {
    const gre0 = { ifname: 'gre0', mtu: 1476, link_type: 'gre' };
    const first = { dst: '10.0.0.0/24', dev: 'eth0' };
    expect(refusal({ addr: [lo, eth0, gre0], route: [first, route] })).toBe(`net.json: route[1].${message}`);
  });

  it('take no address from an interface that cannot be used', () => {
    const gre0 = {
      ifname: 'gre0',
      mtu: 1476,
      link_type: 'gre',
      addr_info: [{ family: 'inet', local: '10.4.0.1', prefixlen: 24 }],
    };
    const route = [{ type: 'local', dst: '10.4.0.1', dev: 'gre0', table: 'local' }];
    expect(networkFromJson({ addr: [eth0, gre0], route }).routes).toEqual([]);
  });
});

describe('neighbours', () => {
  it('keep their MAC in every state that has one', () => {
    const lladdr = '02:00:00:00:00:02';
    for (const state of [['REACHABLE'], ['STALE'], ['DELAY'], ['PERMANENT'], undefined]) {
      expect(neighboursOf({ dst: '10.0.0.2', dev: 'eth0', lladdr, state })).toEqual([
        { dst: '10.0.0.2', dev: 'eth0', lladdr },
      ]);
    }
  });

  it.each<Json>([
    {},
    { dst: 'fd00::2', dev: 'eth0', lladdr: '02:00:00:00:00:02' },
    { dst: '10.0.0.8', dev: 'eth0', state: ['FAILED'] },
    { dst: '10.0.0.8', dev: 'eth0', state: ['INCOMPLETE'] },
    { dst: '10.0.0.8', dev: 'eth0', lladdr: '02:00:00:00:00:08', state: ['FAILED'] },
    { dst: '10.0.0.77', dev: 'eth0', proxy: null },
    { dst: '127.0.0.1', dev: 'lo', lladdr: '00:00:00:00:00:00', state: ['NOARP'] },
  ])('pass over what gives no MAC: %j', (neighbour) => {
    expect(neighboursOf(neighbour)).toEqual([]);
  });

  it.each<[Json, string]>([
    [{ dev: 'eth0' }, 'dst: expected an IPv4 address such as 10.0.0.1, got nothing'],
    [{ dst: '10.0.0.2' }, 'dev: expected the name of an interface, got nothing'],
    [{ dst: '10.0.0.2', dev: 'eth7' }, 'dev: expected the name of an interface, got "eth7": there is none'],
    [{ dst: '10.0.0.2', dev: 'eth0', state: ['REACHABLE'] }, 'lladdr: expected a MAC as a string, got undefined'],
    [{ dst: '10.0.0.2', dev: 'eth0', lladdr: '1' }, 'lladdr: expected a MAC such as 02:00:00:00:00:01, got "1"'],
  ])('refuse %j', (neighbour, message) => {
    expect(refusal({ addr: [lo, eth0], neigh: [neighbour] })).toBe(`net.json: neigh[0].${message}`);
  });
});
