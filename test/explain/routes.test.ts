import { describe, expect, test } from 'vitest';
import { isEthernet, ownerOf, receivingInterface, routeText, wayTo } from '../../src/explain/routes.js';
import type { NetworkConfig } from '../../src/types.js';

const NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'lo', addresses: ['127.0.0.1/8', '10.0.0.100/32'] },
    { name: 'cli', mac: '02:00:00:00:00:01', mtu: 9000, addresses: ['10.0.0.1/24', 'fd00::1/64'] },
    { name: 'srv', mac: '02:00:00:00:01:01', addresses: ['10.1.0.1/24'] },
    { name: 'cli.5', mac: '02:00:00:00:00:01', vlan: { parent: 'cli', id: 5 } },
  ],
  routes: [
    { dst: 'fd00::/64', dev: 'cli' },
    { dst: 'default', gateway: '10.0.0.254', dev: 'cli', metric: 200 },
    { dst: 'default', gateway: '10.1.0.254', dev: 'srv', metric: 100 },
    { dst: 'default', gateway: '10.0.0.253', dev: 'cli', metric: 150 },
    { dst: '10.1.0.0/24', dev: 'srv' },
    { dst: '10.1.0.11', dev: 'cli' },
  ],
  neighbours: [
    { dst: '10.1.0.12', dev: 'srv', lladdr: '02:00:00:00:01:12' },
    { dst: '10.1.0.254', dev: 'srv', lladdr: '02:00:00:00:01:fe' },
    { dst: '10.1.0.11', dev: 'srv', lladdr: '02:00:00:00:01:11' },
  ],
};

describe('wayTo', () => {
  test('takes the longest prefix, then the lowest metric', () => {
    expect(wayTo(NETWORK, '10.1.0.12')).toMatchObject({ nextHop: '10.1.0.12', mac: '02:00:00:00:01:12', mtu: 1500 });
    expect(wayTo(NETWORK, '192.0.2.1')).toMatchObject({ nextHop: '10.1.0.254', mac: '02:00:00:00:01:fe' });
    expect(wayTo(NETWORK, '10.1.0.11')).toMatchObject({ route: { dev: 'cli' }, mtu: 9000 });
  });

  test('knows a neighbour only on the interface of the route', () => {
    expect(wayTo(NETWORK, '10.1.0.11')?.mac).toBeUndefined();
  });

  test('finds nothing without a default route', () => {
    const routes = NETWORK.routes?.filter(({ dst }) => dst !== 'default') ?? [];
    expect(wayTo({ ...NETWORK, routes }, '192.0.2.1')).toBeUndefined();
    expect(wayTo(NETWORK, '2001:db8::1')).toBeUndefined();
  });

  test('knows IPv6, however an address is written', () => {
    const routes = [...(NETWORK.routes ?? []), { dst: 'default', gateway: 'fd00::fe', dev: 'cli' }];
    const neighbours = [
      { dst: 'FD00:0::2', dev: 'cli', lladdr: '02:00:00:00:00:02' },
      { dst: 'fd00::fe', dev: 'cli', lladdr: '02:00:00:00:00:fe' },
    ];
    const network = { ...NETWORK, routes, neighbours };
    expect(wayTo(network, 'fd00::2')).toMatchObject({ route: { dst: 'fd00::/64' }, mac: '02:00:00:00:00:02' });
    expect(wayTo(network, '2001:db8::1')).toMatchObject({ nextHop: 'fd00::fe', mac: '02:00:00:00:00:fe' });
    expect(ownerOf(network, 'fd00::1')?.name).toBe('cli');
    expect(ownerOf(network, 'fd00::9')).toBeUndefined();
  });
});

describe('without given routes', () => {
  const interfaces: NetworkConfig['interfaces'] = [
    { name: 'cli', mac: '02:00:00:00:00:01', addresses: ['10.0.0.1/24', '10.0.0.100/32', 'fd00::1/64'] },
    { name: 'srv', mac: '02:00:00:00:01:01', addresses: ['10.1.0.1/24', '10.1.0.65/26'] },
    { name: 'spare', mac: '02:00:00:00:02:01', addresses: ['10.1.0.2/24', '10.2.0.1/24'] },
    { name: 'down', mac: '02:00:00:00:03:01', up: false, addresses: ['10.3.0.1/24'] },
  ];
  const devTo = (address: string, routes?: NetworkConfig['routes']) =>
    wayTo({ interfaces, ...(routes && { routes }) }, address)?.route.dev;

  test('those count that the addresses imply', () => {
    expect(wayTo({ interfaces }, '10.0.0.2')).toMatchObject({ route: { dst: '10.0.0.0/24', dev: 'cli' } });
    expect(wayTo({ interfaces }, '10.1.0.70')).toMatchObject({ route: { dst: '10.1.0.64/26', dev: 'srv' } });
    expect(devTo('10.1.0.11')).toBe('srv');
    expect(devTo('10.2.0.9')).toBe('spare');
    expect(devTo('10.3.0.9')).toBeUndefined();
    expect(devTo('192.0.2.1')).toBeUndefined();
  });

  test('a given one of the same length wins, a shorter one does not, and none of what is down', () => {
    expect(devTo('10.1.0.11', [{ dst: '10.1.0.0/24', dev: 'spare', metric: 4_294_967_295 }])).toBe('spare');
    expect(devTo('10.1.0.11', [{ dst: '10.1.0.0/16', dev: 'spare' }])).toBe('srv');
    expect(devTo('10.1.0.11', [{ dst: '10.1.0.11/32', dev: 'down' }])).toBe('srv');
  });
});

test('routeText is as ip route prints it', () => {
  expect(routeText({ dst: 'default', gateway: '10.0.0.254', dev: 'cli' })).toBe('default via 10.0.0.254 dev cli');
  expect(routeText({ dst: '10.1.0.0/24', dev: 'srv' })).toBe('10.1.0.0/24 dev srv');
});

test('ownerOf finds whose an address is', () => {
  expect(ownerOf(NETWORK, '10.0.0.100')?.name).toBe('lo');
  expect(ownerOf(NETWORK, '10.0.0.10')).toBeUndefined();
});

test('a tag names the VLAN interface, tag 0 the parent', () => {
  expect(receivingInterface(NETWORK, 'cli', undefined)?.name).toBe('cli');
  expect(receivingInterface(NETWORK, 'cli', 0)?.name).toBe('cli');
  expect(receivingInterface(NETWORK, 'cli', 5)?.name).toBe('cli.5');
  expect(receivingInterface(NETWORK, 'srv', 5)).toBeUndefined();
});

test('isEthernet', () => {
  expect(NETWORK.interfaces.map(isEthernet)).toEqual([false, true, true, true]);
  expect(isEthernet({ name: 'wg', kind: 'raw' })).toBe(false);
});
