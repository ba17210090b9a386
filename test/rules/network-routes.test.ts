/** Routes, neighbours and GUE ports of what iproute2 printed. */
import { describe, expect, it } from 'vitest';
import { networkFromJson } from '../../src/rules/network.js';
import { ETH0, type Json, LO, refusal } from './network.js';

const eth0 = {
  ...ETH0,
  addr_info: [...ETH0.addr_info, { family: 'inet6', local: 'fd00::1', prefixlen: 64, scope: 'global' }],
};
const routesOf = (...route: Json[]) => networkFromJson({ addr: [LO, eth0], route }).routes;
const neighboursOf = (...neigh: Json[]) => networkFromJson({ addr: [LO, eth0], neigh }).neighbours;

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
      { dst: 'default', gateway: '10.0.0.254', dev: 'eth0', onlink: true, prefsrc: '10.0.0.1', metric: 100 },
      { dst: '10.7.0.0/16', dev: 'eth0' },
      { dst: '10.8.0.1', dev: 'eth0', metric: 0 },
    ]);
  });

  it('of IPv6 are told by what stands in them', () => {
    expect(
      routesOf(
        { dst: 'fd00::/64', dev: 'eth0', protocol: 'kernel', metric: 256, flags: [], pref: 'medium' },
        { dst: 'fd00::7', dev: 'eth0' },
        { dst: 'default', gateway: 'fe80::1', dev: 'eth0', protocol: 'ra', expires: 1797 },
        { dst: 'default', dev: 'eth0', pref: 'low', metric: 1024 },
        { dst: 'default', dev: 'eth0', prefsrc: 'fd00::1' },
        { dst: 'default', dev: 'eth0' },
        { dst: '::/0', dev: 'eth0' },
      ),
    ).toEqual([
      { dst: 'fd00::/64', dev: 'eth0', metric: 256 },
      { dst: 'fd00::7', dev: 'eth0' },
      { dst: '::/0', gateway: 'fe80::1', dev: 'eth0' },
      { dst: '::/0', dev: 'eth0', metric: 1024 },
      { dst: '::/0', dev: 'eth0', prefsrc: 'fd00::1' },
      { dst: 'default', dev: 'eth0' },
      { dst: '::/0', dev: 'eth0' },
    ]);
  });

  it.each<Json>([
    {},
    { type: 'unreachable', dst: 'default', dev: 'lo', metric: 4294967295, error: -101 },
    { type: 'anycast', dst: 'fd00::', dev: 'eth0', table: 'local', pref: 'medium' },
    { type: 'multicast', dst: 'ff00::/8', dev: 'eth0', table: 'local', pref: 'medium' },
    { type: 'local', dst: '::1', dev: 'lo', table: 'local', pref: 'medium' },
    { type: 'local', dst: 'fd00::1', dev: 'eth0', table: 'local', pref: 'medium' },
    { type: 'local', dst: 'fd00:0::1', dev: 'eth0', table: 'local', pref: 'medium' },
    { type: 'unreachable', dst: 'default', dev: 'lo', metric: 4294967295, pref: 'medium' },
    { type: 'broadcast', dst: '10.0.0.255', dev: 'eth0', table: 'local' },
    { type: 'multicast', dst: '224.0.0.0/4', dev: 'eth0' },
    { type: 'local', dst: '10.0.0.1', dev: 'eth0', table: 'local' },
    { type: 'local', dst: '127.0.0.0/8', dev: 'lo', table: 'local' },
    { dst: '10.9.0.0/16', dev: 'eth0', table: '100' },
    { dst: '10.9.0.0/16', dev: 'eth0', flags: ['dead', 'linkdown'] },
  ])('pass over what the kernel would not forward by: %j', (route) => {
    expect(routesOf(route)).toEqual([]);
  });

  const later = 'not handled by this version';
  it.each<[Json, string]>([
    [{ dev: 'eth0' }, 'dst: expected a prefix as a string, got undefined'],
    [{ dst: '10.0.0.0/33', dev: 'eth0' }, 'dst: expected a prefix length of 0 to 32, got "10.0.0.0/33"'],
    [
      { dst: '10/8', dev: 'eth0' },
      'dst: expected a prefix such as 10.0.0.0/24 or fd00::/64, an address or default, got "10/8"',
    ],
    [{ dst: '10.0.0.1/24', dev: 'eth0' }, 'dst: expected a network without host bits, got "10.0.0.1/24"'],
    [{ dst: '10.7.0.0/16' }, 'dev: expected the name of an interface, got nothing'],
    [{ dst: '10.7.0.0/16', dev: 'eth9' }, 'dev: expected the name of an interface, got "eth9": there is none'],
    [{ dst: 'fd00::1/64', dev: 'eth0' }, 'dst: expected a network without host bits, got "fd00::1/64"'],
    [{ dst: 'fd00::/129', dev: 'eth0' }, 'dst: expected a prefix length of 0 to 128, got "fd00::/129"'],
    [{ dst: '10.7.0.0/16', dev: 'ib0' }, `dev: the link type "infiniband" of ib0 is ${later}`],
    [{ dst: '10.7.0.0/16', dev: 'gre0' }, `dev: routes into a tunnel (gre0) are ${later}`],
    [{ dst: 'fd07::/16', dev: 'gre0', protocol: 'static' }, `dev: routes into a tunnel (gre0) are ${later}`],
    [
      { dst: 'fd07::/16', dev: 'eth0', gateway: '10.0.0.2' },
      'gateway: expected an IPv6 address such as fd00::1, got "10.0.0.2"',
    ],
    [
      { dst: '10.7.0.0/16', dev: 'eth0', prefsrc: 'fd00::1' },
      'prefsrc: expected an IPv4 address such as 10.0.0.1, got "fd00::1"',
    ],
    [
      { type: 'local', dst: 'fd00::2', dev: 'eth0' },
      'dst: expected an address of an interface for a local route, got "fd00::2"',
    ],
    [
      { type: 'local', dst: 'fd00::/64', dev: 'eth0' },
      'dst: expected an address of an interface for a local route, got "fd00::/64"',
    ],
    [{ type: 'unreachable', dst: 'fd66::/16', metric: 1024 }, `type: "unreachable" routes are ${later}`],
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
    const ib0 = { ifname: 'ib0', mtu: 2044, link_type: 'infiniband' };
    const first = { dst: '10.0.0.0/24', dev: 'eth0' };
    expect(refusal({ addr: [LO, eth0, gre0, ib0], route: [first, route] })).toBe(`net.json: route[1].${message}`);
  });

  it('that the kernel adds for the addresses of tunnels are passed over', () => {
    const sit0 = { ifname: 'sit0', mtu: 1480, link_type: 'sit', addr_info: [] };
    const route = [
      { dst: '::/96', dev: 'sit0', protocol: 'kernel', metric: 256, pref: 'medium' },
      { dst: '10.4.0.0/24', dev: 'sit0', protocol: 'kernel', scope: 'link' },
    ];
    expect(networkFromJson({ addr: [eth0, sit0], route }).routes).toEqual([]);
  });

  it('take no address from an interface that cannot be used', () => {
    const ib0 = {
      ifname: 'ib0',
      mtu: 2044,
      link_type: 'infiniband',
      addr_info: [{ family: 'inet', local: '10.4.0.1', prefixlen: 24 }],
    };
    const route = [{ type: 'local', dst: '10.4.0.1', dev: 'ib0', table: 'local' }];
    expect(networkFromJson({ addr: [eth0, ib0], route }).routes).toEqual([]);
  });
});

describe('neighbours', () => {
  it('keep their MAC in every state that has one', () => {
    const lladdr = '02:00:00:00:00:02';
    for (const state of [['REACHABLE'], ['STALE'], ['DELAY'], ['PERMANENT'], undefined]) {
      expect(neighboursOf({ dst: '10.0.0.2', dev: 'eth0', lladdr, state })).toEqual([
        { dst: '10.0.0.2', dev: 'eth0', lladdr },
      ]);
      expect(neighboursOf({ dst: 'fe80::2', dev: 'eth0', lladdr, router: null, state })).toEqual([
        { dst: 'fe80::2', dev: 'eth0', lladdr },
      ]);
    }
  });

  it.each<Json>([
    {},
    { dst: 'fd00::8', dev: 'eth0', state: ['FAILED'] },
    { dst: 'ff02::16', dev: 'eth0', lladdr: '33:33:00:00:00:16', state: ['NOARP'] },
    { dst: '224.0.0.22', dev: 'eth0', lladdr: '01:00:5e:00:00:16', state: ['NOARP'] },
    { dst: '10.0.0.8', dev: 'eth0', state: ['FAILED'] },
    { dst: '10.0.0.8', dev: 'eth0', state: ['INCOMPLETE'] },
    { dst: '10.0.0.8', dev: 'eth0', lladdr: '02:00:00:00:00:08', state: ['FAILED'] },
    { dst: '10.0.0.77', dev: 'eth0', proxy: null },
    { dst: '127.0.0.1', dev: 'lo', lladdr: '00:00:00:00:00:00', state: ['NOARP'] },
  ])('pass over what gives no MAC: %j', (neighbour) => {
    expect(neighboursOf(neighbour)).toEqual([]);
  });

  it.each<[Json, string]>([
    [{ dev: 'eth0' }, 'dst: expected an address such as 10.0.0.1 or fd00::1, got nothing'],
    [{ dst: '10.0.0.2' }, 'dev: expected the name of an interface, got nothing'],
    [{ dst: '10.0.0.2', dev: 'eth7' }, 'dev: expected the name of an interface, got "eth7": there is none'],
    [{ dst: '10.0.0.2', dev: 'eth0', state: ['REACHABLE'] }, 'lladdr: expected a MAC as a string, got undefined'],
    [{ dst: '10.0.0.2', dev: 'eth0', lladdr: '1' }, 'lladdr: expected a MAC such as 02:00:00:00:00:01, got "1"'],
  ])('refuse %j', (neighbour, message) => {
    expect(refusal({ addr: [LO, eth0], neigh: [neighbour] })).toBe(`net.json: neigh[0].${message}`);
  });
});

describe('GUE ports', () => {
  const fouOf = (...fou: Json[]) => networkFromJson({ addr: [LO, eth0], fou }).fou;

  it('keep port and family', () => {
    expect(fouOf()).toBeUndefined();
    expect(fouOf({ port: 6080, gue: null, family: 'inet' }, { port: 6081, gue: null, family: 'inet6' }, {})).toEqual([
      { port: 6080, family: 4 },
      { port: 6081, family: 6 },
    ]);
    expect(fouOf({ port: 65535, gue: null })).toEqual([{ port: 65535, family: 4 }]);
  });

  it.each<[Json, string]>([
    [{ port: 5555, ipproto: 4, family: 'inet' }, ': FOU without GUE is not handled by this version'],
    [
      { port: 6082, gue: null, family: 'inet', local: '10.0.0.1' },
      '.local: a GUE port for some packets only is not handled by this version',
    ],
    [
      { port: 6082, gue: null, peer_port: 1 },
      '.peer_port: a GUE port for some packets only is not handled by this version',
    ],
    [{ port: 0, gue: null }, '.port: expected a port of 1 to 65535, got 0'],
    [{ gue: null }, '.port: expected a port of 1 to 65535, got nothing'],
    [{ port: 6080, gue: null, family: 'mpls' }, '.family: expected inet or inet6, got "mpls"'],
  ])('refuse %j', (fou, message) => {
    expect(refusal({ addr: [LO, eth0], fou: [fou] })).toBe(`net.json: fou[0]${message}`);
  });
});
